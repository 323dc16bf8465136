package sharelinkstest

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// Fault is what goes wrong with one call. Its zero value is a call with which nothing goes wrong.
//
// With a Status the operation is not carried out, and the answer is made up. Without one it is carried out, and only its
// answer is late or lost: that is what makes retries hard.
type Fault struct {
	Status     int           // the HTTP status of the answer, 200 to 599, declared by the contract or not; 0 is the true answer
	Body       Body          // the body of an answer with a Status
	RetryAfter int           // its header Retry-After, in seconds; 0 is as the contract's example has it
	Delay      time.Duration // how long the answer takes, at most MaxDelay
	Break      Break         // how the connection fails
}

// MaxDelay bounds Fault.Delay.
const MaxDelay = 5 * time.Minute

// Body is the body of an answer that was made up.
type Body string

// The bodies.
const (
	BodyExample Body = ""      // the contract's example for the status; a problem (RFC 9457) for a status that it does not have
	BodyNest    Body = "nest"  // {"statusCode", "message", "error"}, as Anam's API has it
	BodyEmpty   Body = "empty" // none
	BodyHTML    Body = "html"  // a page, as gateways have it
)

// Break is a way in which a connection fails.
type Break string

// The breaks.
const (
	BreakNone     Break = ""
	BreakTruncate Break = "truncate" // half of the body arrives, and the connection ends
	BreakReset    Break = "reset"    // the connection is reset before the answer
	BreakHang     Break = "hang"     // no answer comes until the caller gives up or the server closes
)

// validate returns an error that names the field, what is wrong with it, and what would be right.
func (f Fault) validate() error {
	switch {
	case f.Status != 0 && (f.Status < 200 || f.Status > 599):
		return fmt.Errorf("status must be from 200 to 599, not %d", f.Status)
	case !slices.Contains([]Body{BodyExample, BodyNest, BodyEmpty, BodyHTML}, f.Body):
		return fmt.Errorf("body must be nest, empty, html or absent, not %q", f.Body)
	case f.Status == 0 && (f.Body != BodyExample || f.RetryAfter != 0):
		return errors.New("body and retryAfter need a status")
	case f.RetryAfter < 0:
		return errors.New("retryAfter must not be negative")
	case f.Delay < 0 || f.Delay > MaxDelay:
		return fmt.Errorf("delay must be from 0 to %v, not %v", MaxDelay, f.Delay)
	case !slices.Contains([]Break{BreakNone, BreakTruncate, BreakReset, BreakHang}, f.Break):
		return fmt.Errorf("break must be truncate, reset, hang or absent, not %q", f.Break)
	}
	return nil
}

// Fail queues faults for an operation of the contract, such as "createShareLink": the next call of it gets the first, and
// so on. When the queue is empty calls are answered as usual.
func (s *Server) Fail(operation string, faults ...Fault) {
	s.tb.Helper()
	if err := s.fail(operation, faults); err != nil {
		s.tb.Fatalf("sharelinkstest: Fail: %v", err)
	}
}

// FailNext queues a fault for each status: FailNext("openShareLink", 503, 503) fails two opens.
func (s *Server) FailNext(operation string, statuses ...int) {
	s.tb.Helper()
	for _, status := range statuses {
		s.Fail(operation, Fault{Status: status})
	}
}

func (s *Server) fail(operation string, faults []Fault) error {
	if err := s.knows(operation); err != nil {
		return err
	}
	for _, f := range faults {
		if err := f.validate(); err != nil {
			return err
		}
	}
	return s.faults.add(operation, faults)
}

// knows returns an error for an operation that the contract does not have.
func (s *Server) knows(operation string) error {
	if s.contract.Operation(operation) != nil {
		return nil
	}
	var ids []string
	for _, o := range s.contract.Operations {
		ids = append(ids, o.ID)
	}
	slices.Sort(ids)
	return fmt.Errorf("the contract has no operation %q; it has %s", operation, strings.Join(ids, ", "))
}

// faults are what goes wrong with the calls to come, by operation.
type faults struct {
	mu     sync.Mutex
	queues map[string][]Fault
}

// maxFaults bounds the faults that are queued for one operation.
const maxFaults = 10_000

func (f *faults) add(operation string, faults []Fault) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if len(f.queues[operation])+len(faults) > maxFaults {
		return fmt.Errorf("at most %d faults can be queued for %s", maxFaults, operation)
	}
	if f.queues == nil {
		f.queues = map[string][]Fault{}
	}
	f.queues[operation] = append(f.queues[operation], faults...)
	return nil
}

// next takes the first fault of an operation.
func (f *faults) next(operation string) Fault {
	f.mu.Lock()
	defer f.mu.Unlock()
	queue := f.queues[operation]
	if len(queue) == 0 {
		return Fault{}
	}
	f.queues[operation] = queue[1:]
	return queue[0]
}

// queued returns how many faults wait, by operation.
func (f *faults) queued() map[string]int {
	f.mu.Lock()
	defer f.mu.Unlock()
	n := map[string]int{}
	for operation, queue := range f.queues {
		if len(queue) > 0 {
			n[operation] = len(queue)
		}
	}
	return n
}

func (f *faults) clear() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.queues = nil
}

