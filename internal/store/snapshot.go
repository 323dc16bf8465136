package store

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"

	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// snapshot is a link as an idempotency key remembers it. The field names are of the stored text, so that renaming a
// field of the domain does not make yesterday's keys unreadable; a field that one of the two lacks does not compile.
type snapshot struct {
	ID              uuid.UUID      `json:"id"`
	Token           string         `json:"token"`
	Type            sharelink.Type `json:"type"`
	ExpiresAt       time.Time      `json:"expires_at"`
	UsageLimit      int            `json:"usage_limit"`
	UsageCount      int            `json:"usage_count"`
	AllowedOrigins  []string       `json:"allowed_origins"`
	AllowAllOrigins bool           `json:"allow_all_origins"`
	RemoveWatermark bool           `json:"remove_watermark"`
	Enabled         bool           `json:"enabled"`
	IsPrimary       bool           `json:"is_primary"`
	CreatedAt       time.Time      `json:"created_at"`
	PersonaID       uuid.UUID      `json:"persona_id"`
	PersonaName     string         `json:"persona_name"`
	OrganizationID  uuid.UUID      `json:"organization_id"`
}

func encodeSnapshot(l sharelink.Link) (string, error) {
	b, err := json.Marshal(snapshot(l))
	return string(b), err
}

func decodeSnapshot(text string) (sharelink.Link, error) {
	var s snapshot
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		return sharelink.Link{}, fmt.Errorf("read the link of an idempotency key: %w", err)
	}
	return sharelink.Link(s), nil
}

// asKept returns the link as it will be read back.
func asKept(l sharelink.Link) sharelink.Link {
	l.ExpiresAt = fromInstant(instant(l.ExpiresAt))
	l.CreatedAt = fromMilli(l.CreatedAt.UnixMilli())
	if l.AllowedOrigins == nil {
		l.AllowedOrigins = []string{}
	}
	return l
}

// encodeOrigins returns the text that a list of origins is kept as.
func encodeOrigins(origins []string) (string, error) {
	if origins == nil {
		return "[]", nil
	}
	b, err := json.Marshal(origins)
	return string(b), err
}
