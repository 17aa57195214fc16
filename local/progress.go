package main

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// console writes log lines, and on a terminal keeps one line of progress below them. It is safe for concurrent use.
type console struct {
	mu       sync.Mutex
	out      io.Writer
	terminal bool
	line     string
}

func newConsole(f *os.File) *console {
	return &console{out: f, terminal: term.IsTerminal(int(f.Fd()))}
}

// Write implements io.Writer for whole lines, as loggers and line-buffered processes write them.
func (c *console) Write(p []byte) (int, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.terminal && c.line != "" {
		fmt.Fprint(c.out, "\r\x1b[K")
	}
	n, err := c.out.Write(p)
	if c.terminal && c.line != "" {
		fmt.Fprint(c.out, c.line)
	}
	return n, err
}

// progress replaces the line of progress; an empty one removes it.
func (c *console) progress(format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.terminal {
		return
	}
	c.line = fmt.Sprintf(format, args...)
	fmt.Fprint(c.out, "\r\x1b[K", c.line)
}

// say writes a line of our own.
func (c *console) say(format string, args ...any) {
	fmt.Fprintf(c, format+"\n", args...)
}

// phases are when the demo's parts ended.
type phases struct{ begin, produced, exported time.Time }

// String says how long each took, the verification until now.
func (p phases) String() string {
	tenths := func(d time.Duration) time.Duration { return d.Round(100 * time.Millisecond) }
	return fmt.Sprintf("%s: %s to produce, %s more until all was in BigQuery, %s to verify", tenths(time.Since(p.begin)),
		tenths(p.produced.Sub(p.begin)), tenths(p.exported.Sub(p.produced)), tenths(time.Since(p.exported)))
}
