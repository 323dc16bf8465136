package redact

import "testing"

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
