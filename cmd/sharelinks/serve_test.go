package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"io"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// serveUntilReady runs serve until it is ready, calls then with what it printed to standard error, and stops it.
func serveUntilReady(t *testing.T, variables map[string]string, then func(printed string), flags ...string) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var stderr bytes.Buffer
	ready, stdout := io.Pipe()
	p := testProgram(nil, &stderr)
	p.stdout = stdout
	p.getenv = func(name string) string { return variables[name] }
	exit := make(chan int, 1)
	go func() {
		exit <- p.run(ctx, append([]string{"serve", "--database", "sqlite:" + filepath.Join(t.TempDir(), "links.db")}, flags...))
		_ = stdout.Close()
	}()
	line := make([]byte, 1000)
	if n, err := ready.Read(line); err != nil || !bytes.HasPrefix(line[:n], []byte("listening on ")) {
		t.Errorf("not ready: %s: %v", line[:n], err)
	} else {
		then(stderr.String())
	}
	stop()
	if code := <-exit; code != 0 {
		t.Errorf("exit %d: %s", code, &stderr)
	}
}

// writeCertificate writes a self-signed certificate for 127.0.0.1 and example.com, and its key.
func writeCertificate(t *testing.T) (certificate, key string) {
	t.Helper()
	server := httptest.NewTLSServer(nil)
	defer server.Close()
	pair := server.TLS.Certificates[0]
	private, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for name, block := range map[string]*pem.Block{
		"cert.pem": {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		"key.pem":  {Type: "PRIVATE KEY", Bytes: private},
	} {
		if err := os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
}

var curl = regexp.MustCompile(`(?ms)^curl .*?^'\n`)

// The request that the first start prints works as pasted in any directory, wherever the server listens and whatever its public
// URL is.
func TestPrintedRequest(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("NOT TESTED: curl is missing")
		}
		t.Skip("NOT TESTED: curl is missing")
	}
	here, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	relative := func(path string) string {
		path, err := filepath.Rel(here, path)
		if err != nil {
			t.Fatal(err)
		}
		return path
	}
	certificate, key := writeCertificate(t)
	tls := []string{"--addr", "127.0.0.1:0", "--tls-cert", relative(certificate), "--tls-key", key}
	for name, flags := range map[string][]string{
		"plain":                 {"--addr", "127.0.0.1:0"},
		"everywhere":            {"--addr", ":0"},
		"key of its own":        {"--addr", "127.0.0.1:0"},
		"behind a proxy":        {"--addr", "127.0.0.1:0", "--public-url", "https://links.invalid/x/"},
		"socket":                {"--addr", "unix:" + relative(filepath.Join(t.TempDir(), "it's.sock")), "--public-url", "https://links.invalid"},
		"TLS":                   tls,
		"TLS with a public URL": append(tls, "--public-url", "https://example.com/x"),
	} {
		variables := map[string]string{}
		if name == "key of its own" {
			variables["SHARELINKS_API_KEY"] = "a-key-of-this-test"
		}
		serveUntilReady(t, variables, func(printed string) {
			cmd := exec.CommandContext(t.Context(), "sh", "-c", curl.FindString(printed))
			cmd.Env = append(os.Environ(), "SHARELINKS_API_KEY="+variables["SHARELINKS_API_KEY"])
			out, err := cmd.Output()
			if err != nil || !strings.Contains(string(out), `"token":"sh_`) || !strings.Contains(string(out), `"usageLimit":10`) {
				t.Errorf("%s: %v: %s\n%s", name, err, out, printed)
			}
			if strings.Contains(printed, "../") {
				t.Errorf("%s: it works in one directory only:\n%s", name, printed)
			}
		}, flags...)
	}
}

// It says where personas come from. Those of an account with Anam are not known, so nothing asks for a link to one.
func TestServeSaysWherePersonasComeFrom(t *testing.T) {
	t.Parallel()
	for personas, want := range map[string]string{
		"local": `"source":"this database, where sharelinks persona add puts them"`,
		"any":   `"source":"nowhere: every id is accepted"`,
		"":      `"source":"the account of SHARELINKS_ANAM_API_KEY with Anam, at http://anam.invalid"`,
	} {
		variables := map[string]string{
			"SHARELINKS_ANAM_API_KEY": "a-key-of-anam", "SHARELINKS_ANAM_URL": "http://anam.invalid", "SHARELINKS_PERSONAS": personas,
		}
		serveUntilReady(t, variables, func(printed string) {
			if strings.Count(printed, want) != 1 || strings.Contains(printed, "a-key-of-anam") || !strings.Contains(printed, "\n    ak_") {
				t.Errorf("%s is not in %s", want, printed)
			}
			if known := personas != ""; strings.Contains(printed, "curl ") != known || strings.Contains(printed, "Cara") != known {
				t.Error(printed)
			}
		}, "--addr", "127.0.0.1:0")
	}
}
