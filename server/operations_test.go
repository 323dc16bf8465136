package server

import (
	"os"
	"regexp"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// The metrics that docs/operations.md names are those that there are.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	m := newMetrics("test")
	m.showExpiry(&certificate{})
	descriptions := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descriptions)
		close(descriptions)
	}()
	metric := regexp.MustCompile(`sharelinks_[a-z_]+`)
	there := map[string]bool{}
	for d := range descriptions {
		if name := metric.FindString(d.String()); name != "" {
			there[name] = true
		}
	}
	documented := map[string]bool{"sharelinks_versions": true} // a table
	for _, name := range metric.FindAllString(string(page), -1) {
		documented[name] = true
		if !there[name] && name != "sharelinks_versions" {
			t.Errorf("there is no metric %s", name)
		}
	}
	for name := range there {
		if !documented[name] {
			t.Errorf("docs/operations.md does not say what %s is", name)
		}
	}
}
