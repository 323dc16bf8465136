package proxy

import (
	"bytes"
	"cmp"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/sharelinks-dev/sharelinks/internal/redact"
)

const (
	maxRecord = 64 << 20 // bytes of the record
	harHead   = `{"log":{"version":"1.2","creator":{"name":"sharelinks proxy","version":"1"},"entries":[`
	harTail   = "\n]}}\n"
	hidden    = "..." // in the place of a secret
)

// recorder writes exchanges as HAR 1.2. Each is written over the end of the file together with a new end, so the file is
// whole after each, however the process dies, and nothing is kept in memory.
type recorder struct {
	upstream string
	names    map[string]bool // of secrets, as the document marks them

	mu      sync.Mutex
	file    io.WriterAt
	end     int64 // where harTail is
	max     int64
	skipped int   // exchanges for which there was no room
	err     error // why nothing is written any more
}

func newRecorder(file io.WriterAt, upstream string, names map[string]bool) *recorder {
	_, err := file.WriteAt([]byte(harHead+harTail), 0)
	return &recorder{upstream: upstream, names: names, file: file, end: int64(len(harHead)), max: maxRecord, err: err}
}

// state returns how many exchanges had no room in the record, and why it broke off, nil if it did not.
func (r *recorder) state() (skipped int, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.skipped, r.err
}

// record writes one exchange.
func (r *recorder) record(x *exchange, response *http.Response, took time.Duration) {
	entry, _ := json.Marshal(r.entry(x, response, took)) // it has only what JSON has
	r.mu.Lock()
	defer r.mu.Unlock()
	separator := ",\n"
	if r.end == int64(len(harHead)) {
		separator = "\n"
	}
	entry = append([]byte(separator), entry...)
	end := r.end + int64(len(entry))
	switch {
	case r.err != nil:
	case end+int64(len(harTail)) > r.max:
		r.skipped++
	default:
		if _, r.err = r.file.WriteAt(append(entry, harTail...), r.end); r.err == nil {
			r.end = end
		}
	}
}

type object = map[string]any

// entry returns an exchange as HAR has it. Of an operation that the contract does not have it keeps no values: nobody knows
// which of them are secrets.
func (r *recorder) entry(x *exchange, response *http.Response, took time.Duration) object {
	params := object{}
	for name, value := range x.params {
		params[name] = value
	}
	sent, got := decode(x.sent), decode(x.got)
	query, asked, answered := objectOf(x.request.URL.Query()), objectOf(x.request.Header), objectOf(response.Header)
	c := &cleaner{names: r.names, all: x.operation == nil}
	c.collect([]any{params, sent, got, query, asked, answered}, false)
	slices.SortFunc(c.values, func(a, b string) int { return cmp.Compare(len(b), len(a)) }) // one may begin with another

	path := foldPath(x.request.URL.Path)
	if x.operation != nil {
		path = x.operation.Path
		for name, value := range c.clean(params, false).(object) {
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value.(string)))
		}
	}
	address, separator, parameters := strings.TrimSuffix(r.upstream, "/")+path, "?", c.pairs(query)
	for _, p := range parameters {
		address += separator + url.QueryEscape(p["name"].(string)) + "=" + url.QueryEscape(p["value"].(string))
		separator = "&"
	}
	ms := float64(took.Microseconds()) / 1000
	return object{
		"startedDateTime": x.start.UTC().Format("2006-01-02T15:04:05.000Z07:00"),
		"time":            ms,
		"timings":         object{"send": 0, "wait": ms, "receive": 0},
		"cache":           object{},
		"request": object{
			"method": redact.Method(x.request.Method), "url": address, "httpVersion": x.request.Proto,
			"headers": c.pairs(asked), "queryString": parameters, "cookies": []any{}, "headersSize": -1, "bodySize": len(x.sent),
			"postData": object{"mimeType": c.text(x.request.Header.Get("Content-Type")), "text": c.body(sent)},
		},
		"response": object{
			"status": response.StatusCode, "statusText": http.StatusText(response.StatusCode), "httpVersion": response.Proto,
			"headers": c.pairs(answered), "redirectURL": "", "cookies": []any{}, "headersSize": -1, "bodySize": response.ContentLength,
			"content": object{"size": len(x.got), "mimeType": c.text(response.Header.Get("Content-Type")), "text": c.body(got)},
		},
	}
}

// decode returns a JSON value, nil for anything else.
func decode(body []byte) (value any) {
	if json.Valid(body) {
		numbers := json.NewDecoder(bytes.NewReader(body))
		numbers.UseNumber()
		_ = numbers.Decode(&value) // it is valid
	}
	return value
}

func objectOf(lists map[string][]string) object {
	o := object{}
	for name, list := range lists {
		values := make([]any, len(list))
		for i, v := range list {
			values[i] = v
		}
		o[name] = values
	}
	return o
}

// cleaner takes the secrets out of one exchange: what has the name of a secret, and then the same text wherever else it is.
type cleaner struct {
	names  map[string]bool
	all    bool // whether every value may be a secret
	values []string
}

// secretName finds the names of secrets among headers, and among fields that the document does not have.
var secretName = regexp.MustCompile(`(?i)token|secret|password|credential|cookie|auth|jwt|referer|key$`)

func (c *cleaner) isSecret(name string) bool {
	return c.all || c.names[name] || secretName.MatchString(name)
}

// maxSecrets bounds how many secrets are looked for, because every text is searched for each. A page of links has a hundred; of
// an exchange with as many as this no value is kept.
const maxSecrets = 500

// collect keeps the secrets that are long enough to be found by their text: their last word, for one that comes after a
// scheme such as Bearer.
func (c *cleaner) collect(value any, secret bool) {
	if len(c.values) == maxSecrets {
		return
	}
	switch value := value.(type) {
	case string:
		if word := value[strings.LastIndexByte(value, ' ')+1:]; secret && len(word) >= 8 {
			c.values = append(c.values, word)
			c.all = c.all || len(c.values) == maxSecrets
		}
	case []any:
		for _, v := range value {
			c.collect(v, secret)
		}
	case object:
		for name, v := range value {
			c.collect(v, secret || c.isSecret(name))
		}
	}
}

// clean returns a value without secrets.
func (c *cleaner) clean(value any, secret bool) any {
	switch v := value.(type) {
	case string:
		if !secret {
			return c.text(v)
		}
		return hidden
	case json.Number:
		if secret {
			return hidden
		}
	case []any:
		list := make([]any, len(v))
		for i := range v {
			list[i] = c.clean(v[i], secret)
		}
		return list
	case object:
		o := object{}
		for name, field := range v {
			o[c.text(name)] = c.clean(field, secret || c.isSecret(name))
		}
		return o
	}
	return value
}

// text returns a text without the secrets that were collected, and without what looks like one.
func (c *cleaner) text(s string) string {
	for _, v := range c.values {
		s = strings.ReplaceAll(s, v, hidden)
	}
	return redact.Secrets(s)
}

// body returns a decoded body as text. One that is not JSON is left out: its secrets have no name to be found by.
func (c *cleaner) body(value any) string {
	if value == nil || c.all {
		return ""
	}
	text, _ := json.Marshal(c.clean(value, false)) // it was decoded from JSON
	return string(text)
}

// pairs returns headers or parameters as HAR has them.
func (c *cleaner) pairs(values object) []object {
	pairs := []object{}
	cleaned := c.clean(values, false).(object)
	for _, name := range slices.Sorted(maps.Keys(cleaned)) {
		for _, v := range cleaned[name].([]any) {
			pairs = append(pairs, object{"name": name, "value": v})
		}
	}
	return pairs
}
