package ingest

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

const (
	ringOffered = 2_000_000 // events a second
	ringLength  = 10 * time.Second
	// An order is made ten thousand times a second.
	ringOrder = 200
)

// BenchmarkRing offers two million events a second for ten seconds, by the
// code that programs of probes run, and holds what it costs to take them into
// heat against what it costs to read them and do nothing. Both are measured in
// turns of a second, on one thread, so that a noisy machine is noisy to both.
func BenchmarkRing(b *testing.B) {
	program := target.Start(b, target.Build(b, ""))
	a := watch(b, probe.Options{}, program.PID())
	program.Freeze()
	defer program.Thaw()
	a.flush()
	p := newProducer(b, a, a.kernel.Slots()[0].Number)
	// One more for the reader, as the agent has, and those that watchCPUs keeps.
	cpus := runtime.NumCPU()
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(cpus + 1 + cpus))

	before := stolen(b)
	plain := consume(b, a, p, false)
	realtime := consume(b, a, p, true)
	steal := stolen(b) - before
	report := func(name string, value float64) {
		fmt.Printf("%s %.4g\n", name, value)
		b.ReportMetric(value, name)
	}
	report("ring_events_per_s", plain.perSecond)
	report("ring_lost", float64(plain.lost+realtime.lost))
	report("ring_lost_realtime", float64(realtime.lost))
	report("ring_ns_per_event", plain.taking)
	report("ring_bare_ns_per_event", plain.bare)
	report("ring_overhead_ratio", plain.taking/plain.bare)
	report("ring_p50_us", plain.waits.at(0.5))
	report("ring_p99_us", plain.waits.at(0.99))
	report("ring_cpu_late_p99_us", plain.late.at(0.99))
	report("ring_cpu_late_most_us", plain.late.at(1))
	if realtime.granted {
		report("ring_p50_us_realtime", realtime.waits.at(0.5))
		report("ring_p99_us_realtime", realtime.waits.at(0.99))
		report("ring_cpu_late_p99_us_realtime", realtime.late.at(0.99))
		report("ring_cpu_late_most_us_realtime", realtime.late.at(1))
	} else {
		fmt.Println("cannot run here: SCHED_FIFO is not granted")
	}
	report("ring_steal_ms", float64(steal.Milliseconds()))
	report("ring_with_goroutines_ns_per_event", withGoroutines(b, a, p))
	report("kernel_aggregate_per_s", p.aggregate(b))
	a.flush()
	a.checkConserved("sched.latency")
}

// producer makes hits in the kernel, of a slot of an agent.
type producer struct {
	order    ProducerOrder
	programs *ebpf.Collection
	counting *ebpf.Collection // of maps of its own
	ids      []uint64
}

func newProducer(b *testing.B, a *agent, slot uint8) *producer {
	p := &producer{order: ProducerOrder{Hits: ringOrder, Slot: uint32(slot), Point: uint32(bpf.KernelPointSCHED_LATENCY), Keys: 16}}
	load := func(replacements map[string]*ebpf.Map) *ebpf.Collection {
		spec, err := LoadProducer()
		if err != nil {
			b.Fatal(err)
		}
		bounds := [256]uint64{}
		for i := range bounds {
			bounds[i] = ^uint64(0)
		}
		copy(bounds[:], heat.Bounds[:])
		if err := spec.Variables[ProducerVarBounds].Set(bounds); err != nil {
			b.Fatal(err)
		}
		spec.Maps[ProducerMapHeat].MaxEntries = a.kernel.Heat.MaxEntries()
		c, err := ebpf.NewCollectionWithOptions(spec, ebpf.CollectionOptions{MapReplacements: replacements})
		if err != nil {
			b.Fatal(err)
		}
		b.Cleanup(c.Close)
		if err := c.Maps[ProducerMapProcesses].Put(uint32(slot), &bpf.KernelProcess{}); err != nil {
			b.Fatal(err)
		}
		return c
	}
	p.programs = load(map[string]*ebpf.Map{
		ProducerMapEvents: a.kernel.Events, ProducerMapHeat: a.kernel.Heat,
		ProducerMapCoarse: a.kernel.Coarse, ProducerMapTallies: a.kernel.Tallies,
	})
	p.counting = load(nil)
	for i := range 1000 {
		p.ids = append(p.ids, uint64(i+1))
	}
	return p
}

func produce(program *ebpf.Program, order ProducerOrder) error {
	if _, err := program.Run(&ebpf.RunOptions{Context: order}); err != nil {
		return fmt.Errorf("make %d hits: %w", order.Hits, err)
	}
	return nil
}

