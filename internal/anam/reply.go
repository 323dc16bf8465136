package anam

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

const (
	maxReply = 1 << 20  // bytes of a body, decompressed
	maxHead  = 64 << 10 // bytes of a head
)

// reply is a response of Anam.
type reply struct {
	status     int
	retryAfter string
	body       []byte // of a success only: of a refusal the status says enough
}

// errUnsent is returned when there was no connection that a request could have been sent on.
var errUnsent = errors.New("no connection to Anam")

// send sends one request. Without a reply that can be read there is an error, which shows no key.
func (c *Client) send(ctx context.Context, method, path string, body []byte) (reply, error) {
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return reply{}, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "application/json")
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil && !connected.Load() {
		return reply{}, redact.Error(fmt.Errorf("%w: %w", errUnsent, err), c.key)
	}
	if err != nil {
		return reply{}, redact.Error(err, c.key)
	}
	defer resp.Body.Close()
	r := reply{status: resp.StatusCode, retryAfter: resp.Header.Get("Retry-After")}
	if r.status < 300 {
		if r.body, err = readJSON(resp); err != nil {
			return reply{}, fmt.Errorf("%w: %w", r.problem(), redact.Error(err, c.key))
		}
	}
	return r, nil
}

// readJSON reads the body of a success. The context of the request ends it too.
func readJSON(resp *http.Response) ([]byte, error) {
	if resp.StatusCode < 200 { // the body of a 101 is the connection, which nothing ends
		return nil, errors.New("it switches to another protocol")
	}
	media, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	if media != "application/json" && !strings.HasSuffix(media, "+json") {
		return nil, errors.New("it is not sent as JSON")
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxReply+1))
	if err == nil && len(body) > maxReply {
		err = fmt.Errorf("it has more than %d bytes", maxReply)
	}
	return body, err
}

// problem is the reply as the log has it, without the body: its content is not known.
func (r reply) problem() error {
	return fmt.Errorf("answer of Anam: %d %s", r.status, http.StatusText(r.status))
}

// wait returns how long Anam says to wait, within bounds, or byDefault where it says nothing.
func (r reply) wait(byDefault time.Duration) time.Duration {
	seconds, err := strconv.ParseUint(r.retryAfter, 10, 31)
	if err != nil {
		return byDefault
	}
	return min(max(time.Duration(seconds)*time.Second, time.Second), maxRetry)
}
