package goproc

import (
	"context"
	"log/slog"
)

// Selection says which processes to look at. A process is selected when any
// of its parts says so.
type Selection struct {
	PIDs  []int
	Globs []string // of the executable's path; without a slash, of its base name
	Ports []int    // TCP ports it listens on
	All   bool     // every Go process but the agent itself
}

// EventKind says what happened to a process.
type EventKind uint8

const (
	Appeared EventKind = iota
	Exited
	Replaced // the same process runs another executable: exec
)

// Event is a change in the set of selected processes.
type Event struct {
	Kind    EventKind
	Process *Process
}

// Finder finds the selected processes.
type Finder struct{}

// NewFinder makes a finder; it looks at nothing until Scan or Run.
func NewFinder(sel Selection, log *slog.Logger) *Finder { return &Finder{} }

// Scan looks once. Refused processes are included, with Refused set.
func (f *Finder) Scan() ([]*Process, error) { return nil, nil }

// Run looks about every 500 ms and reports changes, until ctx is done.
func (f *Finder) Run(ctx context.Context, report func(Event)) error { <-ctx.Done(); return nil }
