// Package goproc finds Go processes and reads what their binaries say about
// themselves: version, symbols, struct offsets, and the places where a uprobe
// is safe and cheap. It never guesses: what it is not sure of, it refuses with
// a reason.
package goproc

import "debug/buildinfo"

// Binary is what was read of one executable file. It is immutable, and shared
// by all processes that run the same file.
type Binary struct {
	ID        BinaryID
	GoVersion string // "go1.26.8"
	Minor     int    // 26
	Build     *buildinfo.BuildInfo
	Arch      string // GOARCH: "amd64"
	PIE       bool
	Functions *FuncTable
	Offsets   Offsets
}

// BinaryID tells executables apart where a path or an inode alone can't:
// inodes clash between containers of one image, and are reused.
type BinaryID struct {
	Device, Inode uint64
	BuildID       string // Go build id
}

// SiteKind says where in a function a site lies.
type SiteKind uint8

const (
	// SitePush is after the stack check, at the first PUSHQ BP: emulated by the
	// kernel (one trap), and hit once a call even when the stack grows.
	SitePush SiteKind = iota
	// SiteBranch is at the conditional jump of a stack check: emulated as well,
	// for functions where it comes first and no push does.
	SiteBranch
	// SiteReturn is at a RET: single-stepped, for rare functions only.
	SiteReturn
)

// Site is a place to attach a uprobe.
type Site struct {
	Function string
	Kind     SiteKind
	// Offset is in the file, as uprobes want it; Address is virtual, as linked.
	Offset, Address uint64
	// Code is what the file has at the site. Whoever attaches compares it with
	// the memory of the process first.
	Code []byte
}

// Offsets of struct fields and addresses that BPF programs need. The addresses
// are as linked: a position-independent process adds its [Process.LoadBias].
type Offsets struct {
	GM, GGoid, GStartpc, GLabels, GWaitReason uint32
	MCurg, MP                                 uint32
	PID                                       uint32 // p.id
	// TimeToRun is the address of runtime.sched.timeToRun: what AX of
	// (*timeHistogram).record is for scheduler latency.
	TimeToRun uint64
}

// ReadBinary reads an executable. What can't be watched is a [*Refusal].
func ReadBinary(path string) (*Binary, error) { return nil, refuse(path, "not yet") }
