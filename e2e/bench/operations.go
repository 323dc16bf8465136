package main

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

const key = "a-key-for-the-measurement"

// requests are what wrk sends, one after the other and then again from the first.
type requests struct {
	method, body string
	paths        []string
}

// create is the example of the contract.
var create = requests{
	method: http.MethodPost, paths: []string{"/v1/share-links"},
	body: `{"personaId":"00000000-0000-0000-0000-000000000000","expiresInHours":168,"usageLimit":10}`,
}

// operation is what is measured. Its name is the one for the flag, its title the one for readers.
type operation struct {
	name, title string
	requests    func(some) requests
}

// operations are in the order in which they are measured: those that leave rows behind come last.
var operations = []operation{
	{"get", "get by id", func(s some) requests { return each(http.MethodGet, "/v1/share-links/%s", s.ids) }},
	{"preview", "preview", func(s some) requests { return each(http.MethodGet, "/v1/share/%s", s.tokens) }},
	{"list", "list, first page", func(some) requests { return page(1) }},
	{"deep", "list, far page", func(s some) requests { return page(min(1000, (s.links+perPage-1)/perPage)) }},
	{"search", "search", func(s some) requests {
		return each(http.MethodGet, "/v1/share-links?search=%s", []string{url.QueryEscape(partOfName), s.tokens[0][:len("sh_")+8], "nobody"})
	}},
	{"open", "open, many links", func(s some) requests { return each(http.MethodPost, "/v1/share/%s/sessions", s.tokens) }},
	{"hot", "open, one link", func(s some) requests { return each(http.MethodPost, "/v1/share/%s/sessions", s.tokens[:1]) }},
	{"create", "create", func(some) requests { return create }},
}

func operationNames() (names []string) {
	for _, op := range operations {
		names = append(names, op.name)
	}
	return names
}

const perPage = 20

func page(n int) requests {
	return requests{method: http.MethodGet, paths: []string{fmt.Sprintf("/v1/share-links?page=%d&perPage=%d", n, perPage)}}
}

func each(method, path string, values []string) requests {
	r := requests{method: method}
	for _, v := range values {
		r.paths = append(r.paths, fmt.Sprintf(path, v))
	}
	return r
}

// try sends the first of the requests, for an error that shows the answer: wrk only counts refusals.
func (r requests) try(ctx context.Context, server string) error {
	req, err := http.NewRequestWithContext(ctx, r.method, server+r.paths[0], strings.NewReader(r.body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	if r.body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err == nil && resp.StatusCode >= 300 {
		err = fmt.Errorf("%s: %s", resp.Status, body)
	}
	return err
}
