// Package ingest moves hits from the kernel into heat: events that the ring
// carries, one by one, and what was counted, by differences.
package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/bits"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// The street: bpf-agent/bpf/sched.bpf.c fills the ring and the maps that are
// emptied here; pkg/heat/matrix.go keeps what comes out.

const (
	// sweepPeriod is how often counters are read, on multiples of it in wall
	// time, so that what is counted falls into the second in which it was hit.
	sweepPeriod = 250 * time.Millisecond
	// longSweepPeriod is taken instead when a sweep takes more than a 50th of
	// its period: still one per column.
	longSweepPeriod = time.Second
	// quarantine is how long a retired slot is read on, for programs that were
	// running on another CPU when it was retired.
	quarantine = time.Second
	// forgetPeriod is how often series without a process are looked for.
	forgetPeriod = time.Minute
	// crowdedPeriod is taken instead when the head has no room.
	crowdedPeriod = 5 * time.Second
)

// Ingest is the one reader of the kernel's ring and counters.
//
// Who owns the memory: a record belongs to the ring and is borrowed for the
// length of one call; what is added goes into a heat.Matrix, whose cells are
// atomic; all else here belongs to whoever holds mu, which is the loop of Run,
// or Flush. Readers of Accounting and Cells do not wait for them.
type Ingest struct {
	kernel  *probe.Kernel // nil when nothing can be attached
	watcher *probe.Watcher
	head    *heat.Head
	log     *slog.Logger

	mu     sync.Mutex
	ring   *ring
	counts *sweeper
	series map[bpf.KernelKey]*series
	recent [numRecent]recentSeries
	// carried is what was taken of each point since tallies were last added to.
	carried [maxPoints]uint64
	tails   []*Tail
	// tailsChanged is how often tails were begun and ended.
	tailsChanged uint64
	// words that were read of slots.
	words map[bpf.KernelWordKey]string
	// lastEvents is, for slots to be freed, up to where the ring must be read first.
	lastEvents map[uint8]uint64

	swept, forgot time.Time
	// monotonicToWall is added to a time of bpf_ktime_get_ns.
	monotonicToWall int64

	freeing sync.Mutex // held while the hits of a slot become freed hits
	tallies [maxPoints]tally
	grids   grids
	// exemplars of each point whose events carry more than a value, by process.
	exemplars sync.Map // of gridKey to *heat.Exemplars
}

const maxPoints = len(bpf.KernelSlotTallies{}.Of)

// tally is what was taken out of the kernel, by point.
type tally struct {
	carried, counted, coarse atomic.Uint64
	// hits of slots that were freed.
	freed atomic.Uint64
}

// series is where the hits of one key go.
type series struct {
	key       heat.Key
	matrix    *heat.Matrix
	grid      *heat.Grid      // nil when the point has none
	exemplars *heat.Exemplars // nil when the point has none
	function  string
	// tails that it is in, as they were at tailsChanged: see Ingest.tailsOf.
	tails        []*Tail
	tailsChanged uint64
}

// New returns an ingest that has read nothing yet. Without a kernel it only
// lets time pass over the head.
func New(k *probe.Kernel, w *probe.Watcher, head *heat.Head, log *slog.Logger) *Ingest {
	return &Ingest{
		kernel: k, watcher: w, head: head, log: log,
		series:     map[bpf.KernelKey]*series{},
		words:      map[bpf.KernelWordKey]string{},
		lastEvents: map[uint8]uint64{},
	}
}

// Run reads until ctx is done, and then once more.
func (i *Ingest) Run(ctx context.Context) error {
	// Between looks the thread sleeps by itself: a timer of the runtime that is
	// due in less than a millisecond may come that much late. It is locked for
	// good: its slice goes with it.
	runtime.LockOSThread()
	runSoon()
	defer i.packing()()
	pace := newPace()
	nextSweep := time.Now()
	for ctx.Err() == nil {
		now := time.Now()
		read, err := i.poll()
		if err != nil {
			return err
		}
		if !now.Before(nextSweep) {
			// What cold processes have counted waits for the end of the second.
			period, err := i.sweep(now, !now.Truncate(sweepPeriod).Equal(now.Truncate(longSweepPeriod)))
			if err != nil {
				return err
			}
			now = time.Now()
			nextSweep = now.Add(period - now.Sub(now.Truncate(period)))
		}
		sleep(min(pace.next(read), time.Until(nextSweep)))
	}
	return i.Flush()
}

