package client

import (
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	const notALink = "the answer is not a share link: "
	for _, test := range []struct {
		name   string
		reply  reply
		kind   error
		detail string
		text   string // of the method Error, without "sharelinks: get: "
	}{
		{"an empty body", reply{status: 403}, ErrForbidden, "Forbidden", "403 Forbidden"},
		{"HTML", reply{status: 500, body: "<h1>Oops</h1>"}, nil, "Internal Server Error", "500 Internal Server Error"},
		{
			"Anam",
			reply{status: 400, body: `{"statusCode":400,"message":["id must be a UUID","no"],"error":"Bad Request"}`},
			ErrInvalid, "id must be a UUID; no", "400 Bad Request: id must be a UUID; no",
		},
		{
			"Anam with one message",
			reply{status: 401, body: `{"statusCode":401,"message":"Unauthorized"}`},
			ErrUnauthorized, "Unauthorized", "401 Unauthorized",
		},
		{
			"a problem",
			reply{status: 410, body: `{"type":"https://x/problems/expired","detail":"it expired","instance":"r1"}`},
			ErrGone, "it expired", "410 Gone: it expired (request r1)",
		},
		{
			"a problem with a title only",
			reply{status: 409, body: `{"title":"Taken"}`, header: []string{"X-Request-Id: r2"}},
			ErrConflict, "Taken", "409 Conflict: Taken (request r2)",
		},
		{
			"a reused key",
			reply{status: 422, body: `{"type":"https://x/problems/idempotency-key-reused"}`},
			ErrConflict, "Unprocessable Entity", "422 Unprocessable Entity",
		},
		{
			"members of other types",
			reply{status: 422, body: `{"type":7,"detail":{"a":1},"errors":{"id":["no"]},"message":null}`},
			ErrInvalid, "Unprocessable Entity", "422 Unprocessable Entity",
		},
		{
			"errors of another type",
			reply{status: 415, body: `{"errors":["no"],"detail":"JSON, please"}`},
			ErrInvalid, "JSON, please", "415 Unsupported Media Type: JSON, please",
		},
		{"a list", reply{status: 404, body: `["no"]`}, ErrNotFound, "Not Found", "404 Not Found"},
		{"too many requests", reply{status: 429}, ErrRateLimited, "Too Many Requests", "429 Too Many Requests"},
		{"an unknown status", reply{status: 499, body: "x"}, nil, "", "499 "},
		{
			"a redirect",
			reply{status: 302, header: []string{"Location: https://elsewhere.example/"}},
			nil, "the server redirects to another address; check the base URL",
			"302 Found: the server redirects to another address; check the base URL",
		},
		{
			"another protocol",
			reply{status: 101},
			nil, "the server switches to another protocol and does not answer",
			"101 Switching Protocols: the server switches to another protocol and does not answer",
		},
		{
			"not JSON",
			reply{status: 200, body: "<html>Welcome to our WiFi"},
			nil, notALink + "invalid character '<' looking for beginning of value",
			"200 OK: " + notALink + "invalid character '<' looking for beginning of value",
		},
		{
			"nothing",
			reply{status: 204},
			nil, notALink + "unexpected end of JSON input", "204 No Content: " + notALink + "unexpected end of JSON input",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			err := second(dial(t, play(test.reply), WithRetry(Retry{Attempts: 1})).Get(t.Context(), unknown))
			var e *Error
			if !errors.As(err, &e) || e.Status != test.reply.status || e.Detail != test.detail || e.Attempts != 1 ||
				string(e.Body) != test.reply.body || len(e.Violations) != 0 {
				t.Fatalf("%#v", err)
			}
			if e.Error() != "sharelinks: get: "+test.text {
				t.Errorf("it is %q, want %q", e.Error(), test.text)
			}
			for _, kind := range []error{
				ErrInvalid, ErrUnauthorized, ErrForbidden, ErrNotFound, ErrConflict, ErrGone, ErrRateLimited,
			} {
				if errors.Is(err, kind) != (kind == test.kind) {
					t.Errorf("errors.Is(err, %q) is %v", kind, errors.Is(err, kind))
				}
			}
		})
	}
}

// What a real connection brings is bounded: a body by its size after decompression, a connection that is handed over by not
// being read, and a head that repeats the request's shows no key.
func TestServersThatDoNotAnswerAsTheyShould(t *testing.T) {
	t.Parallel()
	raw := func(answer string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			conn, _, err := w.(http.Hijacker).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			t.Cleanup(func() { conn.Close() }) // not before: an end would be an answer
			_, _ = io.WriteString(conn, strings.ReplaceAll(answer, "KEY", r.Header.Get("Authorization")))
		}
	}
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		says   string
	}{
		"a gzip bomb": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Encoding", "gzip")
			bomb := gzip.NewWriter(w)
			_, _ = io.CopyN(bomb, &endless{left: 1 << 40}, 4*maxAnswer)
			_ = bomb.Close()
		}, "the answer has more than 4194304 bytes"},
		"another protocol": {raw("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n"), "101 Switching Protocols: the server switches"},
		"a status line":    {raw("Authorization: KEY\r\n\r\n"), "malformed HTTP"},
		"a header line":    {raw("HTTP/1.1 200 OK\r\nAuthorization KEY\r\n\r\n"), `missing colon: "Authorization Bearer ..."`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(c.answer)
			t.Cleanup(server.Close)
			own := &http.Client{Transport: &http.Transport{}}
			t.Cleanup(own.CloseIdleConnections)
			err := second(dial(t, nil, WithURL(server.URL), WithHTTPClient(own), WithRetry(Retry{Attempts: 1})).Get(t.Context(), unknown))
			if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(fmt.Sprint(err, errors.Unwrap(err)), testKey) {
				t.Errorf("%v (%v), want %q", err, errors.Unwrap(err), c.says)
			}
		})
	}
}

func TestBodyOfAnErrorIsCut(t *testing.T) {
	t.Parallel()
	err := second(dial(t, play(reply{status: 500, body: strings.Repeat("x", 1<<20)})).List(t.Context(), Filter{}))
	var e *Error
	if !errors.As(err, &e) || len(e.Body) != maxExcerpt {
		t.Errorf("%v", err)
	}
}

// Redirects are not followed: a POST would arrive as a GET, and a list could be taken for the new link. A CheckRedirect
// of the caller's is respected.
func TestRedirects(t *testing.T) {
	t.Parallel()
	replies := []reply{{status: 308, header: []string{"Location: /new"}}, {status: 200, body: aLink}}
	server := play(replies...)
	if err := second(dial(t, server).Create(t.Context(), CreateRequest{})); err == nil || len(server.requests) != 1 {
		t.Errorf("%v, %q", err, server.requests)
	}
	server = play(replies...)
	follow := &http.Client{Transport: server, CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	must(dial(t, server, WithHTTPClient(follow)).Create(t.Context(), CreateRequest{}))(t)
	if follow.Transport != server {
		t.Error("the caller's client was modified")
	}
}
