package e2e

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/uuid"
)

// An upstream that repeats our headers where no reply should have them does not get our key into the log.
func TestKeyThatTheUpstreamRepeatsIsNotLogged(t *testing.T) {
	t.Parallel()
	const anamKey = "anam-key-that-stays-on-the-server"
	body := `{"sessionToken":"session"}`
	for name, reply := range map[string]string{
		"head": "HTTP/1.1 200 OK\r\nAuthorization KEY\r\n\r\n",
		"unasked": fmt.Sprintf("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s",
			len(body), body) + "Authorization: KEY\r\n\r\n",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			closed := make(chan struct{})
			upstream := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					w.Header().Set("Content-Type", "application/json")
					_, _ = io.WriteString(w, `{"name":"Ada"}`)
					return
				}
				conn, _, err := w.(http.Hijacker).Hijack()
				if err != nil {
					t.Error(err)
					return
				}
				_, _ = io.WriteString(conn, strings.ReplaceAll(reply, "KEY", r.Header.Get("Authorization")))
				_, _ = io.Copy(io.Discard, conn) // until the service has seen all of it and closes the connection
				conn.Close()
				close(closed)
			}))
			t.Cleanup(upstream.Close)
			cmd := serveCommand(t, "sqlite:upstream.db")
			cmd.Env = append(cmd.Env, "SHARELINKS_ANAM_API_KEY="+anamKey, "SHARELINKS_ANAM_URL="+upstream.URL)
			p := start(t, cmd)
			p.await()
			link, err := p.create(t.Context(), nil, "")
			if err != nil {
				t.Fatal(err)
			}
			if _, err := p.client.OpenShareLinkWithResponse(t.Context(), link.Token); err != nil {
				t.Fatal(err)
			}
			<-closed
			p.kill()
			if log := p.stderr.String(); strings.Contains(log, anamKey) || !strings.Contains(log, uuid.MustParse(link.ID).String()) {
				t.Errorf("the log:\n%s", log)
			}
		})
	}
}
