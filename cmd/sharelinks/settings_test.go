package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/server"
)

// The guide has a row for each setting of serve, with its variable and its default, and no other.
func TestSettingsAreDocumented(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	type row struct{ flag, value string }
	rows := map[string]row{} // by variable
	code := regexp.MustCompile("`[^`]+`")
	for line := range strings.Lines(string(page)) {
		cells := strings.Split(line, "|")
		if len(cells) < 4 || !strings.Contains(cells[2], "`SHARELINKS_") {
			continue
		}
		flags, values := code.FindAllString(cells[1], -1), code.FindAllString(cells[3], -1)
		for i, variable := range code.FindAllString(cells[2], -1) {
			var r row
			if i < len(flags) {
				r.flag = strings.Trim(flags[i], "`")
			}
			if i < len(values) {
				r.value = strings.Trim(values[i], "`")
			}
			rows[strings.Trim(variable, "`")] = r
		}
	}

	flags := new(program).serve().Flags()
	for _, s := range serveSettings(new(server.Config), new(logOptions)) {
		got, documented := rows[s.variable()]
		delete(rows, s.variable())
		if !documented {
			t.Errorf("docs/operations.md has no row of %s", s.variable())
			continue
		}
		var want row
		if f := flags.Lookup(s.name); f != nil {
			want = row{flag: "--" + s.name, value: f.Value.String()}
			if strings.Contains(s.help, "(default:") { // in words
				want.value = got.value
			} else if got.value != "" { // 2160h is 2160h0m0s
				_ = f.Value.Set(got.value)
				got.value = f.Value.String()
			}
		}
		if got != want {
			t.Errorf("docs/operations.md has of %s %+v, and that is %+v", s.variable(), got, want)
		}
	}
	for variable := range rows {
		t.Errorf("docs/operations.md has a row of %s, which is no setting", variable)
	}
}

func TestSettingTakesDays(t *testing.T) {
	t.Parallel()
	var retention time.Duration
	s := newSetting(&retention, "visits-retention", "DURATION", "")
	if _ = s.Set("90d"); s.err != nil || retention != 90*24*time.Hour {
		t.Error(retention, s.err)
	}
}

// The files in deploy set what can be set.
func TestDeployedSettingsExist(t *testing.T) {
	t.Parallel()
	variables := map[string]bool{}
	for _, s := range serveSettings(new(server.Config), new(logOptions)) {
		variables[s.variable()] = true
	}
	files, err := filepath.Glob("../../deploy/*")
	if err != nil || files == nil {
		t.Fatal(files, err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, variable := range regexp.MustCompile(`SHARELINKS_\w+`).FindAllString(string(text), -1) {
			if !variables[variable] {
				t.Errorf("%s: there is no setting %s", file, variable)
			}
		}
	}
}
