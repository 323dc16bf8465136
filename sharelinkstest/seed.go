package sharelinkstest

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/google/uuid"
	"go.yaml.in/yaml/v3"

	"github.com/sharelinks-dev/sharelinks/internal/service"
)

// seed is what WithSeed reads.
type seed struct {
	Time             time.Time        `json:"time"`
	Random           *uint64          `json:"random"`
	WatermarkRemoval bool             `json:"watermarkRemoval"`
	Personas         []seedPersona    `json:"personas"`
	Links            []map[string]any `json:"links"`
}

type seedPersona struct {
	ID   *uuid.UUID `json:"id"`
	Name string     `json:"name"`
}

// readSeed reads the document of WithSeed. Its time and its random seed count where no option has set one.
func (o *options) readSeed() (seed, error) {
	var s seed
	if o.seed == nil {
		return s, nil
	}
	var document any
	if err := yaml.Unmarshal(o.seed, &document); err != nil { // JSON is YAML
		return s, fmt.Errorf("the seed is not YAML: %w", err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		return s, fmt.Errorf("the seed has what JSON does not: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&s); err != nil {
		return s, fmt.Errorf("the seed has time, random, watermarkRemoval, personas (id, name) and links: %w", err)
	}
	o.random = cmp.Or(o.random, s.Random)
	if o.time.IsZero() {
		o.time = s.Time
	}
	return s, nil
}

// sow puts personas and links into the server. Links pass through the contract, as anybody's do.
func (s *Server) sow(seed seed) error {
	if seed.WatermarkRemoval {
		if _, err := s.service.SetWatermarkRemoval(s.closing, service.DefaultOrganization, true); err != nil {
			return err
		}
	}
	for i, p := range seed.Personas {
		if _, err := s.service.AddPersona(s.closing, service.DefaultOrganization, p.ID, p.Name); err != nil {
			return fmt.Errorf("personas/%d of the seed: %w", i, err)
		}
	}
	for i, link := range seed.Links {
		if err := s.sowLink(link); err != nil {
			return fmt.Errorf("links/%d of the seed: %w", i, err)
		}
	}
	return nil
}

func (s *Server) sowLink(link map[string]any) error {
	if token, ok := link["token"].(string); ok {
		s.random.setToken(token)
		delete(link, "token")
	}
	body, err := json.Marshal(link)
	if err != nil {
		return err
	}
	r, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "/v1/share-links", bytes.NewReader(body))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+s.Key)
	r.Header.Set("Content-Type", "application/json")
	a := &answer{header: http.Header{}}
	s.handler.ServeHTTP(a, r)
	if a.status != http.StatusCreated {
		var problem struct{ Detail string }
		_ = json.Unmarshal(a.body, &problem)
		return fmt.Errorf("%d %s", a.status, problem.Detail)
	}
	return nil
}
