package main

import (
	"fmt"
	"os"
	"runtime"
	"strings"
	"syscall"
	"time"
)

// measurement is what one process did between begin and end.
type measurement struct {
	Records    uint64
	ValueBytes uint64        // of the Kafka records' values
	Wall       time.Duration // on a machine that others may use
	CPU        time.Duration // user and system time of the whole process
	Allocs     uint64
	AllocBytes uint64
	PeakBytes  uint64 // largest resident set of the process's life; 0 where the system does not tell
}

// perRecord is total divided by the records.
func (m measurement) perRecord(total float64) float64 { return total / float64(max(m.Records, 1)) }

// cpuMicros is the CPU time of one record in microseconds.
func (m measurement) cpuMicros() float64 { return m.perRecord(float64(m.CPU.Nanoseconds()) / 1000) }

// rate is in records per second.
func (m measurement) rate() float64 { return float64(m.Records) / m.Wall.Seconds() }

// meter measures its own process.
type meter struct {
	at  time.Time
	cpu time.Duration
	mem runtime.MemStats
}

func begin() *meter {
	m := &meter{at: time.Now(), cpu: cpuTime()}
	runtime.ReadMemStats(&m.mem)
	return m
}

func (m *meter) end(records, valueBytes uint64) measurement {
	wall, cpu := time.Since(m.at), cpuTime()-m.cpu
	var mem runtime.MemStats
	runtime.ReadMemStats(&mem)
	return measurement{Records: records, ValueBytes: valueBytes, Wall: wall, CPU: cpu, Allocs: mem.Mallocs - m.mem.Mallocs,
		AllocBytes: mem.TotalAlloc - m.mem.TotalAlloc, PeakBytes: peakBytes()}
}

func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(fmt.Sprintf("getrusage of this process: %v", err)) // it has no cause to fail
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// peakBytes reads VmHWM. Rusage's Maxrss is not used: a process inherits it from the one that started it.
func peakBytes() uint64 {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0 // not Linux
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kib uint64
	if _, err := fmt.Sscan(rest, &kib); err != nil {
		return 0
	}
	return kib << 10
}
