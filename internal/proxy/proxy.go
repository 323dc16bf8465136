// Package proxy stands between a client and a server, forwards what they say untouched, and reports where either of them
// breaks a contract. What it knows of operations, statuses and secrets it reads from the document.
package proxy

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httputil"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/contract"
	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

// maxChecked bounds how much of a body is held to be checked, in bytes. A larger one is forwarded and not checked.
const maxChecked = 1 << 20

// Options are what a proxy needs. Upstream and Contract are required.
type Options struct {
	Upstream *url.URL           // where requests go; a path of its own comes before theirs
	Contract *contract.Contract // what both sides are held to; load it with contract.Options.Closed

	Out       io.Writer         // gets one line for each distinct drift; nil is nowhere
	Log       io.Writer         // gets one line for each kind of message that cannot be checked; nil is nowhere
	Record    io.WriterAt       // gets all exchanges as HAR, without secrets; an empty file, or nil
	Transport http.RoundTripper // nil is one of the proxy's own
	Now       func() time.Time  // nil is time.Now
}

// Proxy is an http.Handler that forwards to one upstream.
type Proxy struct {
	upstream   *url.URL
	contract   *contract.Contract
	now        func() time.Time
	forward    *httputil.ReverseProxy
	drifts     *report
	unchecked  *report
	recorder   *recorder // nil without Options.Record
	exchanges  atomic.Int64
	unanswered atomic.Int64
}

// exchange is one request and its response. Bodies are what was held of them.
type exchange struct {
	writer    http.ResponseWriter
	request   *http.Request
	start     time.Time
	operation *contract.Operation // nil when the document has none
	name      string              // of the operation, without secrets
	params    map[string]string   // of the path
	sent      []byte
	got       []byte // decoded; nil when there is none, or when it cannot be read
}

type exchangeKey struct{}

// New returns a proxy, and writes the beginning of the record.
func New(o Options) (*Proxy, error) {
	p := &Proxy{
		upstream:  o.Upstream,
		contract:  o.Contract,
		now:       o.Now,
		drifts:    newReport(o.Out),
		unchecked: newReport(o.Log),
	}
	if p.now == nil {
		p.now = time.Now
	}
	if o.Record != nil {
		p.recorder = newRecorder(o.Record, o.Upstream.String(), o.Contract.Secrets())
	}
	if o.Transport == nil {
		own := http.DefaultTransport.(*http.Transport).Clone()
		own.DisableCompression = true // it would ask for gzip, and take it off
		own.MaxIdleConnsPerHost = own.MaxIdleConns
		o.Transport = own
	}
	p.forward = &httputil.ReverseProxy{
		Transport:      o.Transport,
		Rewrite:        p.rewrite,
		ModifyResponse: p.answered,
		ErrorHandler:   p.notAnswered,
		FlushInterval:  -1, // a body that breaks off has come as far as it did
		ErrorLog:       log.New(io.Discard, "", 0),
	}
	return p, p.RecordError()
}

// ServeHTTP checks a request and forwards it. The response is checked before the client gets it.
func (p *Proxy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.exchanges.Add(1)
	x := &exchange{writer: w, start: p.now()}
	r = r.WithContext(context.WithValue(r.Context(), exchangeKey{}, x))
	x.request = r
	var whole bool
	x.sent, whole, r.Body = hold(r.Body)
	x.operation, x.params = p.contract.Match(r)
	if x.operation == nil {
		x.name = redact.Method(r.Method) + " " + foldPath(r.URL.Path)
		p.drifts.add(Drift{Direction: Request, Operation: x.name, Detail: "is not an operation of the contract"})
	} else {
		x.name = cmp.Or(x.operation.ID, x.operation.Method+" "+x.operation.Path)
		if whole {
			p.drifts.add(driftsOf(Request, x.name, 0, p.checkRequest(x))...)
		} else {
			p.unchecked.add(Drift{Direction: Request, Operation: x.name, Place: "body", Detail: tooLarge})
		}
	}
	p.forward.ServeHTTP(w, r)
}

// checkRequest checks a copy of the request, which has its body to itself.
func (p *Proxy) checkRequest(x *exchange) contract.Violations {
	r := x.request.Clone(x.request.Context())
	r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(x.sent)), int64(len(x.sent))
	err := x.operation.CheckRequest(r, func(name string) string { return x.params[name] })
	if violations, ok := errors.AsType[contract.Violations](err); ok {
		return violations
	}
	if e, ok := errors.AsType[*http.MaxBytesError](err); ok {
		return contract.Violations{{In: contract.InBody, Detail: fmt.Sprintf("is larger than %d bytes", e.Limit)}}
	}
	if err != nil {
		return contract.Violations{{In: contract.InHeader, Name: "Content-Type", Detail: err.Error()}}
	}
	return nil
}

