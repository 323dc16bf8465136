package sharelinkstest

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"slices"
	"sync"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// Call is a call of an operation, as it came.
type Call struct {
	Operation  string        `json:"operation"` // such as "createShareLink"
	Method     string        `json:"method"`
	Path       string        `json:"path"` // with the query
	Header     http.Header   `json:"header"`
	Body       string        `json:"body"`       // at most 64 KiB and a byte
	Status     int           `json:"status"`     // of the answer; 0 while there is none, or where a fault left none
	Violations []Violation   `json:"violations"` // of the contract, by the request
	At         api.Timestamp `json:"at"`         // on the server's clock
}

// Violation is one thing in a request that breaks the contract.
type Violation struct {
	In      string `json:"in"`                // body, query, path or header
	Pointer string `json:"pointer,omitempty"` // in a body: JSON Pointer (RFC 6901) to the value, "" for the whole body
	Name    string `json:"name,omitempty"`    // elsewhere: the name of the parameter or header
	Detail  string `json:"detail"`            // what was wrong and what would be right
	Hint    string `json:"hint,omitempty"`    // what was probably meant, or ""
}

// The journal keeps the newest calls, as many as these bounds allow.
const (
	maxCalls = 1000
	maxBytes = 4 << 20 // of their bodies
	maxBody  = 64 << 10
)

type journal struct {
	mu    sync.Mutex
	calls []*Call
	bytes int
}

func (j *journal) add(c *Call) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls = append(j.calls, c)
	j.bytes += len(c.Body)
	for len(j.calls) > maxCalls || j.bytes > maxBytes {
		j.bytes -= len(j.calls[0].Body)
		j.calls = slices.Delete(j.calls, 0, 1)
	}
}

func (j *journal) answered(c *Call, status int) {
	j.mu.Lock()
	defer j.mu.Unlock()
	c.Status = status
}

func (j *journal) clear() {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.calls, j.bytes = nil, 0
}

// of returns the calls of an operation, of all for "", oldest first.
func (j *journal) of(operation string) []Call {
	j.mu.Lock()
	defer j.mu.Unlock()
	calls := []Call{}
	for _, c := range j.calls {
		if operation == "" || c.Operation == operation {
			calls = append(calls, *c)
		}
	}
	return calls
}

// Calls returns the calls of an operation of the contract, such as "createShareLink", or of all for "", oldest first. API
// keys in their headers are redacted. The newest 1,000 calls are kept, or fewer when their bodies are more than 4 MiB.
func (s *Server) Calls(operation string) []Call {
	s.tb.Helper()
	if operation != "" {
		if err := s.knows(operation); err != nil {
			s.tb.Fatalf("sharelinkstest: Calls: %v", err)
		}
	}
	return s.journal.of(operation)
}

// Violations returns what in the calls that Calls returns broke the contract.
func (s *Server) Violations() []Violation {
	var all []Violation
	for _, c := range s.journal.of("") {
		all = append(all, c.Violations...)
	}
	return all
}

// record writes a call to the journal. The request can be read again afterwards.
func (s *Server) record(op *contract.Operation, params map[string]string, r *http.Request) (*Call, contract.Violations) {
	body, err := io.ReadAll(io.LimitReader(r.Body, maxBody+1))
	rest := r.Body
	r.Body = struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(body), errReader{err}, rest), rest}

	check := r.Clone(r.Context())
	check.Body = io.NopCloser(bytes.NewReader(body))
	found := violations(op.CheckRequest(check, func(name string) string { return params[name] }))
	call := &Call{
		Operation: op.ID, Method: r.Method, Path: r.URL.RequestURI(), Header: r.Header.Clone(), Body: string(body),
		Violations: make([]Violation, 0, len(found)), At: api.Timestamp{Time: s.Now()},
	}
	if call.Header.Get("Authorization") != "" {
		call.Header.Set("Authorization", "[redacted]")
	}
	for _, v := range found {
		call.Violations = append(call.Violations, Violation{In: v.In, Pointer: v.Pointer, Name: v.Name, Detail: v.Detail, Hint: v.Hint})
	}
	s.journal.add(call)
	return call, found
}

// errReader is the end of a body that could not be read.
type errReader struct{ err error }

func (e errReader) Read([]byte) (int, error) {
	if e.err != nil {
		return 0, e.err
	}
	return 0, io.EOF
}

// violations returns what is wrong with a request, whatever the kind of the error.
func violations(err error) contract.Violations {
	if found, ok := errors.AsType[contract.Violations](err); ok {
		return found
	}
	switch media, mediaType := errors.AsType[*contract.MediaTypeError](err); {
	case err == nil:
		return nil
	case mediaType:
		return contract.Violations{{In: contract.InHeader, Name: media.Header, Detail: err.Error()}}
	}
	return contract.Violations{{In: contract.InBody, Detail: err.Error()}}
}
