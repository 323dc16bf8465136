package sharelinkstest_test

import (
	"errors"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/sharelinkstest"
)

func TestQuick(t *testing.T) {
	srv := sharelinkstest.NewServer(t)
	link, err := srv.Client().Create(t.Context(), client.CreateRequest{PersonaID: srv.AddPersona("Ada")})
	if err != nil {
		t.Fatal(err)
	}
	srv.Advance(8 * 24 * time.Hour)
	_, err = srv.Client().Open(t.Context(), link.Token)
	if !errors.Is(err, client.ErrGone) {
		t.Fatal(err)
	}
	t.Log(srv.Calls(""))
}

func BenchmarkNewServer(b *testing.B) {
	for b.Loop() {
		srv := sharelinkstest.NewServer(b)
		if _, err := srv.Client().Create(b.Context(), client.CreateRequest{PersonaID: srv.AddPersona("Ada")}); err != nil {
			b.Fatal(err)
		}
	}
}
