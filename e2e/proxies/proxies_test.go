package proxies

import (
	"bufio"
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sharelinks-dev/sharelinks/client"
	"github.com/sharelinks-dev/sharelinks/internal/pgtest"
)

const (
	public = "https://links.example.com"
	key    = "a-key-for-the-proxies"
	cara   = "00000000-0000-0000-0000-000000000000"
	// patience is how long the tests wait for what takes a moment on an idle machine.
	patience = 30 * time.Second
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// proxy is one of the proxies that deploy has a configuration of.
type proxy struct {
	program string
	file    string
	socket  string // how the file writes the path of a Unix socket
	// settings are pairs: what the file says, and what stands there in the test.
	settings func(t *testing.T, dir string, ports map[string]int) []string
	// around is the rest of a configuration; %s is the file.
	around string
	// args are those of the program, run in the directory of the configuration.
	args []string
	// losesBodies says that it cannot repeat a request with a body: then the client must.
	losesBodies bool
}

var nginx = proxy{
	program: "nginx",
	file:    "nginx.conf",
	socket:  "unix:",
	settings: func(t *testing.T, dir string, ports map[string]int) []string {
		writeCertificate(t, dir)
		return []string{
			"listen 443", fmt.Sprint("listen 127.0.0.1:", ports["https"]), "listen 80", fmt.Sprint("listen 127.0.0.1:", ports["http"]),
			"/etc/nginx/links.example.com", filepath.Join(dir, "links.example.com"),
		}
	},
	around: `daemon off; worker_processes 1; pid nginx.pid; error_log stderr warn; USER
events { worker_connections 256; }
http {
	access_log off;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi; uwsgi_temp_path uwsgi; scgi_temp_path scgi;
%s
}`,
	args: []string{"-e", "stderr", "-p", ".", "-c", "test.conf"},
}

var caddy = proxy{
	program: "caddy",
	file:    "Caddyfile",
	socket:  "unix/",
	settings: func(*testing.T, string, map[string]int) []string {
		return []string{"links.example.com {", "links.example.com {\n\tbind 127.0.0.1"}
	},
	around: "{\n\tadmin off\n\tskip_install_trust\n\tlocal_certs\n\thttp_port HTTP\n\thttps_port HTTPS\n}\n%s",
	args:   []string{"run", "--config", "test.conf", "--adapter", "caddyfile"},

	losesBodies: true,
}

func TestNginx(t *testing.T) { t.Parallel(); testProxy(t, nginx) }

func TestCaddy(t *testing.T) { t.Parallel(); testProxy(t, caddy) }

// Two servers on one database, one of them on a Unix socket, behind a proxy with the configuration that deploy has: links are
// created and opened, visitors cannot choose their address, and nothing idempotent fails while a server stops.
func testProxy(t *testing.T, p proxy) {
	program, err := exec.LookPath(p.program)
	if err != nil {
		if os.Getenv("CI") != "" {
			t.Fatalf("deploy/%s NOT TESTED: %s is missing", p.file, p.program)
		}
		t.Skipf("deploy/%s NOT TESTED: %s is missing", p.file, p.program)
	}
	dir, err := os.MkdirTemp("", "p") // the path of a socket is short
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	database, socket := pgtest.NewDatabase(t), filepath.Join(dir, "http.sock")
	one := startServer(t, dir, database, "127.0.0.1:0")
	two := startServer(t, dir, database, "unix:"+socket)
	ports := startProxy(t, p, program, dir, strings.TrimPrefix(one.at, "http://"), socket)

	secure := clientFrom(t, "127.0.0.1", ports["https"])
	awaitAnswer(t, secure)
	links, err := client.New(client.WithURL(public), client.WithKey(key), client.WithHTTPClient(secure))
	if err != nil {
		t.Fatal(err)
	}
	link, err := links.Create(t.Context(), client.CreateRequest{PersonaID: cara, UsageLimit: client.Unlimited()})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(link.URL, public+"/share/") {
		t.Errorf("the link is at %s", link.URL)
	}
	for path, status := range map[string]int{
		"/share/" + link.Token: 200, "/share/" + link.Token + "%20": 302, "/frame/nothing": 404, "/metrics": 404, "/readyz": 200,
	} {
		resp := send(t, secure, "GET", public+path, nil)
		if resp.StatusCode != status {
			t.Errorf("%s: %s, want %d", path, resp.Status, status)
		}
		if transport := resp.Header.Values("Strict-Transport-Security"); path != "/metrics" && len(transport) != 1 {
			t.Errorf("%s: Strict-Transport-Security is %q", path, transport)
		}
	}
	plain := clientFrom(t, "127.0.0.1", ports["http"])
	if resp := send(t, plain, "GET", strings.Replace(link.URL, "https:", "http:", 1), nil); resp.StatusCode/100 != 3 ||
		!strings.HasSuffix(resp.Header.Get("Location"), "/share/"+link.Token) || !strings.HasPrefix(resp.Header.Get("Location"), "https://") {
		t.Errorf("http: %s to %s", resp.Status, resp.Header.Get("Location"))
	}

	// Each visitor has the address that he has, whatever he says, on both servers.
	const opens = 8
	for i := range opens {
		visitor := clientFrom(t, fmt.Sprintf("127.7.%d.7", i), ports["https"])
		header := http.Header{"X-Forwarded-For": {"198.51.100.1, 203.0.113.9"}, "Forwarded": {"for=198.51.100.1"}, "X-Real-Ip": {"198.51.100.1"}}
		if resp := send(t, visitor, "POST", public+"/v1/share/"+link.Token+"/sessions", header); resp.StatusCode != http.StatusCreated {
			t.Errorf("open: %s", resp.Status)
		}
	}
	visits, err := links.Visits(t.Context(), link.ID, 1, 100)
	if err != nil {
		t.Fatal(err)
	}
	if len(visits.Data) != opens {
		t.Errorf("%d visits", len(visits.Data))
	}
	for i, v := range visits.Data {
		from := "nowhere"
		if v.Address != nil {
			from = *v.Address
		}
		if want := fmt.Sprintf("127.7.%d.0/24", opens-1-i); from != want {
			t.Errorf("a visit from %s, want %s", from, want)
		}
	}
	for _, s := range []*server{one, two} {
		if log := s.log.String(); strings.Count(log, "openShareLink")+strings.Count(log, "/sessions") == 0 || strings.Contains(log, "X-Forwarded-For") {
			t.Errorf("no open was answered by %s, or it warns:\n%s", s.at, log)
		}
	}

	stopUnderLoad(t, p, one, secure, links, link)
	if resp := send(t, secure, "GET", public+"/readyz", nil); resp.StatusCode != http.StatusOK {
		t.Errorf("with one server: %s", resp.Status)
	}
}

// stopUnderLoad stops a server while others ask: 4 read and change without a second try, 2 create as the client does it.
func stopUnderLoad(t *testing.T, p proxy, s *server, c *http.Client, links *client.Client, link client.ShareLink) {
	t.Helper()
	var answered, created atomic.Int64
	var group sync.WaitGroup
	ended := s.ended
	// more tells whether to go on: until the server is gone, and a while longer.
	more := func(done *int) bool {
		select {
		case <-ended:
			*done++
		default:
		}
		return *done < 50 && !t.Failed()
	}
	for i := range 4 {
		group.Go(func() {
			for done := 0; more(&done); answered.Add(1) {
				header, path, method, body := http.Header{"Authorization": {"Bearer " + key}}, "/v1/share-links/"+link.ID, "GET", ""
				switch i {
				case 1:
					header, path = nil, "/v1/share/"+link.Token
				case 2:
					path = "/v1/share-links?perPage=1"
				case 3:
					header.Set("Content-Type", "application/json")
					method, body = "PUT", `{"enabled": true}`
					if p.losesBodies {
						if _, err := links.Update(t.Context(), link.ID, client.UpdateRequest{Enabled: new(true)}); err != nil {
							t.Error(err)
						}
						continue
					}
				}
				r, err := http.NewRequestWithContext(t.Context(), method, public+path, strings.NewReader(body))
				if err != nil {
					t.Error(err)
					return
				}
				r.Header = header
				resp, err := c.Do(r)
				if err != nil {
					t.Error(err)
					return
				}
				text, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode != http.StatusOK {
					t.Errorf("%s %s: %s, %v: %s", method, path, resp.Status, err, text)
				}
			}
		})
	}
	before := total(t, links)
	for range 2 {
		group.Go(func() {
			for done := 0; more(&done); created.Add(1) {
				if _, err := links.Create(t.Context(), client.CreateRequest{PersonaID: cara}); err != nil {
					t.Errorf("create: %v", err)
				}
			}
		})
	}
	poll(t, "requests", func() bool { return answered.Load() > 100 && created.Load() > 20 })
	if err := s.process.Signal(syscall.SIGTERM); err != nil {
		t.Error(err)
	}
	group.Wait()
	<-ended
	if !s.state.Success() {
		t.Errorf("the server ended with %v:\n%s", s.state, s.log)
	}
	if after := total(t, links); after-before != int(created.Load()) {
		t.Errorf("%d creates made %d links", created.Load(), after-before)
	}
	t.Logf("%d reads and changes and %d creates while a server stopped", answered.Load(), created.Load())
}

func total(t *testing.T, links *client.Client) int {
	t.Helper()
	page, err := links.List(t.Context(), client.Filter{})
	if err != nil {
		t.Fatal(err)
	}
	return page.Meta.Total
}

// server is a running `sharelinks serve`.
type server struct {
	at      string // of its ready line
	process *os.Process
	log     *lockedBuffer
	ended   chan struct{}
	state   *os.ProcessState // once it has ended
}

func startServer(t *testing.T, dir, database, addr string) *server {
	t.Helper()
	binary := os.Getenv("SHARELINKS_BINARY")
	if binary == "" {
		t.Fatal("SHARELINKS_BINARY must name the binary; make proxies sets it")
	}
	cmd := exec.Command(binary, "serve", "--addr", addr, "--database", database, "--public-url", public, "--trusted-proxies", "127.0.0.1", "--rate-limit", "0")
	cmd.Env = environment(dir, "SHARELINKS_API_KEY="+key)
	cmd.Dir = dir
	s := &server{log: &lockedBuffer{}, ended: make(chan struct{})}
	cmd.Stderr = s.log
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	s.process = cmd.Process
	t.Cleanup(func() { _ = s.process.Kill(); <-s.ended })
	line, _ := bufio.NewReader(out).ReadString('\n')
	go func() {
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
		s.state = cmd.ProcessState
		close(s.ended)
	}()
	var ok bool
	if s.at, ok = strings.CutPrefix(strings.TrimSpace(line), "listening on "); !ok {
		t.Fatalf("no ready line but %q:\n%s", line, s.log)
	}
	return s
}

// startProxy starts a proxy in front of the servers and returns its ports.
func startProxy(t *testing.T, p proxy, program, dir, addr, socket string) map[string]int {
	t.Helper()
	file, err := os.ReadFile(filepath.Join("../../deploy", p.file))
	if err != nil {
		t.Fatal(err)
	}
	ports := map[string]int{"http": freePort(t), "https": freePort(t)}
	config := string(file)
	pairs := append(p.settings(t, dir, ports), "127.0.0.1:8081", addr, "127.0.0.1:8082", p.socket+socket)
	for i := 0; i < len(pairs); i += 2 {
		if !strings.Contains(config, pairs[i]) {
			t.Fatalf("deploy/%s has no %q", p.file, pairs[i])
		}
		config = strings.ReplaceAll(config, pairs[i], pairs[i+1])
	}
	user := "" // of nginx's workers, who must be let into the socket
	if os.Getuid() == 0 {
		user = "user root;"
	}
	around := strings.NewReplacer("USER", user, "HTTPS", strconv.Itoa(ports["https"]), "HTTP", strconv.Itoa(ports["http"])).Replace(p.around)
	if err := os.WriteFile(filepath.Join(dir, "test.conf"), fmt.Appendf(nil, around, config), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(program, p.args...)
	cmd.Dir, cmd.Env = dir, environment(dir)
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM)
		_ = cmd.Wait()
		if t.Failed() {
			t.Logf("%s\n%s", config, &log)
		}
	})
	return ports
}