// rewrite points a request at the upstream. It puts back what httputil takes out of requests that a stranger might send.
func (p *Proxy) rewrite(r *httputil.ProxyRequest) {
	r.SetURL(p.upstream)
	r.Out.URL.RawQuery = r.In.URL.RawQuery
	for _, name := range []string{"Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto"} {
		if values, given := r.In.Header[name]; given {
			r.Out.Header[name] = values
		}
	}
}

// answered checks and records what the upstream answered.
func (p *Proxy) answered(response *http.Response) error {
	x := response.Request.Context().Value(exchangeKey{}).(*exchange)
	if response.StatusCode == http.StatusSwitchingProtocols {
		return errors.New("it switches to another protocol") // its body is the connection, which would stay open
	}
	for _, name := range []string{"Date", "Content-Type"} {
		if response.Header[name] == nil {
			x.writer.Header()[name] = nil // or net/http would add one
		}
	}
	held, whole, body := hold(response.Body)
	response.Body = body
	reason := ""
	if response.Request.Method != http.MethodHead && response.StatusCode != http.StatusNoContent && response.StatusCode != http.StatusNotModified {
		x.got, reason = readable(response.Header.Get("Content-Encoding"), held, whole)
	}
	if reason != "" {
		p.unchecked.add(Drift{Direction: Response, Operation: x.name, Status: response.StatusCode, Place: "body", Detail: reason})
	}
	if x.operation != nil {
		violations := x.operation.CheckResponse(response.StatusCode, response.Header, x.got)
		p.drifts.add(driftsOf(Response, x.name, response.StatusCode, violations)...)
	}
	if p.recorder != nil {
		p.recorder.record(x, response, p.now().Sub(x.start))
	}
	return nil
}

// notAnswered tells the client that there is no answer of the upstream.
func (p *Proxy) notAnswered(w http.ResponseWriter, r *http.Request, err error) {
	p.unanswered.Add(1)
	status := http.StatusBadGateway
	_, key, _ := strings.Cut(r.Header.Get("Authorization"), " ") // which net/http shows where an upstream repeats it
	detail := redact.Known(fmt.Sprintf("this is sharelinks proxy: %s did not answer: %v", p.upstream.Host, err), key)
	w.Header().Set("Content-Type", "application/problem+json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(map[string]any{ // a client that hung up needs no answer
		"type": "about:blank", "title": "Upstream did not answer", "status": status, "detail": detail,
		"error": http.StatusText(status), "message": detail,
	})
}

// RecordError returns why the record is not complete, nil if it is.
func (p *Proxy) RecordError() error {
	if p.recorder == nil {
		return nil
	}
	_, err := p.recorder.state()
	return err
}

// hold reads a body as far as it is checked, and returns that, whether it is all, and a body that reads like the original.
func hold(body io.ReadCloser) (held []byte, whole bool, again io.ReadCloser) {
	if body == nil || body == http.NoBody {
		return []byte{}, true, body
	}
	held, err := io.ReadAll(io.LimitReader(body, maxChecked+1))
	return held, err == nil && len(held) <= maxChecked, struct {
		io.Reader
		io.Closer
	}{io.MultiReader(bytes.NewReader(held), body), body} // which has no more, or fails again
}

var tooLarge = fmt.Sprintf("is larger than %d bytes, or broke off, and is not checked", maxChecked)

// readable returns a body without its content encoding, or why it cannot be read.
func readable(encoding string, body []byte, whole bool) (plain []byte, reason string) {
	if !whole {
		return nil, tooLarge
	}
	switch strings.ToLower(encoding) {
	case "", "identity":
		return body, ""
	case "gzip", "x-gzip":
		unzip, err := gzip.NewReader(bytes.NewReader(body))
		if err == nil {
			plain, err = io.ReadAll(io.LimitReader(unzip, maxChecked+1))
		}
		if err != nil {
			return nil, "is not gzip, as it says, and is not checked"
		}
		return readable("", plain, len(plain) <= maxChecked)
	}
	return nil, fmt.Sprintf("is encoded as %.20q and is not checked", encoding)
}
