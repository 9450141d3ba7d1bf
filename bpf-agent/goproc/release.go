package goproc

import (
	"slices"
	"sync"
	"time"
)

// Release is a version of a service, as first seen running.
type Release struct {
	Service, Version string
	Revision         string
	Modified         bool
	GoVersion        string
	// Previous is the version of the same service that was first seen before
	// this one; "" for the first.
	Previous  string
	FirstSeen time.Time
	// LastSeen is when its last process ended; zero while one runs.
	LastSeen time.Time
	// Running is how many processes run it now.
	Running int
}

// maxReleases bounds a ledger: a process may name itself anew with each start.
const maxReleases = 4096

// Ledger records which versions of which services were seen, and when. A
// release is seen, not declared: it is the first sight of a version. It is safe
// for concurrent use. The zero value is empty and ready.
type Ledger struct {
	mu       sync.Mutex
	releases []*Release          // by FirstSeen
	running  map[string]*Release // by process ID
}

// NewLedger makes an empty ledger.
func NewLedger() *Ledger { return &Ledger{} }

// Observe records that a process runs at a time, and whether that is a new
// release. To observe the same process again changes nothing, unless it has
// become another release by exec.
func (l *Ledger) Observe(p *Process, at time.Time) (isNew bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := l.running[p.ID]
	if now != nil {
		if now.Service == p.Identity.Service && now.Version == p.Identity.Version {
			return false
		}
		l.end(p.ID, at)
	}
	if p.Identity.Service == "" || p.Identity.Version == UnknownVersion {
		return false
	}
	r, previous := l.find(p.Identity.Service, p.Identity.Version)
	if isNew = r == nil; isNew {
		r = &Release{
			Service: p.Identity.Service, Version: p.Identity.Version,
			Revision: p.Identity.Revision, Modified: p.Identity.Modified,
			Previous: previous, FirstSeen: at,
		}
		if p.Binary != nil {
			r.GoVersion = p.Binary.GoVersion
		}
		l.add(r)
	}
	r.Running++
	r.LastSeen = time.Time{}
	if l.running == nil {
		l.running = map[string]*Release{}
	}
	l.running[p.ID] = r
	return isNew
}

// Ended records that a process ended. One that was never observed, or has
// ended, changes nothing.
func (l *Ledger) Ended(p *Process, at time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.end(p.ID, at)
}

func (l *Ledger) end(process string, at time.Time) {
	r := l.running[process]
	if r == nil {
		return
	}
	delete(l.running, process)
	if r.Running--; r.Running == 0 {
		r.LastSeen = at
	}
}

// find finds a release, and the newest version of the service, "" for none.
func (l *Ledger) find(service, version string) (found *Release, newest string) {
	for _, r := range l.releases {
		if r.Service != service {
			continue
		}
		if r.Version == version {
			return r, ""
		}
		newest = r.Version
	}
	return nil, newest
}

// add keeps releases by FirstSeen, and forgets the oldest of those that nobody
// runs when there are too many.
func (l *Ledger) add(r *Release) {
	at, _ := slices.BinarySearchFunc(l.releases, r, func(a, b *Release) int {
		if a.FirstSeen.After(b.FirstSeen) {
			return 1
		}
		return -1
	})
	l.releases = slices.Insert(l.releases, at, r)
	if len(l.releases) <= maxReleases {
		return
	}
	oldest := slices.IndexFunc(l.releases, func(r *Release) bool { return r.Running == 0 && !r.LastSeen.IsZero() })
	if oldest >= 0 {
		l.releases = slices.Delete(l.releases, oldest, oldest+1)
	}
}

// Releases are all that were seen, by FirstSeen: copies, the caller's own.
func (l *Ledger) Releases() []Release {
	l.mu.Lock()
	defer l.mu.Unlock()
	all := make([]Release, len(l.releases))
	for i, r := range l.releases {
		all[i] = *r
	}
	return all
}
