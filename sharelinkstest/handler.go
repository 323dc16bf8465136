package sharelinkstest

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"

	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// versionHeader is on every answer.
const versionHeader = "Sharelinks-Stub"

// ServeHTTP answers as the service does, and keeps the journal, lets faults happen and holds the answer to the contract. The
// paths of /_stub/ are described in control.yaml.
func (s *Server) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set(versionHeader, s.options.version)
	if strings.HasPrefix(r.URL.Path, controlPrefix) {
		s.serveControl(w, r)
		return
	}
	op, params := s.contract.Match(r)
	if op == nil {
		s.handler.ServeHTTP(w, r)
		return
	}
	call, found := s.record(op, params, r)
	fault, applied, err := prefer(r.Header)
	if err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		s.journal.answered(call, http.StatusBadRequest)
		return
	}
	if applied != "" {
		w.Header().Set("Preference-Applied", applied)
	} else {
		fault = s.faults.next(op.ID)
	}
	var a *answer
	if fault.Status != 0 {
		a = fault.madeUp(op, r, s.URL)
	} else {
		a = s.carryOut(w, r, op, found)
	}
	if fault.Break == BreakNone || fault.Break == BreakTruncate {
		s.journal.answered(call, a.status)
	}
	fault.send(w, r, a, s.closing.Done())
}

// carryOut lets the service answer. An answer that breaks the contract fails the test.
func (s *Server) carryOut(w http.ResponseWriter, r *http.Request, op *contract.Operation, found contract.Violations) *answer {
	if s.options.anyKey && r.Header.Get("Authorization") != "" {
		r.Header.Set("Authorization", "Bearer "+s.Key)
	}
	if s.options.lenient {
		if ignored := ignoreUnknown(r, found); ignored != nil {
			w.Header().Set("Sharelinks-Stub-Ignored", strings.Join(ignored, ", "))
			s.options.logger.Warn("ignored what the contract does not have", "operation", op.ID, "fields", ignored)
		}
	}
	a := &answer{header: http.Header{}}
	s.handler.ServeHTTP(a, r)
	body := a.body
	if r.Method == http.MethodHead {
		body = nil
	}
	if broken := op.CheckResponse(a.status, a.header, body); broken != nil {
		s.tb.Errorf("sharelinkstest: the server's answer %d to %s breaks the contract: %v", a.status, op.ID, broken)
	}
	return a
}

// ignoreUnknown takes the fields and query parameters that the contract does not have out of a request, and returns their
// names.
func ignoreUnknown(r *http.Request, found contract.Violations) (ignored []string) {
	var body any
	query := r.URL.Query()
	for _, v := range found {
		switch {
		case !v.Unknown:
			continue
		case v.In == contract.InQuery:
			query.Del(v.Name)
			r.URL.RawQuery = query.Encode()
		case body == nil:
			decoder := json.NewDecoder(r.Body)
			decoder.UseNumber() // a number stays as it is written
			if decoder.Decode(&body) != nil {
				return nil // it cannot be: the contract's check has read it
			}
			fallthrough
		default:
			remove(body, strings.Split(v.Pointer, "/")[1:])
		}
		ignored = append(ignored, v.Pointer+v.Name)
	}
	if body != nil {
		rest, err := json.Marshal(body)
		if err != nil {
			return nil // it cannot be: it was JSON
		}
		r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(rest)), int64(len(rest))
	}
	return ignored
}

// remove deletes the member at a path of names and indexes from a JSON value.
func remove(value any, path []string) {
	name := strings.NewReplacer("~1", "/", "~0", "~").Replace(path[0])
	switch value := value.(type) {
	case map[string]any:
		if len(path) == 1 {
			delete(value, name)
		} else {
			remove(value[name], path[1:])
		}
	case []any:
		if i, err := strconv.Atoi(name); err == nil && i >= 0 && i < len(value) && len(path) > 1 {
			remove(value[i], path[1:])
		}
	}
}

// writeProblem answers a problem (RFC 9457).
func writeProblem(w http.ResponseWriter, status int, detail string) {
	a := &answer{header: w.Header()}
	a.json("application/problem+json", problem(status, detail))
	w.WriteHeader(status)
	_, _ = w.Write(a.body)
}