// packing packs the minutes of the head that are over, beside the loop of Run,
// until its result is called.
func (i *Ingest) packing() (stop func()) {
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-end:
				return
			case <-tick.C:
				i.head.Pack()
			}
		}
	}()
	return func() {
		close(end)
		<-ended
	}
}

// sleep blocks the thread for d, or until a signal comes.
func sleep(d time.Duration) {
	if d > 0 {
		t := unix.NsecToTimespec(int64(d))
		_ = unix.Nanosleep(&t, nil)
	}
}

// Flush takes everything out of the kernel, once: what hits have happened
// before it are in the head after it.
func (i *Ingest) Flush() error {
	if _, err := i.poll(); err != nil {
		return err
	}
	_, err := i.sweep(time.Now(), false)
	return err
}

// poll reads the ring, and says how many bytes there were.
func (i *Ingest) poll() (read uint64, err error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.kernel == nil {
		return 0, nil
	}
	if err := i.open(); err != nil {
		return 0, err
	}
	before := i.ring.position()
	err = i.ring.read(i.ring.end(), i.take)
	for point, n := range i.carried {
		if n > 0 {
			i.tallies[point].carried.Add(n)
			i.carried[point] = 0
		}
	}
	return i.ring.position() - before, err
}

// open maps the ring on first use.
func (i *Ingest) open() error {
	if i.ring != nil {
		return nil
	}
	r, err := openRing(i.kernel.Events)
	if err != nil {
		return err
	}
	i.ring, i.counts = r, newSweeper(i.kernel)
	return i.setClock()
}

// Close gives the ring's memory back; call it when Run has returned.
func (i *Ingest) Close() error {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.ring == nil {
		return nil
	}
	return i.ring.close()
}

// setClock follows the wall clock, which may be set meanwhile.
func (i *Ingest) setClock() error {
	var wall, monotonic unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &monotonic); err != nil {
		return fmt.Errorf("read the monotonic clock: %w", err)
	}
	if err := unix.ClockGettime(unix.CLOCK_REALTIME, &wall); err != nil {
		return fmt.Errorf("read the wall clock: %w", err)
	}
	i.monotonicToWall = wall.Nano() - monotonic.Nano()
	return nil
}

// take moves one event into heat.
func (i *Ingest) take(record []byte) {
	e, extra, err := decode(record)
	if err != nil {
		i.log.Error("event dropped", "error", err)
		return
	}
	// Most events are of keys that were seen a moment ago.
	words := *(*keyWords)(unsafe.Pointer(&e.Key))
	recent := &i.recent[words.index()]
	if recent.key != words || recent.series == nil {
		s := i.find(e.Key)
		if s == nil {
			i.log.Error("event dropped", "error", "nobody has its slot", "slot", e.Key.Slot)
			return
		}
		recent.key, recent.series = words, s
	}
	s := recent.series
	wall := int64(e.Time) + i.monotonicToWall
	s.matrix.AddSecond(wall/int64(time.Second), heat.Bucket(e.Value), 1, e.Value, e.Value)
	if s.grid != nil && e.Goid != 0 {
		s.grid.Add(time.Unix(0, wall), i.goroutine(e, s), e.Value)
	}
	if s.exemplars != nil && extra != nil {
		s.exemplars.Add(time.Unix(0, wall), e.Value, func() heat.Exemplar {
			return heat.Exemplar{Key: s.key, Goroutine: i.goroutine(e, s), Extra: *extra}
		})
	}
	if len(i.tails) > 0 {
		i.tailEvent(e, extra, s, wall)
	}
	i.carried[e.Key.Point]++
}

// recentSeries remembers where the events of a key went.
type recentSeries struct {
	key    keyWords
	series *series
}

// numRecent is a power of two.
const numRecent = 1 << recentBits
const recentBits = 8

// keyWords is a bpf.KernelKey as two numbers, which are compared faster than
// its fields. The bucket of an event's key is 0.
type keyWords [2]uint64

var _ = [1]byte{}[unsafe.Sizeof(keyWords{})-unsafe.Sizeof(bpf.KernelKey{})]

// index is where a key is remembered: at most one is at each place.
func (k *keyWords) index() uint64 {
	return (k[0] ^ bits.RotateLeft64(k[1], 29)) * 0x9e3779b97f4a7c15 >> (64 - recentBits)
}

