package probe

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// family is points whose programs share what they keep of a process, beside
// what all programs do. Each hook may be nil.
type family struct {
	// points has a bit for each point.
	points uint32
	// admit writes what the programs need to know of a process, before any of
	// its points is wanted.
	admit func(*Kernel, *Slot) error
	// first makes ready when one of the points is wanted and none was before.
	first func(*Kernel, *Slot) error
	// clear empties what is kept of a slot that is given back.
	clear func(*Kernel, *Slot) error
}

var families = []family{collections, goroutines, latencies, lifetimes, waits, serving, requests, sends, since(bpf.KernelPointGC_ASSIST), since(bpf.KernelPointALLOC_LATENCY)}

// collections of garbage, and what else stops the world. What was begun when
// the points were last wanted must not be ended now; while none is wanted, no
// program writes this.
var collections = family{
	points: 1<<bpf.KernelPointGC_STW | 1<<bpf.KernelPointGC_STW_STOPPING | 1<<bpf.KernelPointGC_STW_STOPPED |
		1<<bpf.KernelPointGC_CYCLE | 1<<bpf.KernelPointGC_MARK | 1<<bpf.KernelPointGC_ASSIST,
	admit: func(k *Kernel, s *Slot) error {
		var c bpf.KernelCollector
		if at, err := s.Process.Binary.Global("runtime.gcController"); err == nil {
			c.Controller = at + s.Process.LoadBias
		}
		if s.Process.Binary.Minor >= firstFinishedMinor {
			c.HandsFinished = 1
		}
		return k.put(bpf.KernelMapCollectors, s, &c)
	},
	first: func(k *Kernel, s *Slot) error {
		return k.put(bpf.KernelMapStarting, s, &bpf.KernelStarting{})
	},
	clear: func(k *Kernel, s *Slot) error {
		return errors.Join(
			k.put(bpf.KernelMapStarting, s, &bpf.KernelStarting{}),
			k.put(bpf.KernelMapLastStops, s, &bpf.KernelLastStop{}),
			k.put(bpf.KernelMapLive, s, &bpf.KernelLiveHeap{}),
		)
	},
}

// since is a point whose durations lie between two places that a goroutine
// passes: what began before it was wanted this time has no end.
func since(point bpf.KernelPoint) family {
	return family{
		points: 1 << point,
		first: func(k *Kernel, s *Slot) error {
			var since bpf.KernelWantedSince
			if err := k.collection.Maps[bpf.KernelMapWantedSince].Lookup(uint32(s.Number), &since); err != nil {
				return fmt.Errorf("read since when points of slot %d are wanted: %w", s.Number, err)
			}
			var now unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
				return fmt.Errorf("read the monotonic clock: %w", err)
			}
			since.Time[point] = uint64(now.Nano())
			return k.put(bpf.KernelMapWantedSince, s, &since)
		},
	}
}

// SetHeap says what the heap of a process is, in bytes, for programs that can't
// read it.
func (k *Kernel) SetHeap(s *Slot, live, goal, trigger uint64) error {
	return k.put(bpf.KernelMapLive, s, &bpf.KernelLiveHeap{Live: live, Goal: goal, Trigger: trigger})
}

// Heap returns what [Kernel.SetHeap] has said last.
func (k *Kernel) Heap(s *Slot) (live, goal, trigger uint64, err error) {
	var h bpf.KernelLiveHeap
	if err := k.collection.Maps[bpf.KernelMapLive].Lookup(uint32(s.Number), &h); err != nil {
		return 0, 0, 0, fmt.Errorf("read the heap of slot %d: %w", s.Number, err)
	}
	return h.Live, h.Goal, h.Trigger, nil
}
