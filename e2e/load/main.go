// Command load measures creates through the whole server over loopback: wrk with 64 connections against the binary on
// SQLite, and against a bare Echo handler that decodes and encodes the same JSON, in turn on the same machine. It
// prints both, their ratio, and how many creates one durable commit carried. All of it ends by itself.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"github.com/sharelinks-dev/sharelinks/api"
)

const (
	key  = "a-key-for-the-load-test"
	body = `{"personaId":"00000000-0000-0000-0000-000000000000","expiresInHours":168,"usageLimit":10}`
)

func main() {
	binary := flag.String("binary", "bin/sharelinks", "the sharelinks binary to measure")
	database := flag.String("database", "", "database URL; empty is a new SQLite file that is removed afterwards")
	connections := flag.Int("connections", 64, "connections at a time")
	seconds := flag.Int("seconds", 10, "how long each of the two is measured, 1 to 60")
	bare := flag.Bool("bare", false, "serve the bare Echo handler (what this command starts by itself)")
	flag.Parse()
	var err error
	if *bare {
		err = serveBare()
	} else {
		err = measure(*binary, *database, *connections, min(max(*seconds, 1), 60))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

// serveBare is what the server is compared with: routing, one decode, one encode, nothing else.
func serveBare() error {
	e := echo.New()
	e.HideBanner, e.HidePort = true, true
	at := api.Timestamp{Time: time.Now()}
	limit := 10
	e.POST("/v1/share-links", func(c echo.Context) error {
		var r api.CreateShareLinkRequest
		if err := json.NewDecoder(c.Request().Body).Decode(&r); err != nil {
			return err
		}
		return c.JSON(http.StatusCreated, api.ShareLink{
			ID: r.PersonaID, Token: "sh_2kL9pQxYzR4vN8mBwHfJc", Type: api.ShareLinkTypeLink, ExpiresAt: &at, UsageLimit: &limit,
			AllowedOrigins: []string{}, Enabled: true, CreatedAt: at,
			URL: "http://127.0.0.1:8080/share/sh_2kL9pQxYzR4vN8mBwHfJc",
		})
	})
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	return http.Serve(listener, e) //nolint:gosec // loopback, for as long as the measurement
}

func measure(binary, database string, connections, seconds int) error {
	if _, err := exec.LookPath("wrk"); err != nil {
		return errors.New("wrk is missing; on Debian: apt-get install wrk")
	}
	dir, err := os.MkdirTemp("", "sharelinks-load-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	if database == "" {
		database = "sqlite:" + filepath.Join(dir, "load.db")
	}
	script := filepath.Join(dir, "create.lua")
	lua := "wrk.method='POST'\nwrk.body='" + body + "'\nwrk.headers['Content-Type']='application/json'\n" +
		"wrk.headers['Authorization']='Bearer " + key + "'\n"
	if err := os.WriteFile(script, []byte(lua), 0o600); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	rates := map[string]float64{}
	var batch float64
	for _, m := range []struct {
		name string
		cmd  *exec.Cmd
	}{
		{"bare Echo", exec.Command(self, "-bare")},
		{"sharelinks", exec.Command(binary, "serve", "--addr", "127.0.0.1:0", "--database", database, "--log-level", "error")},
	} {
		// The caller's own settings must not reach what is measured.
		m.cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir, "SHARELINKS_API_KEY=" + key}
		url, stop, err := start(m.cmd)
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		rates[m.name], err = wrk(url, script, connections, seconds)
		if err == nil && m.name == "sharelinks" {
			batch, err = meanBatch(url)
		}
		stop()
		if err != nil {
			return fmt.Errorf("%s: %w", m.name, err)
		}
		fmt.Printf("%-12s %9.0f creates a second\n", m.name, rates[m.name])
	}
	fmt.Printf("ratio        %9.2f\nmean batch   %9.1f creates a commit\n", rates["sharelinks"]/rates["bare Echo"], batch)
	return nil
}

// start runs a server that says "listening on URL" and returns that URL.
func start(cmd *exec.Cmd) (url string, stop func(), err error) {
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return "", nil, err
	}
	if err := cmd.Start(); err != nil {
		return "", nil, err
	}
	stop = func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "listening on ")
	if err != nil || !ok {
		stop()
		return "", nil, fmt.Errorf("no ready line but %q", line)
	}
	return url, stop, nil
}

var (
	rateLine   = regexp.MustCompile(`Requests/sec:\s+([0-9.]+)`)
	badAnswers = regexp.MustCompile(`Non-2xx or 3xx responses: (\d+)`)
)

// wrk returns the requests a second, or an error when some were refused: then there is nothing to compare.
func wrk(url, script string, connections, seconds int) (float64, error) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(seconds+30)*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "wrk", "-t1", "-c"+strconv.Itoa(connections), "-d"+strconv.Itoa(seconds)+"s",
		"-s", script, url+"/v1/share-links").CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("wrk: %w\n%s", err, out)
	}
	if m := badAnswers.FindSubmatch(out); m != nil {
		return 0, fmt.Errorf("%s requests were refused", m[1])
	}
	m := rateLine.FindSubmatch(out)
	if m == nil {
		return 0, fmt.Errorf("wrk printed no rate:\n%s", out)
	}
	return strconv.ParseFloat(string(m[1]), 64)
}

// meanBatch reads from /metrics how many writes a commit carried. It is 0 on PostgreSQL, which has no batches of ours.
func meanBatch(url string) (float64, error) {
	resp, err := http.Get(url + "/metrics") //nolint:gosec,noctx // the server that was just started
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		return 0, err
	}
	value := func(name string) (v float64) {
		if m := regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindSubmatch(b); m != nil {
			v, _ = strconv.ParseFloat(string(m[1]), 64)
		}
		return v
	}
	if n := value("sharelinks_store_batch_writes_count"); n > 0 {
		return value("sharelinks_store_batch_writes_sum") / n, nil
	}
	return 0, nil
}
