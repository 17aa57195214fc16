package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"
)

// taskVariable holds the task of a process that plays a role. It has no TIDEMARK_ prefix: tidemark would warn of it.
const taskVariable = "BENCH_TASK"

// task is what a process is told beside its role.
type task struct {
	Variant    variant
	Records    uint64
	Partitions int
	Nodes      int      // nodes of the broker's process; 0 means 1
	Dir        string   // of the broker's log
	Brokers    []string // of those who read
	Idle       time.Duration
	Profile    string // path of tidemark's profiles without their extensions; empty = none
}

// Roles that this program plays in processes of its own. Each writes one JSON value to standard output.
const (
	roleBroker   = "broker"   // address; goes on until standard input ends
	rolePoll     = "poll"     // measurement of ceiling A
	roleCompress = "compress" // measurement of ceiling B
	roleTidemark = "tidemark" // measurement
	roleIdle     = "idle"     // measurement of tidemark without records
	roleService  = "service"  // nothing; tidemark until standard input ends
)

func isRole(name string) bool {
	return slices.Contains([]string{roleBroker, rolePoll, roleCompress, roleTidemark, roleIdle, roleService}, name)
}

// playRole is main of a process that plays a role.
func playRole(name string) (code int) {
	var t task
	err := json.Unmarshal([]byte(os.Getenv(taskVariable)), &t)
	var result any
	if err == nil {
		switch name {
		case roleBroker:
			err = serveBroker(t)
		case rolePoll:
			result, err = poll(context.Background(), t, func(int) {})
		case roleCompress:
			result, err = pollAndCompress(context.Background(), t)
		case roleTidemark:
			result, err = export(context.Background(), t)
		case roleIdle:
			result, err = idle(context.Background(), t)
		case roleService:
			err = serve(context.Background())
		}
	}
	if err == nil && result != nil {
		err = json.NewEncoder(os.Stdout).Encode(result)
	}
	if err != nil {
		fmt.Fprintf(os.Stderr, "bench %s: %v\n", name, err)
		return 1
	}
	return 0
}

// command returns this program in a role.
func command(ctx context.Context, role string, t task, env map[string]string) (*exec.Cmd, error) {
	self, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("find this program: %w", err)
	}
	encoded, err := json.Marshal(t)
	if err != nil {
		return nil, err
	}
	cmd := exec.CommandContext(ctx, self, role)
	cmd.Env = append(os.Environ(), taskVariable+"="+string(encoded))
	for k, v := range env {
		if _, set := os.LookupEnv(k); !set {
			cmd.Env = append(cmd.Env, k+"="+v)
		}
	}
	cmd.Stderr = os.Stderr
	return cmd, nil
}

// play runs a process in a role to its end and returns what it measured.
func play(ctx context.Context, role string, t task, env map[string]string) (m measurement, err error) {
	cmd, err := command(ctx, role, t, env)
	if err != nil {
		return m, err
	}
	out, err := cmd.Output()
	if err != nil {
		return m, fmt.Errorf("run %s: %w", role, err)
	}
	if err := json.Unmarshal(out, &m); err != nil {
		return m, fmt.Errorf("read what %s measured: %w", role, err)
	}
	return m, nil
}

// background is a process that ends with its standard input.
type background struct {
	cmd    *exec.Cmd
	stdin  io.Closer
	stdout io.Reader
}

func start(ctx context.Context, role string, t task, env map[string]string) (*background, error) {
	cmd, err := command(ctx, role, t, env)
	if err != nil {
		return nil, err
	}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("start %s: %w", role, err)
	}
	return &background{cmd, stdin, stdout}, nil
}

func (b *background) close() error { return errors.Join(b.stdin.Close(), b.cmd.Wait()) }

// broker is a broker in a process of its own.
type broker struct {
	*background
	addrs []string
}

func startBroker(ctx context.Context, t task) (*broker, error) {
	process, err := start(ctx, roleBroker, t, nil)
	if err != nil {
		return nil, err
	}
	b := &broker{background: process}
	if err := json.NewDecoder(b.stdout).Decode(&b.addrs); err != nil {
		return nil, errors.Join(fmt.Errorf("read the broker's address: %w", err), b.close())
	}
	return b, nil
}
