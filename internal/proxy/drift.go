package proxy

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// The directions of a drift.
const (
	Request  = "request"  // the client's
	Response = "response" // the server's
)

// Drift is one kind of violation, in one place of one operation. It has no secrets.
type Drift struct {
	Direction string // Request or Response
	Operation string // its id; a method and a path where the contract has no operation
	Status    int    // of a response
	Place     string // JSON Pointer with * for each index, or such as "header Location"; "" is the whole message
	Detail    string // of the first time
	Count     int    // of the exchanges that had it
}

// String returns the drift on one line.
func (d Drift) String() string {
	words := []string{d.Direction, d.Operation}
	if d.Status != 0 {
		words = append(words, strconv.Itoa(d.Status))
	}
	if d.Place != "" {
		words = append(words, d.Place)
	}
	return strings.Join(words, " ") + ": " + d.Detail
}

var digits = regexp.MustCompile(`[0-9]+`)

// kind returns what tells drifts apart: all but the values that the detail speaks of.
func (d Drift) kind() string {
	d.Detail, _, _ = strings.Cut(d.Detail, ", not ")
	d.Detail = digits.ReplaceAllString(d.Detail, "0")
	return d.String()
}

// driftsOf returns the violations of one message as drifts.
func driftsOf(direction, operation string, status int, violations contract.Violations) []Drift {
	var drifts []Drift
	for _, v := range violations[:min(len(violations), contract.MaxViolations)] {
		d := Drift{Direction: direction, Operation: operation, Status: status, Detail: v.Detail}
		switch v.In {
		case contract.InStatus:
		case contract.InBody:
			d.Place = redact.Secrets(cmp.Or(foldIndexes(v.Pointer), "body"))
		default:
			d.Place = v.In + " " + v.Name
		}
		if v.Hint != "" {
			d.Detail += "; " + v.Hint
		}
		drifts = append(drifts, d)
	}
	return drifts
}

// foldIndexes returns a JSON Pointer with * for each index of a list: what is wrong with each item is one drift.
func foldIndexes(pointer string) string {
	words := strings.Split(pointer, "/")
	for i, w := range words {
		if w != "" && strings.Trim(w, "0123456789") == "" {
			words[i] = "*"
		}
	}
	return strings.Join(words, "/")
}

// plainWord is a part of a path that names something. Shorter than any token, and no id.
var plainWord = regexp.MustCompile(`^([a-z-]{0,20}|v[0-9])$`)

// foldPath returns a path of which the contract knows nothing, with * for each part that may be an id or a secret.
func foldPath(path string) string {
	words := strings.Split(path, "/")
	for i, w := range words {
		if !plainWord.MatchString(w) {
			words[i] = "*"
		}
	}
	return strings.Join(words[:min(len(words), 10)], "/")
}

// maxDrifts bounds how many drifts are kept. Those beyond it are counted.
const maxDrifts = 1000

// report keeps drifts, and writes each to out the first time.
type report struct {
	mu    sync.Mutex
	out   io.Writer
	index map[string]int // of a kind in the list
	list  []Drift
	more  int // drifts beyond maxDrifts, each time
}

func newReport(out io.Writer) *report {
	if out == nil {
		out = io.Discard
	}
	return &report{out: out, index: map[string]int{}}
}

// add keeps the drifts of one message.
func (r *report) add(drifts ...Drift) {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := map[string]bool{}
	for _, d := range drifts {
		kind := d.kind()
		if seen[kind] {
			continue
		}
		seen[kind] = true
		i, known := r.index[kind]
		switch {
		case known:
			r.list[i].Count++
		case len(r.list) == maxDrifts:
			r.more++
		default:
			d.Count = 1
			r.index[kind] = len(r.list)
			r.list = append(r.list, d)
			fmt.Fprintln(r.out, d)
		}
	}
}

// kept returns what was kept, in the order in which it was first seen, and how much was not.
func (r *report) kept() (list []Drift, more int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.list), r.more
}

// Drifts returns the distinct drifts so far, at most 1,000, in the order in which they were first seen.
func (p *Proxy) Drifts() []Drift {
	list, _ := p.drifts.kept()
	return list
}

// Summary says how many exchanges there were, and how many of them had each drift.
func (p *Proxy) Summary() string {
	drifts, more := p.drifts.kept()
	unchecked, _ := p.unchecked.kept()
	requests := 0
	for _, d := range drifts {
		if d.Direction == Request {
			requests++
		}
	}
	var b strings.Builder
	fmt.Fprintf(&b, "exchanges: %d, of which the upstream did not answer %d\n", p.exchanges.Load(), p.unanswered.Load())
	fmt.Fprintf(&b, "drifts: %d of requests, %d of responses\n", requests, len(drifts)-requests)
	for _, d := range slices.Concat(drifts, unchecked) {
		fmt.Fprintf(&b, "%6d x %s\n", d.Count, d)
	}
	if more > 0 {
		fmt.Fprintf(&b, "%6d x drifts beyond the first %d, not told apart\n", more, maxDrifts)
	}
	if p.recorder != nil {
		if skipped, _ := p.recorder.state(); skipped > 0 {
			fmt.Fprintf(&b, "%6d x no room in the record, which is at most %d bytes\n", skipped, p.recorder.max)
		}
	}
	return b.String()
}
