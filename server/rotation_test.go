package server

import (
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/sharelinks-dev/sharelinks/internal/memstore"
	"github.com/sharelinks-dev/sharelinks/internal/service"
	"github.com/sharelinks-dev/sharelinks/internal/session"
	"github.com/sharelinks-dev/sharelinks/internal/sharelink"
)

// Two servers on one store change over to a new signing key by themselves, and at no time does one sign with a key that the
// other does not show, or did not a while before.
func TestServersRotateTogether(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		db := memstore.New()
		var servers []*Server
		for range 2 {
			s, err := NewOn(t.Context(), DefaultConfig(), service.Options{Store: db})
			if err != nil {
				t.Fatal(err)
			}
			servers = append(servers, s)
			time.Sleep(time.Second) // they do not read the keys together
		}
		org, err := db.OrganizationNamed(t.Context(), service.DefaultOrganization)
		if err != nil {
			t.Fatal(err)
		}
		terms := sharelink.DefaultTerms(time.Now())
		terms.UsageLimit = 0
		link, err := db.CreateLink(t.Context(), sharelink.Link{ID: sharelink.NewID(time.Now()), Token: sharelink.NewToken(), OrganizationID: org.ID, Terms: terms}, nil)
		if err != nil {
			t.Fatal(err)
		}
		signs := func(s *Server) string {
			t.Helper()
			_, opened, err := s.service.Open(t.Context(), link, sharelink.Visitor{})
			if err != nil {
				t.Fatal(err)
			}
			token, _, err := jwt.NewParser().ParseUnverified(opened.Token, jwt.MapClaims{})
			if err != nil {
				t.Fatal(err)
			}
			return token.Header["kid"].(string)
		}
		both := func() (sets [2]string) {
			for i, s := range servers {
				answer := httptest.NewRecorder()
				s.Handler().ServeHTTP(answer, httptest.NewRequest("GET", "/.well-known/jwks.json", nil))
				if answer.Header().Get("Cache-Control") != "public, max-age=300" {
					t.Errorf("%v", answer.Header())
				}
				sets[i] = answer.Body.String()
			}
			return sets
		}

		first := signs(servers[0])
		if _, err := session.Rotate(t.Context(), db, time.Now(), false); err != nil {
			t.Fatal(err)
		}
		cached := both() // a backend keeps a key set for as long as it may
		kids := map[string]bool{first: true}
		for range int(3*time.Hour/session.KeySetMaxAge) + 1 {
			for _, s := range servers {
				kid := signs(s)
				kids[kid] = true
				for _, set := range cached {
					if !strings.Contains(set, kid) {
						t.Errorf("%s signs and is not in %s", kid, set)
					}
				}
			}
			cached = both()
			time.Sleep(session.KeySetMaxAge)
		}
		if signs(servers[0]) == first || signs(servers[1]) == first || len(kids) != 2 {
			t.Errorf("the servers still sign with the old key, or with others than the new one: %v", kids)
		}
		for i, set := range both() {
			if strings.Contains(set, first) || strings.Count(set, `"kid"`) != 2 {
				t.Errorf("server %d shows %s", i, set)
			}
		}
		for _, s := range servers {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}