// goroutine returns what an event says of its goroutine.
func (i *Ingest) goroutine(e *bpf.KernelEvent, s *series) heat.Goroutine {
	return heat.Goroutine{ID: e.Goid, StartFunction: s.function, Label: i.word(e.Key.Slot, e.Label)}
}

// word returns a word of a slot, "" when it can't be read.
func (i *Ingest) word(slot uint8, number uint32) string {
	if number == 0 {
		return ""
	}
	key := bpf.KernelWordKey{Slot: uint32(slot), Word: number}
	word, known := i.words[key]
	if !known {
		owner := i.kernel.Slot(slot)
		if owner == nil {
			return ""
		}
		var err error
		if word, err = i.kernel.Word(owner, number); err != nil {
			i.log.Error("word not read", "pid", owner.Process.PID, "error", err)
		}
		i.words[key] = word
	}
	return word
}

// find returns where the hits of a key, less its bucket, go.
func (i *Ingest) find(key bpf.KernelKey) *series {
	if s := i.series[key]; s != nil {
		return s
	}
	slot := i.kernel.Slot(key.Slot)
	if slot == nil {
		return nil
	}
	p, point := slot.Process, probe.Catalogue[key.Point]
	s := &series{}
	if key.Function != 0 {
		s.function = p.Function(p.Binary.Functions.Text() + p.LoadBias + uint64(key.Function))
	}
	k := seriesKey(p, point.Name)
	k.Node, k.CPU, k.Depth, k.Function = uint16(key.Node), key.Cpu, key.Depth, s.function
	// A reason's number 0 is one, and is 0 where there is none.
	if slices.Contains(point.Dimensions, "reason") {
		k.Reason = point.Reason(p.Binary, key.Reason)
	}
	if key.Word != 0 {
		word := i.word(key.Slot, key.Word)
		if slices.Contains(point.Dimensions, "route") {
			k.Route = word
		} else {
			k.Label = word
		}
	}
	s.key, s.matrix = k, i.head.Matrix(k)
	if point.Extra != nil {
		kept, _ := i.exemplars.LoadOrStore(gridKey{point.Name, p}, &heat.Exemplars{})
		s.exemplars = kept.(*heat.Exemplars)
	}
	if point.Goroutines {
		s.grid = i.grids.of(point.Name, p)
	}
	i.series[key] = s
	return s
}

// seriesKey is the key of a point of a process without finer dimensions.
func seriesKey(p *goproc.Process, pom string) heat.Key {
	return heat.Key{POM: pom, Process: p.ID, Service: p.Identity.Service, Version: p.Identity.Version}
}

// sweep reads the counters, lets time pass over the head, and gives back what
// is not used any more. It says after how long to come again; see
// [sweeper.sweep] for lazy.
func (i *Ingest) sweep(now time.Time, lazy bool) (time.Duration, error) {
	i.mu.Lock()
	defer i.mu.Unlock()
	period := sweepPeriod
	if i.kernel != nil {
		if err := i.open(); err != nil {
			return 0, err
		}
		slots := i.kernel.Slots()
		// Who looks at single hits wants to know of the others too.
		lazy = lazy && len(i.tails) == 0
		if err := i.count(now, slots, lazy); err != nil {
			return 0, err
		}
		period = i.sweepAgain(time.Since(now))
		if err := i.freeRetired(now, slots); err != nil {
			return 0, err
		}
		if err := i.setClock(); err != nil {
			return 0, err
		}
	}
	i.endBatches(now)
	i.head.Advance(now)
	i.grids.advance(now)
	if since := now.Sub(i.forgot); since >= forgetPeriod || i.head.Crowded() && since >= crowdedPeriod {
		i.forgot = now
		i.forget(now)
	}
	return period, nil
}

// sweepAgain returns the period of sweeps when one has taken so long.
func (i *Ingest) sweepAgain(took time.Duration) time.Duration {
	switch {
	case took > sweepPeriod/50:
		return longSweepPeriod
	case len(i.tails) > 0 && took <= tailPeriod/50:
		return tailPeriod
	}
	return sweepPeriod
}

