package main

import "syscall"

// deathSignal leaves no peer behind when this program is killed. It is sent when the thread that started the process ends,
// which Go's threads do with the program.
func deathSignal() *syscall.SysProcAttr { return &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} }
