package probe

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// goroutines is all points of goroutines whose programs are in
// bpf/goroutine.bpf.c, and of how long they are runnable.
var goroutines = family{
	points: 1<<bpf.KernelPointSCHED_LATENCY_EXACT | 1<<bpf.KernelPointGOROUTINE_CREATE | 1<<bpf.KernelPointGOROUTINE_EXIT |
		1<<bpf.KernelPointGOROUTINE_LIFETIME | 1<<bpf.KernelPointGOROUTINE_WAIT,
	admit: func(k *Kernel, s *Slot) error {
		facts := bpf.KernelGoroutineFacts{G_waitreason: s.Process.Binary.Offsets.GWaitReason}
		if s.Process.Binary.Minor >= firstIDWhenCreated {
			facts.IdWhenCreated = 1
		}
		return k.put(bpf.KernelMapGoroutineFacts, s, &facts)
	},
	clear: (*Kernel).forgetGoroutines,
}

// firstIDWhenCreated is the minor version of Go since which newproc1 gives a
// goroutine its id before it makes it runnable.
const firstIDWhenCreated = 24

// Each duration begins anew when its point is wanted again: in between, what
// had begun may have ended when nobody looked.
var (
	latencies = durations(bpf.KernelPointSCHED_LATENCY_EXACT, func(s *bpf.KernelSince) *uint64 { return &s.Runnable })
	lifetimes = durations(bpf.KernelPointGOROUTINE_LIFETIME, func(s *bpf.KernelSince) *uint64 { return &s.Created })
	waits     = durations(bpf.KernelPointGOROUTINE_WAIT, func(s *bpf.KernelSince) *uint64 { return &s.Waiting })
)

func durations(point bpf.KernelPoint, of func(*bpf.KernelSince) *uint64) family {
	return family{
		points: 1 << point,
		first: func(k *Kernel, s *Slot) error {
			var facts bpf.KernelGoroutineFacts
			if err := k.collection.Maps[bpf.KernelMapGoroutineFacts].Lookup(uint32(s.Number), &facts); err != nil {
				return fmt.Errorf("read what is known of goroutines of slot %d: %w", s.Number, err)
			}
			var now unix.Timespec
			if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
				return fmt.Errorf("read the monotonic clock: %w", err)
			}
			*of(&facts.Watched) = uint64(now.Nano())
			return k.put(bpf.KernelMapGoroutineFacts, s, &facts)
		},
	}
}

// forgetGoroutines deletes what is known of the goroutines of a slot that is
// given back.
func (k *Kernel) forgetGoroutines(s *Slot) error {
	const batch = 4096
	all := k.collection.Maps[bpf.KernelMapGoroutines]
	var gone []uint64
	keys, values := make([]uint64, batch), make([]bpf.KernelSince, batch)
	var cursor ebpf.MapBatchCursor
	for {
		n, err := all.BatchLookup(&cursor, keys, values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("read goroutines of slot %d: %w", s.Number, err)
		}
		for _, key := range keys[:n] {
			if key>>56 == uint64(s.Number) {
				gone = append(gone, key)
			}
		}
		if err != nil {
			break
		}
	}
	for _, key := range gone {
		if err := all.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete goroutines of slot %d: %w", s.Number, err)
		}
	}
	return nil
}
