package deploy

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/types"
)

// The compose file is refused without a password. With one it is the image of our Dockerfile, on PostgreSQL once that is healthy,
// reached from this machine only, and the data is in a volume.
func TestCompose(t *testing.T) {
	t.Parallel()
	if _, err := load(t); err == nil || !strings.Contains(err.Error(), "POSTGRES_PASSWORD") {
		t.Errorf("without a password: %v", err)
	}
	project, err := load(t, "POSTGRES_PASSWORD=letters")
	if err != nil {
		t.Fatal(err)
	}

	service, postgres := project.Services["sharelinks"], project.Services["postgres"]
	if database := *service.Environment["SHARELINKS_DATABASE"]; !strings.HasPrefix(database, "postgres://sharelinks:letters@postgres/") ||
		*postgres.Environment["POSTGRES_PASSWORD"] != "letters" {
		t.Errorf("the password of %s is not that of PostgreSQL", database)
	}
	if dockerfile := filepath.Join(service.Build.Context, service.Build.Dockerfile); dockerfile != path(t, "deploy/Dockerfile") {
		t.Errorf("built by %s", dockerfile)
	}
	if service.DependsOn["postgres"].Condition != types.ServiceConditionHealthy || postgres.HealthCheck == nil {
		t.Errorf("waits for %+v, with the check %v", service.DependsOn, postgres.HealthCheck)
	}
	for _, port := range append(service.Ports, postgres.Ports...) {
		if port.HostIP != "127.0.0.1" {
			t.Errorf("port %s is open to all", port.Published)
		}
	}
	for _, volume := range postgres.Volumes {
		if _, declared := project.Volumes[volume.Source]; !declared || volume.Type != types.VolumeTypeVolume {
			t.Errorf("%s is not in a volume", volume.Target)
		}
	}
	if len(postgres.Volumes) == 0 || len(service.Volumes) != 0 || !service.ReadOnly {
		t.Error("data is not where it stays")
	}
}

func load(t *testing.T, environment ...string) (*types.Project, error) {
	t.Helper()
	options, err := cli.NewProjectOptions([]string{path(t, "deploy/compose.yaml")}, cli.WithEnv(environment))
	if err != nil {
		t.Fatal(err)
	}
	return options.LoadProject(t.Context())
}