// offer makes hits at the rate that is offered, until done. Where it falls
// behind it catches up, up to a tenth of a second.
func (p *producer) offer(done *atomic.Bool) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	program := p.programs.Programs[ProducerProgProduce]
	due := time.Now()
	for !done.Load() {
		if late := time.Since(due); late < 0 {
			sleep(-late)
			continue
		} else if late > 100*time.Millisecond {
			due = time.Now()
		}
		if err := produce(program, p.order); err != nil {
			return err
		}
		due = due.Add(ringOrder * time.Second / ringOffered)
	}
	return nil
}

// aggregate returns how many hits the kernel counts in a second on all CPUs.
func (p *producer) aggregate(b *testing.B) float64 {
	const length = 2 * time.Second
	var total atomic.Uint64
	var all sync.WaitGroup
	var failed atomic.Pointer[error]
	begun := time.Now()
	for range runtime.NumCPU() {
		all.Go(func() {
			order := p.order
			order.Hits = 10_000
			for time.Since(begun) < length {
				if err := produce(p.counting.Programs[ProducerProgAggregate], order); err != nil {
					failed.Store(&err)
					return
				}
				total.Add(uint64(order.Hits))
			}
		})
	}
	all.Wait()
	if err := failed.Load(); err != nil {
		b.Fatal(*err)
	}
	perSecond := float64(total.Load()) / time.Since(begun).Seconds()
	// Each is there.
	var kept uint64
	var key bpf.KernelKey
	var perCPU []bpf.KernelCount
	for counters := p.counting.Maps[ProducerMapHeat].Iterate(); counters.Next(&key, &perCPU); {
		for _, c := range perCPU {
			kept += c.Count
		}
	}
	if kept != total.Load() {
		b.Errorf("%d hits were counted in the kernel, the counters have %d", total.Load(), kept)
	}
	return perSecond
}

type consumed struct {
	granted      bool
	perSecond    float64
	lost         uint64
	taking, bare float64   // CPU ns an event
	waits        quantiles // from submission to heat
	late         quantiles // of threads that only sleep, on each CPU
}

// consume reads as Run does, while events are offered.
func consume(b *testing.B, a *agent, p *producer, realtime bool) (c consumed) {
	before := a.accounting("sched.latency")
	var done atomic.Bool
	failed := make(chan error, 1)
	go func() { failed <- p.offer(&done) }()
	endWatch := watchCPUs()
	var takingCPU, bareCPU time.Duration
	var waits []time.Duration
	var taken, bareHits uint64
	reading := make(chan error, 1)
	go func() {
		reading <- func() error {
			c.granted = prioritize(realtime)
			i := a.ingest
			for turn := range 2 * int(ringLength/time.Second) {
				cpu, err := threadCPU()
				if err != nil {
					return err
				}
				pace, taking := newPace(), turn%2 == 0
				for end := time.Now().Add(time.Second); time.Now().Before(end); {
					var read uint64
					// Both look at the events once more than Run does.
					submitted := peek(i.ring)
					if taking {
						if read, err = i.poll(); err != nil {
							return err
						}
						now := time.Now().UnixNano() - i.monotonicToWall
						for _, at := range submitted {
							waits = append(waits, time.Duration(now-at))
						}
						taken += read / eventBytes
					} else {
						var sum uint64
						position := i.ring.position()
						err := i.ring.read(i.ring.end(), func(record []byte) { sum += *(*uint64)(unsafe.Pointer(&record[0])); bareHits++ })
						if err != nil {
							return err
						}
						read = i.ring.position() - position
						sink.Store(sum)
					}
					sleep(pace.next(read))
				}
				now, err := threadCPU()
				if err != nil {
					return err
				}
				if taking {
					takingCPU += now - cpu
				} else {
					bareCPU += now - cpu
				}
			}
			return nil
		}()
	}()
	if err := errors.Join(<-reading, func() error { done.Store(true); return <-failed }()); err != nil {
		b.Fatal(err)
	}
	c.late = endWatch()
	a.flush()
	after := a.accounting("sched.latency")
	hits := after.Hits - before.Hits
	// What the bare reader has read is in no heat, and is no loss.
	a.ingest.tallies[bpf.KernelPointSCHED_LATENCY].carried.Add(bareHits)
	m := a.head.Matrix(seriesKey(a.kernel.Slots()[0].Process, "sched.latency"))
	m.Add(time.Now(), 0, bareHits, 0, 0)
	c.lost = hits - (after.Carried - before.Carried) - bareHits
	c.perSecond = float64(hits) / (2 * ringLength.Seconds())
	c.taking, c.bare = float64(takingCPU)/float64(taken), float64(bareCPU)/float64(bareHits)
	c.waits = sorted(waits)
	return c
}

