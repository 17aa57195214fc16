package service

import (
	"os"
	"runtime/debug"
)

// programBytes is what the process needs beside its buffers: fetched records, parts being encoded, clients and Go's own.
// The pages of the program itself are not part of it; Go does not count them.
const programBytes = 64 << 20

// LimitMemory tells Go's garbage collector how much memory the configuration means the process to take: a quarter more
// than the buffers' budget, and what the rest needs. Without a limit the collector lets the heap grow to twice what is
// alive, and buffered rows are alive for long, so that the process would take twice the budget and more. The limit is
// soft: the collector works more often near it, and what is needed beyond it is still given.
//
// It is the process's, so a command calls it, once, and [Run] does not: tests run replicas next to emulators. GOMEMLIMIT,
// if set, wins; GOMEMLIMIT=off removes the limit.
func LimitMemory(cfg Config) {
	if os.Getenv("GOMEMLIMIT") != "" {
		return
	}
	debug.SetMemoryLimit(memoryLimit(int64(cfg.Buffer.Memory)))
}

func memoryLimit(budget int64) int64 { return budget + budget/4 + programBytes }
