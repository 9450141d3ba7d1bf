package probe

import (
	"slices"
	"time"
)

// Vitality says whether the probes of a process fire.
type Vitality uint8

const (
	// Detached has no probe: all points are refused, shed or only available.
	Detached Vitality = iota + 1
	// Alive was hit within the last [quietAfter].
	Alive
	// Idle was not, but hardly ran either.
	Idle
	// Silent was not, though it ran: its probes may lie where it never comes by.
	Silent
)

// Health is how a process is doing as one that is watched. A probe that is
// attached proves nothing: it may lie in another file than the one that the
// process runs.
type Health struct {
	Vitality Vitality
	// Quiet is how long there was no hit, or since when it is watched, and Used
	// what the process has used of CPUs meanwhile.
	Quiet, Used time.Duration
}

const (
	// quietAfter is for how long a process may not be hit that fires.
	quietAfter = 5 * time.Second
	// hardly is how little CPU time may pass without a hit: a program that
	// computes in one goroutine has a latency sampled, or a collection, in less.
	hardly = time.Second
)

// pulse is what was last felt of a process.
type pulse struct {
	hits  uint64
	since time.Time     // of the last hit, as far as is known
	used  time.Duration // by then
}

// feel takes in the hits of now. It is as exact as it is called often, which
// the server does each second.
func (p *pulse) feel(s *Status, now time.Time) Health {
	hits, attached := fired(s.Points)
	if !attached {
		*p = pulse{}
		return Health{Vitality: Detached}
	}
	used, err := s.Process.CPUTime()
	if err != nil {
		used = p.used // it is about to be known as gone
	}
	if p.since.IsZero() || hits != p.hits {
		fires := hits > 0
		*p = pulse{hits, now, used}
		if fires {
			return Health{Vitality: Alive}
		}
	}
	h := Health{Vitality: Idle, Quiet: now.Sub(p.since), Used: used - p.used}
	switch {
	case h.Quiet < quietAfter && hits > 0:
		h.Vitality = Alive
	case h.Quiet >= quietAfter && h.Used >= hardly:
		h.Vitality = Silent
	}
	return h
}

// fired sums up the hits of points that are attached in the file of a process;
// when none is, of those that the kernel itself feeds, as with samples: these
// say nothing of where a probe lies.
func fired(points []PointStatus) (hits uint64, attached bool) {
	for _, inFile := range []bool{true, false} {
		for i, p := range points {
			if Catalogue[i].inFile() == inFile && (p.State == Attached || p.State == Firing) {
				hits += p.Hits
				attached = true
			}
		}
		if attached {
			break
		}
	}
	return hits, attached
}

// inFile says whether a probe in the file of the process feeds the point.
func (p Point) inFile() bool {
	return slices.ContainsFunc(p.Probes, func(probe Probe) bool { return probe.Function != "" })
}
