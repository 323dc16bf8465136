package redact

import (
	"context"
	"errors"
	"fmt"
	"net"
	"testing"
)

func TestKnown(t *testing.T) {
	t.Parallel()
	const secret = `a"b&c\d`
	for in, want := range map[string]string{
		"Bearer " + secret:               "Bearer ...",
		fmt.Sprintf("%q", "x"+secret):    `"x..."`,
		`{"k":"a\"b\u0026c\\d"}`:         `{"k":"..."}`,
		"/?k=a%22b%26c%5Cd":              "/?k=...",
		"sh_2kL9pQxYzR4vN8mBwHfJc, none": "sh_..., none",
	} {
		if got := Known(in, secret, ""); got != want {
			t.Errorf("%s: %s, want %s", in, got, want)
		}
	}
}

func TestError(t *testing.T) {
	t.Parallel()
	cause := &net.OpError{Op: "the-key", Err: context.Canceled}
	err := Error(fmt.Errorf("bad line: %w", cause), "the-key")
	if found, ok := errors.AsType[*net.OpError](err); !errors.Is(err, context.Canceled) || !ok || found != cause {
		t.Errorf("%v hides what it is", err)
	}
	if got := fmt.Sprintf("%v, %+v, %v", err, err, errors.Unwrap(err)); got != "bad line: ...: context canceled, bad line: ...: context canceled, <nil>" {
		t.Error(got)
	}
	if err := Error(nil, "the-key"); err != nil {
		t.Error(err)
	}
}

func TestSecrets(t *testing.T) {
	t.Parallel()
	for in, want := range map[string]string{
		"":                                   "",
		"nothing to hide":                    "nothing to hide",
		"/share/sh_2kL9pQxYzR4vN8mBwHfJc/x":  "/share/sh_.../x",
		"sh_2kL9pQxYz cut":                   "sh_... cut",
		"key=ak_2kL9pQxYzR4vN8mBwHfJc,sh_ok": "key=ak_...,sh_ok",
		"sh_2kL9pQxYzR4vN8mBwHfJcsh_2kL9pQxYzR4vN8mBwHfJc": "sh_...",
	} {
		if got := Secrets(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
	if got := Method("ak_2kL9pQxYzR4vN8mBwHfJcXXXX"); got != "ak_..." {
		t.Error(got)
	}
}