// sorted is durations that can be asked for their quantiles.
type quantiles []time.Duration

func sorted(d []time.Duration) quantiles {
	slices.Sort(d)
	return d
}

// at returns a quantile in µs.
func (q quantiles) at(x float64) float64 { return float64(q[int(x*float64(len(q)-1))]) / 1e3 }

// prioritize makes the thread one like that of Run, or one of real time if
// that is granted.
func prioritize(realtime bool) (granted bool) {
	runtime.LockOSThread() // for good: its priority goes with it
	if realtime {
		return unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 1}, 0) == nil
	}
	runSoon()
	return false
}

// watchCPUs starts a thread on each CPU that does nothing but to sleep for a
// millisecond, at a real-time priority above the reader's if that is granted.
// Where it is late its CPU did not run, and no reader could have made it good:
// the function that is returned ends them and says by how much they were.
func watchCPUs() (end func() quantiles) {
	const period = time.Millisecond
	var done atomic.Bool
	late := make(chan []time.Duration)
	for cpu := range runtime.NumCPU() {
		go func() {
			runtime.LockOSThread()
			var only unix.CPUSet
			only.Set(cpu)
			_ = unix.SchedSetaffinity(0, &only)
			_ = unix.SchedSetAttr(0, &unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_FIFO, Priority: 2}, 0)
			var all []time.Duration
			for !done.Load() {
				begun, t := time.Now(), unix.NsecToTimespec(int64(period))
				// Raw: not to wait for a P, but to keep one.
				unix.RawSyscall(unix.SYS_NANOSLEEP, uintptr(unsafe.Pointer(&t)), 0, 0)
				all = append(all, time.Since(begun)-period)
			}
			late <- all
		}()
	}
	return func() quantiles {
		done.Store(true)
		var all []time.Duration
		for range runtime.NumCPU() {
			all = append(all, <-late...)
		}
		return sorted(all)
	}
}

// stolen returns what the hypervisor says that it gave to others so far.
func stolen(b *testing.B) time.Duration {
	all, err := os.ReadFile("/proc/stat")
	if err != nil {
		b.Fatal(err)
	}
	var skip, ticks int64 // user, nice, system, idle, iowait, irq, softirq, steal
	if _, err := fmt.Sscanf(string(all), "cpu %d %d %d %d %d %d %d %d", &skip, &skip, &skip, &skip, &skip, &skip, &skip, &ticks); err != nil {
		b.Fatalf("read /proc/stat: %v", err)
	}
	return time.Duration(ticks) * time.Second / 100
}

var sink atomic.Uint64

// peek returns when some of the events that are waiting in the ring were submitted.
func peek(r *ring) (at []int64) {
	const oneIn = 128
	for position, n := r.position(), 0; position+eventBytes <= r.end(); position, n = position+eventBytes, n+1 {
		if n%oneIn == 0 {
			// The event may wrap around, its time does not.
			submitted := position + recordHeader + uint64(unsafe.Offsetof(bpf.KernelEvent{}.Time))
			at = append(at, *(*int64)(unsafe.Pointer(&r.data[submitted&r.mask])))
		}
	}
	return at
}

func threadCPU() (time.Duration, error) {
	var t unix.Timespec
	err := unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &t)
	return time.Duration(t.Nano()), err
}

// withGoroutines returns the CPU time for an event that names one of a
// thousand goroutines, for the grid.
func withGoroutines(b *testing.B, a *agent, p *producer) float64 {
	order := p.order
	order.Goroutines, order.NumGoroutines = uint64(uintptr(unsafe.Pointer(&p.ids[0]))), uint32(len(p.ids))
	order.Hits = 20_000
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var cpu time.Duration
	var events uint64
	for range 100 {
		if err := produce(p.programs.Programs[ProducerProgProduce], order); err != nil {
			b.Fatal(err)
		}
		before, err := threadCPU()
		if err != nil {
			b.Fatal(err)
		}
		read, err := a.ingest.poll()
		if err != nil {
			b.Fatal(err)
		}
		after, err := threadCPU()
		if err != nil {
			b.Fatal(err)
		}
		cpu, events = cpu+after-before, events+read/eventBytes
	}
	return float64(cpu) / float64(events)
}
