package goproc

import "time"

// Release is a version of a service, as first seen running.
type Release struct {
	Service, Version string
	Revision         string
	Modified         bool
	Previous         string // the version of the same service seen before; "" for the first
	First            time.Time
	Last             time.Time // when its last process ended; zero while one runs
	Running          int       // processes that run it now
}

// Ledger records which versions of which services were seen, and when.
type Ledger struct{}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger { return &Ledger{} }

// Observe records that a process runs. It reports whether its release is new.
func (l *Ledger) Observe(p *Process, at time.Time) bool { return false }

// Ended records that a process ended.
func (l *Ledger) Ended(p *Process, at time.Time) {}

// Releases are all seen so far, by First.
func (l *Ledger) Releases() []Release { return nil }