func environment(dir string, more ...string) []string {
	return append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, more...)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// clientFrom returns a client that calls from an address, whatever the URL, the proxy on this port.
func clientFrom(t *testing.T, from string, port int) *http.Client {
	t.Helper()
	dialer := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(from)}}
	transport := &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, "tcp", fmt.Sprint("127.0.0.1:", port))
		},
		TLSClientConfig:   &tls.Config{InsecureSkipVerify: true},
		ForceAttemptHTTP2: true,
	}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

func send(t *testing.T, c *http.Client, method, url string, header http.Header) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header = header
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp
}

// awaitAnswer waits until the proxy has started.
func awaitAnswer(t *testing.T, c *http.Client) {
	t.Helper()
	poll(t, "the proxy", func() bool {
		resp, err := c.Get(public + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
}

func poll(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !done(); <-time.After(10 * time.Millisecond) {
		if time.Now().After(end) || t.Failed() {
			t.Fatalf("waited for %s", what)
		}
	}
}

// writeCertificate makes links.example.com.pem and .key.
func writeCertificate(t *testing.T, dir string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour), DNSNames: []string{"links.example.com"}}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	write := func(name, kind string, bytes []byte) error {
		return os.WriteFile(filepath.Join(dir, name), pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}), 0o600)
	}
	if err := errors.Join(write("links.example.com.pem", "CERTIFICATE", cert), write("links.example.com.key", "PRIVATE KEY", private)); err != nil {
		t.Fatal(err)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
