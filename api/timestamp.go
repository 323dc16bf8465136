package api

import (
	"bytes"
	"fmt"
	"time"
)

// TimestampLayout is how the contract writes an instant: UTC with exactly three digits of milliseconds. RFC 3339 would
// also allow fewer or more digits, and time.Time would drop a trailing `.000`.
const TimestampLayout = "2006-01-02T15:04:05.000Z"

// Timestamp is an instant with the precision of the wire, one millisecond. Marshalling truncates what is finer.
type Timestamp struct{ time.Time }

// MarshalJSON writes the instant in TimestampLayout.
func (t Timestamp) MarshalJSON() ([]byte, error) {
	const quoted = `"` + TimestampLayout + `"`
	return t.UTC().AppendFormat(make([]byte, 0, len(quoted)), quoted), nil
}

// UnmarshalJSON reads an RFC 3339 date-time of any precision and offset. It returns an error for anything else.
func (t *Timestamp) UnmarshalJSON(b []byte) error {
	if string(b) == "null" {
		return nil // as time.Time has it
	}
	s, ok := bytes.CutPrefix(b, []byte{'"'})
	s, closed := bytes.CutSuffix(s, []byte{'"'})
	if !ok || !closed {
		return fmt.Errorf("a date-time must be a JSON string")
	}
	parsed, err := time.Parse(time.RFC3339Nano, string(s))
	if err != nil {
		return fmt.Errorf("a date-time must look like %s", TimestampLayout)
	}
	t.Time = parsed.UTC()
	return nil
}
