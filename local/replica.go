package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"

	"tidemark/service"
)

// replica is one running tidemark.
type replica interface {
	// signal asks it to hand over (SIGTERM), or does worse to it.
	signal(os.Signal) error
	// done is closed when it has ended; err says how.
	done() <-chan struct{}
	err() error
}

// goroutine is a replica inside this process: it can only be asked to hand over.
type goroutine struct {
	stop  context.CancelFunc
	ended chan struct{}
	cause error
}

func startGoroutine(ctx context.Context, env map[string]string, logs io.Writer) (*goroutine, error) {
	cfg, err := configFrom(env)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	g := &goroutine{stop: cancel, ended: make(chan struct{})}
	go func() {
		defer close(g.ended)
		g.cause = service.Run(ctx, cfg, service.NewLogger(logs, cfg.Service))
	}()
	return g, nil
}

func (g *goroutine) signal(os.Signal) error { g.stop(); return nil }
func (g *goroutine) done() <-chan struct{}  { return g.ended }
func (g *goroutine) err() error             { return g.cause }

// process is a replica in a process of its own: this program again, called as replicaCommand. It can be killed.
type process struct {
	cmd   *exec.Cmd
	ended chan struct{}
	cause error
}

const replicaCommand = "replica"

func startProcess(env map[string]string, logs io.Writer) (*process, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	p := &process{cmd: exec.Command(self, replicaCommand), ended: make(chan struct{})}
	p.cmd.Env = os.Environ()
	for k, v := range env {
		p.cmd.Env = append(p.cmd.Env, k+"="+v)
	}
	p.cmd.Stdout, p.cmd.Stderr = logs, logs
	// Ctrl-C goes to the whole foreground group; this process decides when its replicas stop.
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := p.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start replica: %w", err)
	}
	go func() {
		defer close(p.ended)
		p.cause = p.cmd.Wait()
		if status, ok := p.cmd.ProcessState.Sys().(syscall.WaitStatus); ok && status.Signal() == syscall.SIGTERM {
			p.cause = nil // asked to stop before it could listen to signals
		}
	}()
	return p, nil
}

func (p *process) signal(s os.Signal) error {
	if err := p.cmd.Process.Signal(s); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	return nil
}
func (p *process) done() <-chan struct{} { return p.ended }
func (p *process) err() error            { return p.cause }

// configFrom reads the configuration as production does: from the environment.
func configFrom(env map[string]string) (service.Config, error) {
	for k, v := range env {
		if err := os.Setenv(k, v); err != nil {
			return service.Config{}, err
		}
	}
	cfg, _, err := service.ReadConfig()
	return cfg, err
}
