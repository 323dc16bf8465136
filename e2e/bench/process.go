package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// process is a running server.
type process struct {
	url  string
	pid  int
	stop func() // ends it and waits for its end
}

// ready is the line of a server that is ready: stub prints its URL alone.
var ready = regexp.MustCompile(`(?:listening on |^)(http://127\.0\.0\.1:\d+)\s*$`)

// start runs a server and waits until it says that it is ready. It ends with ctx, or when stop is called.
func start(ctx context.Context, home string, command ...string) (*process, error) {
	return startAt(ctx, home, "", command...)
}

// startAt is start for a server that does not say when it is ready, but where it will be.
func startAt(ctx context.Context, home, address string, command ...string) (*process, error) {
	ctx, cancel := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	// The caller's own settings must not reach what is measured.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + home, "SHARELINKS_API_KEY=" + key, "NO_COLOR=1"}
	var log bytes.Buffer // shown when it does not start
	cmd.Stderr = &log
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = 20 * time.Second // then it is killed
	// A Ctrl-C is for this program, which then ends the server; the server must not be faster.
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	stdout, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		cancel()
		return nil, err
	}
	p := &process{pid: cmd.Process.Pid}
	ended := make(chan struct{})
	p.stop = func() {
		cancel()
		<-ended
	}
	url := make(chan string, 1)
	if address != "" {
		go func() {
			for ctx.Err() == nil {
				if conn, err := net.Dial("tcp", address); err == nil {
					_ = conn.Close()
					url <- "http://" + address
					return
				}
				time.Sleep(20 * time.Millisecond)
			}
		}()
	}
	go func() {
		lines := bufio.NewScanner(stdout)
		for lines.Scan() {
			if m := ready.FindStringSubmatch(lines.Text()); m != nil {
				url <- m[1]
				break
			}
		}
		_, _ = io.Copy(io.Discard, stdout) // a full pipe would stop it
		_ = cmd.Wait()
		close(ended)
	}()
	select {
	case p.url = <-url:
		return p, nil
	case <-ended:
		err = errors.New("it ended")
	case <-time.After(time.Minute):
		err = errors.New("it is not ready after a minute")
	}
	p.stop()
	return nil, fmt.Errorf("start %s: %w\n%s", command[0], err, &log)
}

// usage is what a process has used.
type usage struct {
	cpu  time.Duration // all of its threads, in user and system mode
	peak float64       // memory, MiB
}

func (p *process) usage() (u usage, err error) {
	stat, err := os.ReadFile(p.file("stat"))
	if err != nil {
		return u, err
	}
	// The name of the program is in parentheses and may have blanks. Linux counts in hundredths of a second here, see proc(5).
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	for _, field := range fields[11:13] {
		ticks, err := strconv.Atoi(field)
		if err != nil {
			return u, err
		}
		u.cpu += time.Duration(ticks) * 10 * time.Millisecond
	}
	kib, err := procNumber(p.file("status"), "VmHWM:")
	u.peak = float64(kib) / 1024
	return u, err
}

// forgetPeak begins the peak of the memory anew.
func (p *process) forgetPeak() error { return os.WriteFile(p.file("clear_refs"), []byte("5"), 0) }

func (p *process) file(name string) string { return fmt.Sprintf("/proc/%d/%s", p.pid, name) }

// procNumber returns the number after a name in a file of /proc.
func procNumber(file, name string) (int, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(text), name)
	number, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	return strconv.Atoi(number)
}
