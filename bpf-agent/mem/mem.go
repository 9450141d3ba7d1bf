// Package mem polls once a second what the runtime of each Go process knows of
// its memory, from the memory of the process: there is no probe, and the world
// is not stopped. What it finds are gauges, and what programs of the kernel say
// of the heap where they can't read it themselves.
//
// It never guesses: where a release, a binary or a process is not what is known,
// the process has no such gauges, and the log says why.
package mem

import (
	"context"
	"log/slog"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// Period is how often a process is looked at.
const Period = time.Second

// Poller polls the processes that a watcher watches.
type Poller struct {
	kernel  *probe.Kernel // nil when nothing is attached
	watcher *probe.Watcher
	gauges  *heat.Gauges
	log     *slog.Logger

	polled map[*goproc.Process]*polled
	pins   *Pins // nil when programs can't publish
}

// polled is a process that is polled, or why it is not.
type polled struct {
	reader  *reader
	refused error
	// failed is how often in a row it could not be read.
	failed int

	at         time.Time
	totalAlloc uint64
}

// New returns a poller that has not looked yet. Pins may be nil: then programs
// can't publish what they know themselves. The caller closes them.
func New(k *probe.Kernel, w *probe.Watcher, gauges *heat.Gauges, pins *Pins, log *slog.Logger) *Poller {
	return &Poller{kernel: k, watcher: w, gauges: gauges, pins: pins, log: log, polled: map[*goproc.Process]*polled{}}
}

// Run polls until ctx is done.
func (p *Poller) Run(ctx context.Context) error {
	tick := time.NewTicker(Period)
	defer tick.Stop()
	for {
		p.poll(time.Now())
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// maxFailures is how often in a row what is read of a process may make no
// sense before it is not read any more.
const maxFailures = 3

// poll looks once at each process.
func (p *Poller) poll(now time.Time) {
	slots := map[*goproc.Process]*probe.Slot{}
	if p.kernel != nil {
		for _, s := range p.kernel.Slots() {
			slots[s.Process] = s
		}
	}
	before := p.polled
	p.polled = map[*goproc.Process]*polled{}
	for _, process := range p.watcher.Readable() {
		one := before[process]
		if one == nil {
			one = &polled{}
			one.reader, one.refused = newReader(process)
			p.sayRefused(process, one.refused)
		}
		p.polled[process] = one
		if p.pins != nil {
			p.exchange(now, process, slots[process])
		}
		if one.refused != nil {
			continue
		}
		s, err := one.reader.read()
		if process.Alive() != nil {
			continue // whatever was read
		}
		if err != nil {
			if one.failed++; one.failed == maxFailures {
				one.refused = err
				p.sayRefused(process, err)
			}
			continue
		}
		one.failed = 0
		p.publish(now, process, one, s)
		if slot := slots[process]; slot != nil {
			goal, trigger := goal(&s.heap)
			if err := p.kernel.SetHeap(slot, s.heap.HeapLive, goal, trigger); err != nil {
				p.log.Error("heap not known to the kernel", "pid", process.PID, "error", err)
			}
		}
	}
	if p.pins == nil {
		return
	}
	if err := p.pins.keep(func(process *goproc.Process) bool { return p.polled[process] != nil }); err != nil {
		p.log.Error("unpin", "error", err)
	}
}

func (p *Poller) set(now time.Time, process *goproc.Process, name string, value float64) {
	p.gauges.Set(heat.GaugeKey{
		Name: name, Process: process.ID, Service: process.Identity.Service, Version: process.Identity.Version,
	}, now, value)
}

func (p *Poller) sayRefused(process *goproc.Process, err error) {
	if err != nil && process.Alive() == nil {
		p.log.Warn("memory not polled", "pid", process.PID, "executable", process.Executable, "reason", err)
	}
}

// publish sets the gauges of a process.
func (p *Poller) publish(now time.Time, process *goproc.Process, one *polled, s *snapshot) {
	for name, value := range s.values() {
		p.set(now, process, name, value)
	}
	if elapsed := now.Sub(one.at); !one.at.IsZero() && elapsed > 0 && s.heap.TotalAlloc >= one.totalAlloc {
		p.set(now, process, probe.MemAllocRate, float64(s.heap.TotalAlloc-one.totalAlloc)/elapsed.Seconds())
	}
	one.at, one.totalAlloc = now, s.heap.TotalAlloc
}

// unlimited is from where on a goal or a limit means that there is none.
const unlimited = 1 << 62

// values are the gauges that a look is about.
func (s *snapshot) values() map[string]float64 {
	h := &s.heap
	values := map[string]float64{
		probe.MemHeapLive:      float64(h.HeapLive),
		probe.MemHeapMarked:    float64(h.HeapMarked),
		probe.MemHeapObjects:   float64(objectBytes(h)),
		probe.MemHeapInUse:     float64(h.HeapInUse),
		probe.MemHeapIdle:      float64(h.HeapFree + h.HeapReleased),
		probe.MemHeapReleased:  float64(h.HeapReleased),
		probe.MemMapped:        float64(h.MappedReady),
		probe.MemTotalAlloc:    float64(h.TotalAlloc),
		probe.MemGCCPUFraction: s.stats.cpuFraction,
		probe.MemCollections:   float64(s.stats.collections),
		probe.MemPauseTotal:    float64(s.stats.pauseTotal),
	}
	if goal, trigger := goal(h); goal < unlimited {
		values[probe.MemHeapGoal], values[probe.MemHeapTrigger] = float64(goal), float64(trigger)
	}
	if h.MemoryLimit < unlimited {
		values[probe.MemLimit] = float64(h.MemoryLimit)
	}
	if s.stats.summed {
		values[probe.MemStackInUse] = float64(s.stats.stacks)
		values[probe.MemObjects] = float64(s.stats.objects)
		sys := h.HeapInUse + h.HeapFree + h.HeapReleased + s.stats.stacks + s.stats.workBuffers
		for _, n := range s.stats.sys {
			sys += n
		}
		values[probe.MemSys] = float64(sys)
	}
	if s.goroutines >= 0 {
		values[probe.MemGoroutines] = float64(s.goroutines)
	}
	return values
}
