package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
)

// served is tidemark's command, running, with its metrics.
type served struct {
	cmd   *exec.Cmd
	addr  string
	ended chan error // its end, once
}

// serveCommand starts the command and returns when it serves its metrics. What it logs goes to standard error from
// warnings on. The context kills it.
func serveCommand(ctx context.Context, program string, env map[string]string) (*served, error) {
	cmd := exec.CommandContext(ctx, program, "run")
	cmd.Env = os.Environ()
	for k, v := range env {
		if _, set := os.LookupEnv(k); !set {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	logs, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", program, err)
	}
	s := &served{cmd: cmd, ended: make(chan error, 1)}
	addr := make(chan string, 1)
	go func() {
		follow(logs, addr)
		s.ended <- cmd.Wait() // the log ends with the process
	}()
	select {
	case s.addr = <-addr:
		return s, nil
	case err := <-s.ended:
		return nil, errors.Join(errors.New("tidemark ended before it served its metrics"), err)
	}
}

// follow reads a log to its end and sends the address of the metrics.
func follow(logs io.Reader, addr chan<- string) {
	for lines := bufio.NewScanner(logs); lines.Scan(); {
		if _, at, found := strings.Cut(lines.Text(), `"serving metrics and status" addr=`); found {
			addr <- at
		}
		if !strings.Contains(lines.Text(), "level=INFO") {
			fmt.Fprintln(os.Stderr, lines.Text())
		}
	}
}

// kill ends the process at once.
func (s *served) kill() error {
	if err := s.cmd.Process.Kill(); err != nil {
		return err
	}
	<-s.ended // which says that it was killed
	return nil
}

// metrics returns the sums of the named metrics over their labels.
func (s *served) metrics(ctx context.Context, names ...string) (map[string]float64, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.addr+"/metrics", nil)
	if err != nil {
		return nil, err
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close() // nothing is lost by a failing Close of a reader
	text, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, fmt.Errorf("read metrics: %w", err)
	}
	return sums(string(text), names), nil
}

// sums adds up the samples of the named metrics.
func sums(text string, names []string) map[string]float64 {
	all := make(map[string]float64)
	for line := range strings.Lines(text) {
		name, value, found := strings.Cut(strings.TrimSpace(line), " ")
		if labels := strings.IndexByte(line, '{'); labels >= 0 {
			name, value, found = line[:labels], strings.TrimSpace(line[strings.LastIndexByte(line, '}')+1:]), true
		}
		n, err := strconv.ParseFloat(value, 64)
		if !found || err != nil { // a comment
			continue
		}
		for _, wanted := range names {
			if name == wanted {
				all[name] += n
			}
		}
	}
	return all
}
