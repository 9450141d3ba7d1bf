package mem

import (
	"encoding/binary"
	"fmt"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// reader looks at one process again and again.
type reader struct {
	process *goproc.Process
	sites   *sites

	controller, before, behind, sched, ps []byte
	// proved says that goroutines were once counted in two ways that agree, and
	// failed how often in a row they could not be counted.
	proved bool
	looks  int
	failed int
}

func newReader(p *goproc.Process) (*reader, error) {
	s, err := find(p)
	if err != nil {
		return nil, err
	}
	return &reader{
		process: p, sites: s,
		controller: make([]byte, controllerSize),
		before:     make([]byte, 3*s.delta()+pauseRings),
		behind:     make([]byte, statsEnd-numGC),
		sched:      make([]byte, s.gFree+40),
	}, nil
}

// read looks once. It fails when what it finds can't be what it looks for.
func (r *reader) read() (*snapshot, error) {
	s := &snapshot{goroutines: -1}
	for range 3 {
		if err := r.process.ReadMemory(r.sites.controller, r.controller); err != nil {
			return nil, err
		}
		if err := r.process.ReadMemory(r.sites.memstats, r.before); err != nil {
			return nil, err
		}
		if err := r.process.ReadMemory(r.sites.memstats+3*r.sites.delta()+numGC, r.behind); err != nil {
			return nil, err
		}
		var err error
		if s.heap, err = decodeController(r.controller); err != nil {
			return nil, fmt.Errorf("decode gcController: %w", err)
		}
		s.stats = r.sites.decodeStats(r.before, r.behind)
		if s.stats.summed = s.stats.fits(&s.heap); s.stats.summed {
			break
		}
	}
	if err := s.check(); err != nil {
		return nil, err
	}
	if r.sites.noGoroutines == nil {
		n, err := r.goroutines()
		switch {
		case err == nil:
			s.goroutines = n
			r.failed = 0
		case r.failed == maxFailed:
			r.sites.noGoroutines = err
		default: // what was read may have moved just then
			r.failed++
		}
	}
	return s, nil
}

// tally is how many goroutines there are places for, how many of these are
// free, and how many the runtime has for itself.
type tally struct{ all, free, system int }

// goroutines counts as runtime.gcount does: those that are not free, nor the
// runtime's own.
func (r *reader) goroutines() (int, error) {
	t, err := r.tally()
	if err != nil {
		return 0, err
	}
	r.looks++
	if !r.proved && (t.all <= provable || r.looks%16 == 1) {
		if err := r.prove(); err != nil {
			return 0, err
		}
	}
	return max(t.all-t.free-t.system, 1), nil
}

func (r *reader) tally() (t tally, err error) {
	if err := r.process.ReadMemory(r.sites.sched, r.sched); err != nil {
		return t, err
	}
	half := func(b []byte, at uint64) int { return int(int32(binary.LittleEndian.Uint32(b[at:]))) }
	t.system = half(r.sched, r.sites.ngsys)
	for _, at := range r.sites.free {
		t.free += half(r.sched, r.sites.gFree+at)
	}
	var slice [24]byte
	if err := r.process.ReadMemory(r.sites.allp, slice[:]); err != nil {
		return t, err
	}
	at, n := binary.LittleEndian.Uint64(slice[:]), binary.LittleEndian.Uint64(slice[8:])
	if n == 0 || n > maxProcessor || binary.LittleEndian.Uint64(slice[16:]) < n {
		return t, fmt.Errorf("allp has %d Ps, limit %d", n, maxProcessor)
	}
	if uint64(len(r.ps)) != n*8 {
		r.ps = make([]byte, n*8)
	}
	if err := r.process.ReadMemory(at, r.ps); err != nil {
		return t, err
	}
	for i := range n {
		p := binary.LittleEndian.Uint64(r.ps[i*8:])
		var id, free [4]byte
		if err := r.process.ReadMemory(p+r.sites.pID, id[:]); err != nil {
			return t, err
		}
		if got := half(id[:], 0); got != int(i) {
			return t, fmt.Errorf("allp[%d] has id %d", i, got)
		}
		if err := r.process.ReadMemory(p+r.sites.pGFree+pFree, free[:]); err != nil {
			return t, err
		}
		t.free += half(free[:], 0)
	}
	var all [8]byte
	if err := r.process.ReadMemory(r.sites.allglen, all[:]); err != nil {
		return t, err
	}
	t.all = int(binary.LittleEndian.Uint64(all[:]))
	if t.all < 0 || t.free < 0 || t.system < 0 || t.system > t.all || t.free > t.all+64*int(n) {
		return t, fmt.Errorf("%d goroutines of which %d are free and %d the runtime's", t.all, t.free, t.system)
	}
	return t, nil
}

const (
	statusDead = 6 // src/runtime/runtime2.go: _Gdead
	// provable is up to how many goroutines are looked at one by one at each look.
	provable = 4096
	// maxFailed is how often in a row goroutines may not be counted before they
	// are given up.
	maxFailed = 60
)

// prove counts the free goroutines one by one, by their status, and fails
// unless as many are in the free lists, give or take what comes and goes
// meanwhile. It is done until there are some, and not again: then the lists are
// where they are looked for.
func (r *reader) prove() error {
	t, err := r.tally()
	if err != nil {
		return err
	}
	var first [8]byte
	if err := r.process.ReadMemory(r.sites.allgptr, first[:]); err != nil {
		return err
	}
	pointers := make([]byte, 8*t.all)
	if err := r.process.ReadMemory(binary.LittleEndian.Uint64(first[:]), pointers); err != nil {
		return err
	}
	dead := 0
	for i := range t.all {
		var status [4]byte
		if err := r.process.ReadMemory(binary.LittleEndian.Uint64(pointers[8*i:])+r.sites.gStatus, status[:]); err != nil {
			return err
		}
		if binary.LittleEndian.Uint32(status[:]) == statusDead {
			dead++
		}
	}
	few := 4 + t.all/64
	if dead-t.free > few || t.free-dead > few {
		return fmt.Errorf("%d goroutines are dead, %d are in the free lists", dead, t.free)
	}
	r.proved = dead > few
	return nil
}
