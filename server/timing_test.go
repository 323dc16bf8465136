package server

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// BenchmarkAnotherOrganizationsLink measures whether the time of an answer tells another organization's link from none.
func BenchmarkAnotherOrganizationsLink(b *testing.B) {
	onBothEngines(b, func(b *testing.B, ts *testServer) {
		const links = 1000
		var theirs, none [links]string
		for i := range links { // made at the same time, so that both lie in the same places of an index
			theirs[i], none[i] = ts.create("")["id"].(string), sharelink.NewID(ts.now()).String()
			ts.advance(time.Millisecond)
		}
		key := ts.stranger(false)
		for _, r := range []request{
			{"GET", "/v1/share-links/%s", ""},
			{"PUT", "/v1/share-links/%s", `{"enabled":false}`},
			{"DELETE", "/v1/share-links/%s", ""},
			{"GET", "/v1/share-links/%s/visits", ""},
		} {
			of := func(ids *[links]string) func() *http.Request {
				return func() *http.Request {
					return requestOf(r.method, fmt.Sprintf(r.path, ids[rand.IntN(links)]), r.body, key)
				}
			}
			b.Run(r.method+strings.ReplaceAll(strings.TrimPrefix(r.path, "/v1/share-links"), "%s", "id"), func(b *testing.B) {
				compareTimes(b, ts, http.StatusNotFound, of(&theirs), of(&none))
			})
		}
	})
}

// BenchmarkNearlyRight measures whether the time of an answer tells an API key or a token that is right but for its last letter
// from any other.
func BenchmarkNearlyRight(b *testing.B) {
	onBothEngines(b, func(b *testing.B, ts *testServer) {
		for range 1000 {
			ts.create("")
		}
		token := ts.token()
		b.Run("key", func(b *testing.B) {
			of := func(key string) func() *http.Request {
				return func() *http.Request { return requestOf("GET", "/v1/share-links", "", key) }
			}
			compareTimes(b, ts, http.StatusUnauthorized, of(nearly(ts.key)), of(sharelink.NewSecret()))
		})
		b.Run("token", func(b *testing.B) {
			of := func(token string) func() *http.Request {
				return func() *http.Request { return requestOf("GET", "/v1/share/"+token, "", ts.key) }
			}
			compareTimes(b, ts, http.StatusNotFound, of(nearly(token)), of(sharelink.NewToken()))
		})
	})
}

func onBothEngines(b *testing.B, measure func(b *testing.B, ts *testServer)) {
	for _, engine := range []string{"SQLite", "PostgreSQL"} {
		b.Run(engine, func(b *testing.B) {
			measure(b, start(b, nil, engines[engine](b), func(c *Config) { c.ValidateResponses, c.Logger = false, nil }))
		})
	}
}

func requestOf(method, path, body, key string) *http.Request {
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	return r
}

// compareTimes measures requests of two kinds, pair by pair, the first of each drawn by lot. It reports medians and means in
// microseconds and Welch's t: of all times, and of those below the 95th percentile of both together, which leaves out much of
// what else the machine did. Beyond 4.5 either way the two kinds differ: that is the method and the bound of dudect (Reparaz,
// Balasch, Verbauwhede: Dude, is my code constant time?, 2017).
func compareTimes(b *testing.B, ts *testServer, status int, kinds ...func() *http.Request) {
	handler := ts.Handler()
	times := make([][]float64, 2)
	for b.Loop() {
		first := rand.IntN(2)
		for _, kind := range []int{first, 1 - first} {
			r, w := kinds[kind](), httptest.NewRecorder()
			begin := time.Now()
			handler.ServeHTTP(w, r)
			times[kind] = append(times[kind], float64(time.Since(begin).Nanoseconds())/1000)
			if w.Code != status {
				b.Fatalf("%d %s", w.Code, w.Body)
			}
		}
	}
	for _, t := range times {
		slices.Sort(t)
	}
	both := slices.Sorted(slices.Values(slices.Concat(times...)))
	usual := func(t []float64) []float64 {
		end, _ := slices.BinarySearch(t, both[len(both)*95/100])
		return t[:end]
	}
	for i, name := range []string{"first", "second"} {
		mean, _ := moments(times[i])
		b.ReportMetric(times[i][len(times[i])/2], name+"-median-us")
		b.ReportMetric(mean, name+"-mean-us")
	}
	b.ReportMetric(welch(times[0], times[1]), "t")
	b.ReportMetric(welch(usual(times[0]), usual(times[1])), "t-95%")
	b.ReportMetric(0, "ns/op")
}

// welch returns Welch's t of two samples.
func welch(a, b []float64) float64 {
	meanA, varianceA := moments(a)
	meanB, varianceB := moments(b)
	return (meanA - meanB) / math.Sqrt(varianceA/float64(len(a))+varianceB/float64(len(b)))
}

// moments returns the mean and the variance of a sample.
func moments(sample []float64) (mean, variance float64) {
	for _, x := range sample {
		mean += x / float64(len(sample))
	}
	for _, x := range sample {
		variance += (x - mean) * (x - mean) / float64(len(sample)-1)
	}
	return mean, variance
}
