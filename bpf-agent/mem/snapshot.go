package mem

import (
	"encoding/binary"
	"fmt"
	"math"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// snapshot is what one look at a process has found. Its parts are read one
// after another while the process runs: each is right for its moment.
type snapshot struct {
	heap  bpf.KernelGcController
	stats stats
	// goroutines is -1 when it is not known.
	goroutines int
}

// stats are of runtime.memstats. What is summed up of its three deltas is not
// known while the process itself is moving them.
type stats struct {
	summed                         bool
	heapInUse, stacks, workBuffers uint64
	objects                        uint64
	sys                            [numSysStats]uint64 // stacks, mspan, mcache, buckhash, gcMisc, other
	pauseTotal                     uint64
	collections, forced            uint32
	cpuFraction                    float64
}

// Memory of a process lies below this, on all architectures that are watched.
const maxAddress = 1 << 47

const pageSize = 8192 // of the runtime: src/runtime/malloc.go

// check says what can't be so of a process's memory, which shows that what was
// read is something else.
func (s *snapshot) check() error {
	h := &s.heap
	sizes := []struct {
		name string
		of   uint64
		unit uint64
	}{
		{"heapInUse", h.HeapInUse, pageSize}, {"heapFree", h.HeapFree, pageSize}, {"heapReleased", h.HeapReleased, 4096},
		{"heapLive", h.HeapLive, 1}, {"heapMarked", h.HeapMarked, 1}, {"mappedReady", h.MappedReady, 1},
	}
	for _, size := range sizes {
		if size.of >= maxAddress || size.of%size.unit != 0 {
			return fmt.Errorf("gcController.%s is %d, which no heap has", size.name, size.of)
		}
	}
	switch percent := int32(h.GcPercent); {
	case percent < -1:
		return fmt.Errorf("gcController.gcPercent is %d", percent)
	case int64(h.MemoryLimit) < 0:
		return fmt.Errorf("gcController.memoryLimit is %d", int64(h.MemoryLimit))
	case h.HeapInUse > h.MappedReady+h.MappedReady/4+(64<<20):
		return fmt.Errorf("gcController.heapInUse is %d, of %d that is mapped", h.HeapInUse, h.MappedReady)
	case h.Triggered != notTriggered && h.Triggered >= maxAddress:
		return fmt.Errorf("gcController.triggered is %d", h.Triggered)
	case s.stats.cpuFraction < 0 || s.stats.cpuFraction > 1 || math.IsNaN(s.stats.cpuFraction):
		return fmt.Errorf("memstats.gc_cpu_fraction is %g", s.stats.cpuFraction)
	case s.stats.forced > s.stats.collections:
		return fmt.Errorf("memstats.numforcedgc is %d, of %d collections", s.stats.forced, s.stats.collections)
	}
	for _, size := range s.stats.sys {
		if size >= maxAddress {
			return fmt.Errorf("memstats has %d bytes from the system", size)
		}
	}
	return nil
}

// objectBytes is what objects take, those that are not swept yet included.
func objectBytes(h *bpf.KernelGcController) uint64 {
	// The two are read at one moment and written at two.
	return h.TotalAlloc - min(h.TotalFree, h.TotalAlloc)
}

const (
	controllerSize = unsafe.Sizeof(bpf.KernelGcController{})
	notTriggered   = math.MaxUint64
)

func decodeController(b []byte) (h bpf.KernelGcController, err error) {
	_, err = binary.Decode(b, binary.LittleEndian, &h)
	return h, err
}

// decodeStats reads what lies before the rings of pauses, and what lies behind.
func (l layout) decodeStats(before, behind []byte) (s stats) {
	word := func(at uint64) uint64 { return binary.LittleEndian.Uint64(before[at:]) }
	var sum struct{ inHeap, inStacks, inWorkBufs, mallocs, frees uint64 }
	for i := range uint64(3) {
		d := i * l.delta()
		sum.inHeap += word(d + inHeap)
		sum.inStacks += word(d + inStacks)
		sum.inWorkBufs += word(d + inWorkBufs)
		sum.mallocs += word(d + l.tinyAllocCount + largeAllocCount)
		sum.frees += word(d + l.tinyAllocCount + largeFreeCount)
		for class := range uint64(classes) {
			sum.mallocs += word(d + l.tinyAllocCount + smallAllocs + 8*class)
			sum.frees += word(d + l.tinyAllocCount + smallFrees + 8*class)
		}
	}
	s.heapInUse, s.stacks, s.workBuffers = sum.inHeap, sum.inStacks, sum.inWorkBufs
	s.objects = sum.mallocs - sum.frees
	end := 3 * l.delta()
	for i := range s.sys {
		s.sys[i] = word(end + sysStats + 8*uint64(i))
	}
	s.pauseTotal = word(end + pauseTotal)
	s.collections = binary.LittleEndian.Uint32(behind)
	s.forced = binary.LittleEndian.Uint32(behind[numForcedGC-numGC:])
	s.cpuFraction = math.Float64frombits(binary.LittleEndian.Uint64(behind[cpuFraction-numGC:]))
	return s
}

// fits says whether the sums of the deltas agree with the collector, which
// counts the heap apart: they do not while one delta is being added to another.
func (s *stats) fits(h *bpf.KernelGcController) bool {
	off := int64(s.heapInUse - h.HeapInUse)
	return max(off, -off) <= int64(h.HeapInUse/8+(4<<20)) && s.stacks < maxAddress && s.workBuffers < maxAddress && s.objects < maxAddress
}

// goal is the size of the heap that this collection or the next one aims at,
// and at which size it has begun or will.
// (src/runtime/mgcpacer.go: heapGoalInternal, memoryLimitHeapGoal and trigger,
// the same in Go 1.21 to 1.27; heap.h has it for the kernel)
func goal(h *bpf.KernelGcController) (goal, trigger uint64) {
	goal = h.GcPercentHeapGoal
	least := uint64(0)
	if limited := limitGoal(h); limited < goal {
		goal = limited
	} else {
		least = h.SweepDistMinTrigger
		goal = max(goal, least)
		if h.Triggered != notTriggered {
			goal = max(goal, h.Triggered+64<<10)
		}
	}
	if h.Triggered != notTriggered {
		return goal, h.Triggered
	}
	if h.HeapMarked >= goal {
		return goal, goal
	}
	distance := (goal - h.HeapMarked) / 64
	least = max(least, h.HeapMarked, distance*45+h.HeapMarked)
	most := distance*61 + h.HeapMarked
	if goal > 4<<20 {
		most = max(most, goal-4<<20)
	}
	most = max(most, least)
	trigger = least
	if h.Runway <= goal {
		trigger = max(goal-h.Runway, least)
	}
	return goal, min(trigger, most)
}

func limitGoal(h *bpf.KernelGcController) uint64 {
	others := h.MappedReady - min(h.HeapFree+objectBytes(h), h.MappedReady)
	overage := h.MappedReady - min(h.MemoryLimit, h.MappedReady)
	if others+overage >= h.MemoryLimit {
		return h.HeapMarked
	}
	goal := h.MemoryLimit - (others + overage)
	headroom := max(goal/100*3, 1<<20)
	if goal < headroom || goal-headroom < headroom {
		goal = headroom
	} else {
		goal -= headroom
	}
	return max(goal, h.HeapMarked)
}
