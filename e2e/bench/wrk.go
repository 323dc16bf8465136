package main

import (
	"context"
	_ "embed"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
)

//go:embed requests.lua
var script []byte

// wrk is a load.
type wrk struct {
	dir         string // for its files
	connections int
	seconds     float64
}

// result is what one run, or the medians of several, found.
type result struct {
	rate     float64 // requests a second
	p50, p99 float64 // milliseconds
	cpu      float64 // microseconds of the server's process a request
	memory   float64 // most memory that the server's process had, MiB
}

var (
	total       = regexp.MustCompile(`(\d+) requests in `)
	rate        = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	percentile  = regexp.MustCompile(`(?m)^\s+(50|99)%\s+([0-9.]+(?:us|ms|s|m))$`)
	notAnswered = regexp.MustCompile(`Non-2xx or 3xx responses: \d+|Socket errors: .*`)
)

// run sends the requests to the server. A request that is refused is an error: then there is nothing to compare.
func (w wrk) run(ctx context.Context, server *process, r requests) (result, error) {
	files := map[string][]byte{"requests.lua": script, "paths": []byte(strings.Join(r.paths, "\n") + "\n")}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(w.dir, name), text, 0o600); err != nil {
			return result{}, err
		}
	}
	before, err := server.usage()
	if err == nil {
		err = server.forgetPeak()
	}
	if err != nil {
		return result{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Duration(w.seconds+60)*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, "wrk", "--latency", "--timeout", "10s", "-t1", "-c"+strconv.Itoa(w.connections),
		"-d"+strconv.Itoa(int(math.Ceil(w.seconds)))+"s", "-s", "requests.lua", server.url, "--", "paths", r.method, key, r.body)
	cmd.Dir = w.dir
	// It takes whole seconds only, but prints its results when it is interrupted.
	if w.seconds < math.Ceil(w.seconds) {
		early := time.AfterFunc(time.Duration(w.seconds*float64(time.Second)), func() { _ = cmd.Process.Signal(os.Interrupt) })
		defer early.Stop()
	}
	out, err := cmd.CombinedOutput()
	if err != nil {
		return result{}, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	after, err := server.usage()
	if err != nil {
		return result{}, err
	}
	found, requests, err := parse(string(out))
	found.cpu = float64((after.cpu - before.cpu).Microseconds()) / max(requests, 1)
	found.memory = after.peak
	return found, err
}

// parse reads the output of wrk.
func parse(out string) (found result, requests float64, err error) {
	if refused := notAnswered.FindString(out); refused != "" {
		return found, 0, fmt.Errorf("wrk: %s", refused)
	}
	for pattern, into := range map[*regexp.Regexp]*float64{total: &requests, rate: &found.rate} {
		if m := pattern.FindStringSubmatch(out); m != nil {
			*into, err = strconv.ParseFloat(m[1], 64)
		}
		if err != nil || *into == 0 {
			return found, 0, fmt.Errorf("wrk got no answers:\n%s", out)
		}
	}
	for _, m := range percentile.FindAllStringSubmatch(out, -1) {
		latency, err := time.ParseDuration(m[2])
		if err != nil {
			return found, 0, err
		}
		into := &found.p50
		if m[1] == "99" {
			into = &found.p99
		}
		*into = float64(latency) / float64(time.Millisecond)
	}
	return found, requests, nil
}
