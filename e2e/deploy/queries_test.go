package deploy

import (
	"encoding/json"
	"os"
	"testing"

	"github.com/VictoriaMetrics/metricsql"
	"go.yaml.in/yaml/v3"
)

// The alerts and the panels of the dashboard are well-formed questions. That they ask for metrics that there are is a test of
// package server.
func TestQueries(t *testing.T) {
	t.Parallel()
	var alerts struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	decode(t, "deploy/alerts.yaml", yaml.Unmarshal, &alerts)
	queries := map[string]string{}
	for _, group := range alerts.Groups {
		for _, rule := range group.Rules {
			queries[rule.Alert] = rule.Expr
		}
	}
	if len(queries) == 0 {
		t.Error("there are no alerts")
	}

	var dashboard struct {
		Panels []struct {
			Title   string
			Type    string
			Targets []struct{ RefID, Expr string }
		}
	}
	decode(t, "deploy/grafana.json", json.Unmarshal, &dashboard)
	if len(dashboard.Panels) == 0 {
		t.Error("there are no panels")
	}
	for _, panel := range dashboard.Panels {
		if len(panel.Targets) == 0 && panel.Type != "row" {
			t.Errorf("the panel %s shows nothing", panel.Title)
		}
		for _, target := range panel.Targets {
			queries[panel.Title+", "+target.RefID] = target.Expr
		}
	}

	for name, query := range queries {
		if _, err := metricsql.Parse(query); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func decode(t *testing.T, name string, unmarshal func([]byte, any) error, v any) {
	t.Helper()
	text, err := os.ReadFile(path(t, name))
	if err != nil {
		t.Fatal(err)
	}
	if err := unmarshal(text, v); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
}
