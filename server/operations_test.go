package server

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

var metricName = regexp.MustCompile(`\b(sharelinks|go|process)_[a-z0-9_]+`)

// registered returns the names of all metrics that a server has.
func registered() map[string]bool {
	m := newMetrics("test")
	m.showExpiry(&certificate{})
	descriptions := make(chan *prometheus.Desc)
	go func() {
		m.registry.Describe(descriptions)
		close(descriptions)
	}()
	there := map[string]bool{}
	for d := range descriptions {
		if name := metricName.FindString(d.String()); name != "" {
			there[name] = true
		}
	}
	return there
}

// The metrics that docs/operations.md names are those that there are.
func TestMetricsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	there := registered()
	documented := map[string]bool{"sharelinks_versions": true} // a table
	for _, name := range metricName.FindAllString(string(page), -1) {
		if !strings.HasPrefix(name, "sharelinks_") {
			continue // those of libraries
		}
		if !there[name] && !documented[name] {
			t.Errorf("there is no metric %s", name)
		}
		documented[name] = true
	}
	for name := range there {
		if strings.HasPrefix(name, "sharelinks_") && !documented[name] {
			t.Errorf("docs/operations.md does not say what %s is", name)
		}
	}
}

// The dashboard and the alerts ask for metrics that there are.
func TestDashboardsAskForMetricsThatExist(t *testing.T) {
	t.Parallel()
	there := registered()
	for _, file := range []string{"../deploy/grafana.json", "../deploy/alerts.yaml"} {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		names := metricName.FindAllString(string(text), -1)
		if len(names) == 0 {
			t.Errorf("%s asks for nothing", file)
		}
		for _, name := range names {
			series := name
			for _, suffix := range []string{"_bucket", "_sum", "_count"} { // of a histogram
				series = strings.TrimSuffix(series, suffix)
			}
			if !there[name] && !there[series] {
				t.Errorf("%s: there is no metric %s", file, name)
			}
		}
	}
}