// prefer returns the fault that a request asks for itself by the header Prefer (RFC 7240), such as "code=429, wait=2", and
// what of it was understood. Other preferences are none of ours.
func prefer(h http.Header) (f Fault, applied string, err error) {
	var understood []string
	for preference := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		preference, _, _ = strings.Cut(preference, ";")
		name, value, _ := strings.Cut(preference, "=")
		name, value = strings.ToLower(strings.TrimSpace(name)), strings.Trim(strings.TrimSpace(value), `"`)
		switch name {
		case "code":
			if f.Status, err = strconv.Atoi(value); err != nil {
				return f, "", errors.New("the header Prefer: code must be an HTTP status, such as code=429")
			}
		case "wait":
			seconds, err := strconv.ParseFloat(value, 64)
			if err != nil || !(seconds >= 0 && seconds <= MaxDelay.Seconds()) {
				return f, "", fmt.Errorf("the header Prefer: wait must be a number of seconds from 0 to %v, such as wait=2", MaxDelay.Seconds())
			}
			f.Delay = time.Duration(seconds * float64(time.Second))
		default:
			continue
		}
		understood = append(understood, name+"="+value)
	}
	if err := f.validate(); err != nil {
		return f, "", fmt.Errorf("the header Prefer: %w", err)
	}
	return f, strings.Join(understood, ", "), nil
}

// answer is an answer that was not sent yet.
type answer struct {
	header http.Header
	status int
	body   []byte
}

// Header, WriteHeader and Write make an answer what a handler writes to.
func (a *answer) Header() http.Header { return a.header }

func (a *answer) WriteHeader(status int) {
	if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(b []byte) (int, error) {
	a.WriteHeader(http.StatusOK)
	a.body = append(a.body, b...)
	return len(b), nil
}

// madeUp returns the answer of a fault with a status.
func (f Fault) madeUp(op *contract.Operation, r *http.Request, url string) *answer {
	a := &answer{header: http.Header{}, status: f.Status}
	text := statusText(f.Status)
	switch f.Body {
	case BodyEmpty:
	case BodyNest:
		a.json("application/json", map[string]any{"statusCode": f.Status, "message": text, "error": text})
	case BodyHTML:
		a.header.Set("Content-Type", "text/html; charset=utf-8")
		a.body = fmt.Appendf(nil, "<!doctype html><title>%s</title><h1>%s</h1>\n", text, text)
	case BodyExample:
		header, body, declared := op.Example(f.Status)
		if a.header, a.body = header, body; !declared {
			a.header = http.Header{}
			a.json("application/problem+json", problem(f.Status, text))
		}
		a.name(r, url)
	}
	if f.RetryAfter > 0 {
		a.header.Set("Retry-After", strconv.Itoa(f.RetryAfter))
	}
	return a
}

// name gives an example the id of its request, and its problem the address of the server.
func (a *answer) name(r *http.Request, base string) {
	id := cmp.Or(r.Header.Get("X-Request-Id"), uuid.NewString())
	if a.header.Get("X-Request-Id") != "" {
		a.header.Set("X-Request-Id", id)
	}
	var members map[string]any
	if a.header.Get("Content-Type") != "application/problem+json" || json.Unmarshal(a.body, &members) != nil {
		return
	}
	members["instance"] = id
	if kind, err := url.Parse(fmt.Sprint(members["type"])); err == nil && kind.Host != "" {
		members["type"] = base + kind.Path
	}
	a.json("application/problem+json", members)
}

func (a *answer) json(mediaType string, v any) {
	a.header.Set("Content-Type", mediaType)
	body, err := json.Marshal(v)
	if err != nil {
		panic(err) // JSON can say what this package answers
	}
	a.body = body
}

// statusText returns the words of a status, also of one that has none.
func statusText(status int) string {
	return cmp.Or(http.StatusText(status), "Status "+strconv.Itoa(status))
}

// problem returns the members of a problem (RFC 9457), with error and message for clients that read those two.
func problem(status int, detail string) map[string]any {
	text := statusText(status)
	return map[string]any{
		"type": "about:blank", "title": text, "status": status, "detail": detail, "error": text, "message": detail,
	}
}

// send sends the answer, late or in part as the fault has it.
func (f Fault) send(w http.ResponseWriter, r *http.Request, a *answer, closing <-chan struct{}) {
	if f.Delay > 0 || f.Break == BreakHang {
		var late <-chan time.Time // of a call that hangs: never
		if f.Break != BreakHang {
			late = time.After(f.Delay)
		}
		select {
		case <-late:
		case <-r.Context().Done():
			panic(http.ErrAbortHandler) // ends the connection, and is not logged
		case <-closing:
			panic(http.ErrAbortHandler)
		}
	}
	if f.Break == BreakReset {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			panic(http.ErrAbortHandler) // not HTTP/1: it has no connection of its own
		}
		if tcp, ok := conn.(*net.TCPConn); ok {
			_ = tcp.SetLinger(0) // a reset instead of an orderly end
		}
		_ = conn.Close()
		return
	}
	maps.Copy(w.Header(), a.header)
	w.Header().Set("Content-Length", strconv.Itoa(len(a.body)))
	w.WriteHeader(a.status)
	if f.Break == BreakTruncate {
		_, _ = w.Write(a.body[:len(a.body)/2])
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}
	_, _ = w.Write(a.body) // a caller that hung up needs no answer
}