// count moves into heat what was counted since the last sweep. It counts for
// the middle of that time.
func (i *Ingest) count(now time.Time, slots []*probe.Slot, lazy bool) error {
	if i.swept.IsZero() || now.Sub(i.swept) > 2*longSweepPeriod {
		i.swept = now.Add(-sweepPeriod)
	}
	at := i.swept.Add(now.Sub(i.swept) / 2)
	counted := func(key bpf.KernelKey, g growth) {
		s := i.find(key)
		if s == nil {
			i.log.Error("counts dropped", "error", "nobody has their slot", "slot", key.Slot, "counts", g.n)
			return
		}
		s.matrix.Add(at, g.bucket, g.n, g.sum, g.greatest)
		i.tailCounted(&s.key, g.n)
		i.tallies[key.Point].counted.Add(g.n)
	}
	coarse := func(slot *probe.Slot, point int, g growth) {
		k := seriesKey(slot.Process, probe.Catalogue[point].Name)
		i.head.Matrix(k).Add(at, g.bucket, g.n, g.sum, g.greatest)
		i.tailCounted(&k, g.n)
		i.tallies[point].counted.Add(g.n)
		i.tallies[point].coarse.Add(g.n)
	}
	all, err := i.counts.sweep(slots, lazy, counted, coarse)
	if all {
		i.swept = now
	}
	return err
}

// freeRetired frees the slots of processes that are gone, once all that they
// have counted and carried was read.
func (i *Ingest) freeRetired(now time.Time, slots []*probe.Slot) error {
	for _, s := range slots {
		if r := s.Retired(); r.IsZero() || now.Sub(r) < quarantine {
			continue
		}
		// What the process has carried lies before the end of the ring as it is
		// now, or was when this was first asked.
		end, asked := i.lastEvents[s.Number]
		if !asked {
			end = i.ring.end()
			i.lastEvents[s.Number] = end
		}
		if i.ring.position() < end {
			continue
		}
		if err := i.free(s); err != nil {
			return err
		}
		delete(i.lastEvents, s.Number)
	}
	return nil
}

// free ends the life of a slot whose process is gone and which has been read to its end.
func (i *Ingest) free(s *probe.Slot) error {
	// For readers of Accounting its hits move from the slot to freed in one step.
	i.freeing.Lock()
	defer i.freeing.Unlock()
	total, err := i.kernel.Tally(s)
	if err != nil {
		return err
	}
	if err := i.counts.forget(s); err != nil {
		return err
	}
	if err := i.kernel.Free(s); err != nil {
		return err
	}
	for point := range i.tallies {
		i.tallies[point].freed.Add(total.Of[point].Hits)
	}
	// The slot's next owner has the same keys.
	maps.DeleteFunc(i.series, func(key bpf.KernelKey, _ *series) bool { return key.Slot == s.Number })
	clear(i.recent[:])
	maps.DeleteFunc(i.words, func(key bpf.KernelWordKey, _ string) bool { return key.Slot == uint32(s.Number) })
	return nil
}

// forget lets the head drop series of processes that are gone. Those that are
// kept here are of slots in use, which are alive.
func (i *Ingest) forget(now time.Time) {
	alive, ids := map[*goproc.Process]bool{}, map[string]bool{}
	if i.kernel != nil {
		for _, s := range i.kernel.Slots() {
			alive[s.Process], ids[s.Process.ID] = true, true
		}
	}
	if i.head.Forget(func(k heat.Key) bool { return ids[k.Process] }) {
		// There is room now for what had none.
		clear(i.series)
		clear(i.recent[:])
	}
	i.grids.forget(now, alive)
	i.forgetExemplars(now, alive)
}

// Accounting says where the hits of a point have gone. When all has been
// taken out of the kernel, carried + counted = hits.
type Accounting struct {
	POM                            string
	Hits, Carried, Counted, Coarse uint64
}

// Accounting returns the figures of every point.
func (i *Ingest) Accounting() ([]Accounting, error) {
	i.freeing.Lock()
	defer i.freeing.Unlock()
	list := make([]Accounting, len(probe.Catalogue))
	for point := range list {
		t := &i.tallies[point]
		list[point] = Accounting{
			POM:     probe.Catalogue[point].Name,
			Carried: t.carried.Load(),
			Counted: t.counted.Load(),
			Coarse:  t.coarse.Load(),
			Hits:    t.freed.Load(),
		}
	}
	if i.kernel == nil {
		return list, nil
	}
	var errs []error
	for _, s := range i.kernel.Slots() {
		total, err := i.kernel.Tally(s)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		for point := range list {
			list[point].Hits += total.Of[point].Hits
		}
	}
	return list, errors.Join(errs...)
}
