package main

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/client"
)

// The days before the link was made are not shown.
func TestVisitsBeginWithTheLink(t *testing.T) {
	t.Parallel()
	for age, begins := range map[int]bool{0: true, 2: true, 100: false} {
		created := time.Now().UTC().AddDate(0, 0, -age)
		visit := `{"id":"1","at":"` + time.Now().UTC().Format(api.TimestampLayout) + `","outcome":"OPENED","client":"other"}`
		exit, stdout, stderr := askAt(t, 80, func(w http.ResponseWriter, _ *http.Request, n int) {
			if n == 1 {
				_, _ = io.WriteString(w, strings.Replace(aLink(1), "{", `{"createdAt":"`+created.Format(api.TimestampLayout)+`",`, 1))
				return
			}
			_, _ = io.WriteString(w, `{"data":[`+visit+`],"meta":{"lastPage":1}}`)
		}, "visits", aPersona)
		_, days, _ := strings.Cut(stdout, "\n")
		if exit != 0 || stderr != "" || strings.HasPrefix(days, created.Format(time.DateOnly)) != begins ||
			!strings.HasSuffix(stdout, "\n\nattempts: 1, opened: 1, refused: 0\n") {
			t.Errorf("a link made %d days ago: exit %d\n%s%s", age, exit, stdout, stderr)
		}
	}
}

func TestVisitDays(t *testing.T) {
	t.Parallel()
	first := time.Date(2026, 4, 18, 0, 0, 0, 0, time.UTC)
	visits := func(n int, at time.Time, outcome api.VisitOutcome) []client.Visit {
		list := make([]client.Visit, n)
		for i := range list {
			list[i] = client.Visit{At: api.Timestamp{Time: at}, Outcome: outcome}
		}
		return list
	}
	few := slices.Concat(
		visits(2, first, api.VisitOutcomeOpened),
		visits(1, first.Add(24*time.Hour-time.Millisecond), api.VisitOutcomeExhausted),
		visits(1, first.Add(48*time.Hour), "SOMETHING_NEW"),
	)
	want := [][]string{{"2026-04-18", "2", "1", "##."}, {"2026-04-19", "0", "0", ""}, {"2026-04-20", "0", "1", "."}}
	if diff := cmp.Diff(want, visitDays(few, first, first.AddDate(0, 0, 2))); diff != "" {
		t.Error(diff)
	}
	const sum = "attempts: 4, opened: 2, refused: 2, EXHAUSTED: 1, SOMETHING_NEW: 1"
	if got := visitSum(few); got != sum {
		t.Error(got)
	}
	many := slices.Concat(
		visits(1000, first, api.VisitOutcomeOpened), visits(1, first.AddDate(0, 0, 1), api.VisitOutcomeOpened),
	)
	want = [][]string{{"2026-04-18", "1000", "0", strings.Repeat("#", chartWidth)}, {"2026-04-19", "1", "0", "#"}}
	if diff := cmp.Diff(want, visitDays(many, first, first.AddDate(0, 0, 1))); diff != "" {
		t.Error(diff)
	}
}
