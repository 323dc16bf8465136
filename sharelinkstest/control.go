package sharelinkstest

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/api"
	"github.com/sharelinks-dev/sharelinks/internal/contract"
)

// controlPrefix is where tests in other languages reach what Go has methods for.
const controlPrefix = "/_stub/"

//go:embed control.yaml
var controlDocument []byte

var loadControl = sync.OnceValues(func() (*contract.Contract, error) {
	return contract.Load(controlDocument, contract.Options{})
})

// maxSnapshots bounds the snapshots that have a name.
const maxSnapshots = 100

// serveControl answers an operation of control.yaml.
func (s *Server) serveControl(w http.ResponseWriter, r *http.Request) {
	c, err := loadControl()
	if err != nil {
		writeProblem(w, http.StatusInternalServerError, err.Error())
		return
	}
	op, _ := c.Match(r)
	if op == nil {
		writeProblem(w, http.StatusNotFound, "the stub has no such operation; "+s.URL+controlPrefix+"openapi.yaml lists those that it has")
		return
	}
	if err := op.CheckRequest(r, nil); err != nil {
		writeProblem(w, http.StatusBadRequest, err.Error())
		return
	}
	result, err := s.controlled(op.ID, r)
	switch {
	case err != nil:
		writeProblem(w, http.StatusBadRequest, err.Error())
	case op.ID == "getDocument":
		w.Header().Set("Content-Type", "application/yaml")
		_, _ = w.Write(controlDocument)
	case result == nil:
		w.WriteHeader(http.StatusNoContent)
	default:
		a := &answer{header: w.Header()}
		a.json("application/json", result)
		_, _ = w.Write(a.body)
	}
}

// instruction has the fields of every request body of control.yaml.
type instruction struct {
	Now       time.Time
	Seconds   float64
	Operation string
	Faults    []struct {
		Status     int
		Body       Body
		RetryAfter int
		Delay      float64 // seconds
		Break      Break
	}
	Name     string
	Snapshot string
}

// controlled does what an operation of control.yaml says. It returns what is answered, nil for nothing.
func (s *Server) controlled(operation string, r *http.Request) (any, error) {
	var in instruction
	if r.Body != nil && r.ContentLength != 0 {
		if err := json.NewDecoder(r.Body).Decode(&in); err != nil {
			return nil, fmt.Errorf("read the body: %w", err)
		}
	}
	switch operation {
	case "getClock":
		return clockOf(s.Now()), nil
	case "setClock":
		return s.moved(in.Now)
	case "advanceClock":
		return s.moved(s.Now().Add(time.Duration(in.Seconds * float64(time.Second))))
	case "countFaults":
		return s.faults.queued(), nil
	case "addFaults":
		faults := make([]Fault, len(in.Faults))
		for i, f := range in.Faults {
			faults[i] = Fault{f.Status, f.Body, f.RetryAfter, time.Duration(f.Delay * float64(time.Second)), f.Break}
		}
		return nil, s.fail(in.Operation, faults)
	case "clearFaults":
		s.faults.clear()
		return nil, nil
	case "listCalls":
		id := r.URL.Query().Get("operation")
		if id != "" {
			if err := s.knows(id); err != nil {
				return nil, err
			}
		}
		return map[string]any{"calls": s.journal.of(id)}, nil
	case "clearCalls":
		s.journal.clear()
		return nil, nil
	case "takeSnapshot":
		return nil, s.keep(in.Name)
	case "reset":
		return nil, s.resetTo(in.Snapshot)
	}
	return nil, nil // getDocument
}

// keep keeps a snapshot under a name.
func (s *Server) keep(name string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if _, ok := s.snapshots[name]; !ok && len(s.snapshots) >= maxSnapshots {
		return fmt.Errorf("at most %d snapshots are kept; use one of their names again", maxSnapshots)
	}
	s.snapshots[name] = s.Snapshot()
	return nil
}

// resetTo goes back to the snapshot of this name, to the start for "".
func (s *Server) resetTo(name string) error {
	s.mu.Lock()
	snapshot, ok := s.snapshots[name]
	s.mu.Unlock()
	if name != "" && !ok {
		return errors.New("there is no snapshot of this name; POST /_stub/snapshot keeps one")
	}
	s.Reset()
	if ok {
		s.Restore(snapshot)
	}
	return nil
}

// moved sets the clock and returns what it says then.
func (s *Server) moved(to time.Time) (any, error) {
	err := s.setTime(to)
	return clockOf(s.Now()), err
}

func clockOf(now time.Time) any { return map[string]any{"now": api.Timestamp{Time: now}} }
