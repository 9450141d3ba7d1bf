package mem

import (
	"fmt"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// layout is where a release of Go keeps what is read here, of structs that have
// no type descriptor. It was measured with DWARF, and a test measures it anew
// on each release; what a process has there must make sense as well (see
// [snapshot.check] and [reader.provedGoroutines]). runtime.gcControllerState is
// the same in all of them: see bpf.KernelGcController.
// (src/runtime/mstats.go: heapStatsDelta; src/runtime/runtime2.go: schedt)
type layout struct {
	// In heapStatsDelta, of which memstats begins with three.
	tinyAllocCount uint64
	// In schedt.
	ngsys, gFree uint64
	// In gFree: the numbers of free goroutines, which are summed up.
	free []uint64
}

var (
	freeCounted = []uint64{24}     // n
	freeSplit   = []uint64{16, 32} // stack.size, noStack.size
)

var layouts = map[int]layout{
	21: {48, 72, 160, freeCounted},
	22: {48, 72, 160, freeCounted},
	23: {48, 72, 160, freeCounted},
	24: {48, 72, 160, freeCounted},
	25: {40, 80, 168, freeSplit},
	26: {40, 96, 184, freeSplit},
	27: {40, 96, 184, freeSplit},
}

// What is at a fixed distance in all of them. A delta has, after the number of
// tiny objects: bytes and number of large ones, numbers of small ones by class,
// and the same again of what was freed.
const (
	classes         = 68 // src/runtime/sizeclasses.go: _NumSizeClasses
	inHeap          = 16 // in heapStatsDelta
	inStacks        = 24
	inWorkBufs      = 32
	pFree           = 8 // in p.gFree
	largeAllocCount = 16
	smallAllocs     = 24 // from tinyAllocCount
	largeFreeCount  = smallAllocs + 8*classes + 8
	smallFrees      = largeFreeCount + 8
	deltaEnd        = smallFrees + 8*classes

	// From the end of the three deltas: gen, a lock, six sysMemStats, and then
	// last_gc_unix, pause_total_ns, two rings of 256, and numgc.
	sysStats     = 16
	numSysStats  = 6
	pauseTotal   = sysStats + 8*numSysStats + 8
	pauseRings   = pauseTotal + 8
	numGC        = pauseRings + 2*256*8
	numForcedGC  = numGC + 4
	cpuFraction  = numGC + 8
	statsEnd     = cpuFraction + 8
	maxProcessor = 1 << 14
)

func (l layout) delta() uint64 { return l.tinyAllocCount + deltaEnd }

// sites are where a process has what is read of it.
type sites struct {
	layout
	controller, memstats uint64
	// 0 where goroutines can't be counted.
	sched, allglen, allp, allgptr uint64
	pGFree, pID, gStatus          uint64
	// noGoroutines says why they can't.
	noGoroutines error
}

func find(p *goproc.Process) (*sites, error) {
	b := p.Binary
	known, ok := layouts[b.Minor]
	if !ok {
		return nil, fmt.Errorf("what the runtime keeps of memory is not known of %s", b.GoVersion)
	}
	s := &sites{layout: known}
	global := func(name string, into *uint64) error {
		at, err := b.Global(name)
		*into = at + p.LoadBias
		return err
	}
	if err := global("runtime.gcController", &s.controller); err != nil {
		return nil, err
	}
	if err := global("runtime.memstats", &s.memstats); err != nil {
		return nil, err
	}
	for name, into := range map[string]*uint64{
		"runtime.sched": &s.sched, "runtime.allglen": &s.allglen, "runtime.allgptr": &s.allgptr, "runtime.allp": &s.allp,
	} {
		if err := global(name, into); err != nil {
			s.noGoroutines = err
		}
	}
	for _, f := range []struct {
		of, name string
		into     *uint64
	}{{"runtime.p", "gFree", &s.pGFree}, {"runtime.p", "id", &s.pID}, {"runtime.g", "atomicstatus", &s.gStatus}} {
		offset, err := b.Field(f.of, f.name)
		if err != nil {
			s.noGoroutines = err
		}
		*f.into = uint64(offset)
	}
	return s, nil
}
