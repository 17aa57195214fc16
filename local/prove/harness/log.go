package harness

import (
	"bytes"
	"regexp"
	"strconv"
	"sync"
)

// Log keeps everything written to it. The zero value is empty and ready; it is safe for concurrent use.
type Log struct {
	mu sync.Mutex
	b  bytes.Buffer
}

// Write appends p and never fails.
func (l *Log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// String returns what was written so far; the last line may be incomplete where a process writes it.
func (l *Log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// stopLine is a line of the text log that says that partitions are no longer consumed.
var stopLine = regexp.MustCompile(`msg="partitions stopped: nothing more is read from them" stream=\w+ partitions=(\d+)`)

// Stopped returns how many partitions the log says were stopped.
func (l *Log) Stopped() (n int) {
	for _, match := range stopLine.FindAllStringSubmatch(l.String(), -1) {
		partitions, _ := strconv.Atoi(match[1]) // digits
		n += partitions
	}
	return n
}
