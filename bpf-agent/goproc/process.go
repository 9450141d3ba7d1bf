package goproc

import "time"

// Process is a process that runs a Go binary, or seems to.
type Process struct {
	// ID is the pid and the start time in clock ticks since boot, "4242-117733".
	ID         string
	PID        int
	Started    time.Time
	Executable string // as /proc/PID/exe reads
	Identity   Identity
	Binary     *Binary // nil when refused
	// LoadBias is what is added to linked addresses; 0 but for PIE.
	LoadBias uint64
	// Refused says why the process can't be watched; nil when it can.
	Refused error
}

// Identity is who a process is, to its owner.
type Identity struct {
	Service  string
	Version  string
	Revision string
	Modified bool
}
