package server

import (
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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

// The guide says of each alert what it means, in the order of deploy/alerts.yaml.
func TestAlertsAreDocumented(t *testing.T) {
	t.Parallel()
	alerts := found(t, "../deploy/alerts.yaml", `- alert: (\w+)`)
	documented := found(t, "../docs/operations.md", "(?m)^\\| `(Sharelinks\\w+)` \\|")
	if len(alerts) == 0 || !slices.EqualFunc(alerts, documented, slices.Equal) {
		t.Errorf("docs/operations.md has %v, and there are %v", documented, alerts)
	}
}

// The guide has each message of the log with its level, but for those of DEBUG and the line of a request; and no other.
func TestLogIsDocumented(t *testing.T) {
	t.Parallel()
	messages := logged(t, "..")
	if len(messages) == 0 {
		t.Error("nothing is logged")
	}
	for _, row := range found(t, "../docs/operations.md", "(?m)^\\| (INFO|WARN|ERROR) \\| `([^`]+)`") {
		known := len(messages)
		maps.DeleteFunc(messages, func(message, level string) bool { return level == row[0] && strings.HasPrefix(message, row[1]) })
		if len(messages) == known {
			t.Errorf("nothing logs %s %q...", row[0], row[1])
		}
	}
	for message, level := range messages {
		t.Errorf("docs/operations.md does not say what %s %q means", level, message)
	}
}

// found returns what the groups of a pattern match in a file.
func found(t *testing.T, file, pattern string) (groups [][]string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, match := range regexp.MustCompile(pattern).FindAllStringSubmatch(string(text), -1) {
		groups = append(groups, match[1:])
	}
	return groups
}

// logged returns the messages that the service logs, with their levels. Packages client and sharelinkstest have logs of
// their own.
func logged(t *testing.T, root string) map[string]string {
	t.Helper()
	messages, files := map[string]string{}, token.NewFileSet()
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if entry.IsDir() && slices.Contains([]string{"client", "e2e", "sharelinkstest"}, entry.Name()) {
			return fs.SkipDir
		}
		if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(node ast.Node) bool {
			call, _ := node.(*ast.CallExpr)
			if call == nil {
				return true
			}
			method, _ := call.Fun.(*ast.SelectorExpr)
			if method == nil || !strings.HasSuffix(strings.ToLower(types.ExprString(method.X)), "logger") {
				return true
			}
			level := strings.ToUpper(strings.TrimSuffix(method.Sel.Name, "Context"))
			if !slices.Contains([]string{"INFO", "WARN", "ERROR"}, level) {
				return true
			}
			message, err := types.Eval(files, nil, token.NoPos, types.ExprString(call.Args[0]))
			if err != nil {
				t.Errorf("%s: a message of the log is written as it is: %v", files.Position(call.Pos()), err)
				return true
			}
			messages[constant.StringVal(message.Value)] = level
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}
