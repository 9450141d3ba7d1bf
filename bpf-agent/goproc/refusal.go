package goproc

import "fmt"

// Refusal says why a binary or a process can't be watched. It is an answer,
// not a failure: list shows Reason to whoever asked.
type Refusal struct {
	Path   string // the executable, or "pid 42" when there is none to name
	Reason string
}

func (r *Refusal) Error() string { return r.Path + ": " + r.Reason }

func refuse(path, format string, args ...any) *Refusal {
	return &Refusal{Path: path, Reason: fmt.Sprintf(format, args...)}
}
