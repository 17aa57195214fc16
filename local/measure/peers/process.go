package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"
)

// process is a peer that runs.
type process struct {
	cmd   *exec.Cmd
	ended chan error
	dead  bool
}

// taken is what a process has taken so far.
type taken struct {
	at   time.Time
	cpu  time.Duration // user and system time
	peak uint64        // largest resident set, in bytes
}

// start starts a command that ends with this program, however that ends.
func start(cmd *exec.Cmd, log io.Writer) (*process, error) {
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = deathSignal()
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	p := &process{cmd: cmd, ended: make(chan error, 1)}
	go func() { p.ended <- cmd.Wait() }()
	return p, nil
}

// kill is kill -9. Whether the process had ended by itself does not matter.
func (p *process) kill() {
	if !p.dead {
		_ = p.cmd.Process.Signal(syscall.SIGKILL) // an error says that it has ended
		_ = <-p.ended                             // that it was killed
		p.dead = true
	}
}

// alive returns an error if the process has ended, as no peer does by itself.
func (p *process) alive() error {
	select {
	case err := <-p.ended:
		p.dead = true
		return errors.Join(errors.New("ended by itself; --logs DIR keeps what it says"), err)
	default:
		return nil
	}
}

// ticksPerSecond is the unit of times in /proc/PID/stat, which Linux has fixed for programs.
const ticksPerSecond = 100

// taken reads what the process has taken.
func (p *process) taken() (taken, error) {
	dir := "/proc/" + strconv.Itoa(p.cmd.Process.Pid)
	stat, err := os.ReadFile(dir + "/stat")
	if err != nil {
		return taken{}, err
	}
	status, err := os.ReadFile(dir + "/status")
	if err != nil {
		return taken{}, err
	}
	t, err := parseTaken(stat, status)
	t.at = time.Now()
	return t, err
}

// parseTaken reads utime and stime, the 14th and 15th field, and VmHWM.
func parseTaken(stat, status []byte) (t taken, err error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:]) // the name may hold blanks and parentheses
	if len(fields) < 13 {
		return t, fmt.Errorf("found %d fields in /proc/PID/stat behind the name; want 13 or more", len(fields))
	}
	var ticks uint64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseUint(string(f), 10, 64)
		if err != nil {
			return t, fmt.Errorf("read /proc/PID/stat: %w", err)
		}
		ticks += n
	}
	t.cpu = time.Duration(ticks) * time.Second / ticksPerSecond
	_, rest, _ := bytes.Cut(status, []byte("VmHWM:"))
	var kib uint64
	if _, err := fmt.Sscan(string(rest), &kib); err != nil {
		return t, fmt.Errorf("read VmHWM in /proc/PID/status: %w", err)
	}
	t.peak = kib << 10
	return t, nil
}

// command is a command with more variables in its environment; the context kills it.
func command(ctx context.Context, env map[string]string, name string, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Env = os.Environ()
	for k, v := range env {
		cmd.Env = append(cmd.Env, k+"="+v)
	}
	return cmd
}
