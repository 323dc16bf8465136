package client

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestErrors(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		name   string
		reply  reply
		kind   error
		detail string
		text   string // of Error
	}{
		{"an empty body", reply{status: 403}, ErrForbidden, "Forbidden", "sharelinks: get: 403 Forbidden"},
		{"HTML", reply{status: 500, body: "<html><h1>Oops</h1></html>"}, nil, "Internal Server Error", "sharelinks: get: 500 Internal Server Error"},
		{
			"Nest",
			reply{status: 400, body: `{"statusCode":400,"message":["id must be a UUID","no"],"error":"Bad Request"}`},
			ErrInvalid,
			"id must be a UUID; no", "sharelinks: get: 400 Bad Request: id must be a UUID; no",
		},
		{
			"Nest with one message",
			reply{status: 401, body: `{"statusCode":401,"message":"Unauthorized"}`},
			ErrUnauthorized,
			"Unauthorized", "sharelinks: get: 401 Unauthorized",
		},
		{
			"a problem",
			reply{status: 410, body: `{"type":"https://x/problems/share-link-expired","detail":"it is over","instance":"r1"}`},
			ErrGone,
			"it is over", "sharelinks: get: 410 Gone: it is over (request r1)",
		},
		{
			"a problem with a title only",
			reply{status: 409, body: `{"title":"Taken"}`, header: []string{"X-Request-Id: r2"}},
			ErrConflict,
			"Taken", "sharelinks: get: 409 Conflict: Taken (request r2)",
		},
		{
			"members of another type",
			reply{status: 422, body: `{"type":7,"detail":{"a":1},"errors":{"id":["no"]},"message":null}`},
			ErrInvalid,
			"Unprocessable Entity", "sharelinks: get: 422 Unprocessable Entity",
		},
		{"a list", reply{status: 404, body: `["no"]`}, ErrNotFound, "Not Found", "sharelinks: get: 404 Not Found"},
		{"no such status", reply{status: 499, body: "x"}, nil, "", "sharelinks: get: 499 "},
		{
			"a redirect",
			reply{status: 302, header: []string{"Location: https://elsewhere.example/"}},
			nil,
			"the server redirects to another place; is the base URL right?", "",
		},
		{"not a link", reply{status: 200, body: `{"data": []}`}, nil, "the answer is not a share link: it has no id or no token", ""},
		{
			"not JSON",
			reply{status: 200, body: "<html>Welcome to our WiFi"},
			nil,
			"the answer is not a share link: invalid character '<' looking for beginning of value", "",
		},
		{"nothing", reply{status: 200}, nil, "the answer is not a share link: unexpected end of JSON input", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			url, _ := hostile(t, test.reply)
			_, err := dial(t, url).Get(t.Context(), nobody)
			var e *Error
			if !errors.As(err, &e) || e.Status != test.reply.status || e.Detail != test.detail || e.Attempts != 1 || string(e.Body) != test.reply.body {
				t.Fatalf("%#v", err)
			}
			if test.text != "" && e.Error() != test.text {
				t.Errorf("it says %q, want %q", e.Error(), test.text)
			}
			for _, kind := range []error{ErrInvalid, ErrUnauthorized, ErrForbidden, ErrNotFound, ErrConflict, ErrGone, ErrRateLimited} {
				if errors.Is(err, kind) != (kind == test.kind) {
					t.Errorf("is it %v: %v", kind, errors.Is(err, kind))
				}
			}
		})
	}
}

func TestBodyOfAnErrorIsCutShort(t *testing.T) {
	t.Parallel()
	url, _ := hostile(t, reply{status: 500, body: strings.Repeat("x", 1<<20)})
	_, err := dial(t, url).List(t.Context(), Filter{})
	var e *Error
	if !errors.As(err, &e) || len(e.Body) != maxExcerpt {
		t.Errorf("%v", err)
	}
}

// A redirected POST would arrive as a GET, and a list be taken for the new link. With a CheckRedirect of the caller's own it
// is the caller's decision.
func TestRedirects(t *testing.T) {
	t.Parallel()
	var methods []string
	var h *httptest.Server
	h = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		methods = append(methods, r.Method)
		if strings.HasPrefix(r.URL.Path, "/old") {
			http.Redirect(w, r, h.URL+"/new"+strings.TrimPrefix(r.URL.Path, "/old"), http.StatusPermanentRedirect)
			return
		}
		_, _ = w.Write([]byte(aLink))
	}))
	defer h.Close()
	c := dial(t, h.URL+"/old")
	if _, err := c.Create(t.Context(), CreateRequest{PersonaID: cara}); err == nil || len(methods) != 1 {
		t.Errorf("%v, %q", err, methods)
	}
	follow := &http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return nil }}
	if _, err := c.Create(t.Context(), CreateRequest{PersonaID: cara}, WithHTTPClient(follow)); err != nil {
		t.Error(err)
	}
	if follow.Transport != nil {
		t.Error("the caller's client was changed")
	}
}
