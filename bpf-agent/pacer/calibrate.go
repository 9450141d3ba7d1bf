package pacer

import (
	"bufio"
	"errors"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// Costs is what one run of a program costs the thread that it runs on: the
// trap, if there is one, and the program, where it counts a hit.
type Costs struct {
	// Emulated is at an instruction that the kernel emulates, one trap; Stepped
	// is at one that it executes out of line, two traps.
	Emulated, Stepped time.Duration
	// Tracepoint is at a tracepoint of the kernel.
	Tracepoint time.Duration
	// Sample is at a timer's interrupt. It is assumed and not measured: at a
	// hundred samples a second it is 0.03 % of a CPU.
	Sample time.Duration
	// Measured says that this machine was measured; else it is all assumed.
	Measured bool
}

// assumed is what a small virtual machine of 2026 needs. Of costs that can't
// be measured the dear ones are right: budgets are then held too well.
var assumed = Costs{
	Emulated: 1000 * time.Nanosecond, Stepped: 12 * time.Microsecond,
	Tracepoint: 250 * time.Nanosecond, Sample: 3 * time.Microsecond,
}

// What is measured must lie within these, for a calibration that was disturbed
// must not let everything through, nor nothing.
var (
	leastCosts    = Costs{Emulated: 50 * time.Nanosecond, Stepped: 100 * time.Nanosecond, Tracepoint: 20 * time.Nanosecond}
	greatestCosts = Costs{Emulated: 20 * time.Microsecond, Stepped: 100 * time.Microsecond, Tracepoint: 10 * time.Microsecond}
)

// Of a run's cost on this machine the lower quartile of rounds counts, each of
// some milliseconds at the most: all take about a tenth of a second of CPU time.
const (
	calibrationRounds = 9
	emulatedRuns      = 2000
	steppedRuns       = 300
	tracepointRuns    = 2000
)

// Calibrate measures what runs of programs cost on this machine, on a function
// and a thread of the agent itself. With an error come costs that are assumed.
func Calibrate() (Costs, error) {
	costs, err := calibrate()
	if err != nil {
		return assumed, fmt.Errorf("calibrate the cost of probes: %w", err)
	}
	return costs, nil
}

func calibrate() (costs Costs, err error) {
	c, err := loadCalibration()
	if err != nil {
		return costs, err
	}
	defer c.Close()
	// The clock is the thread's.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	costs = Costs{Sample: assumed.Sample, Measured: true}
	if costs.Emulated, err = c.uprobe(0, emulatedRuns); err != nil {
		return costs, err
	}
	if costs.Stepped, err = c.uprobe(returnOffset, steppedRuns); err != nil {
		return costs, err
	}
	costs.Emulated = within(costs.Emulated, leastCosts.Emulated, greatestCosts.Emulated)
	costs.Stepped = max(costs.Emulated, within(costs.Stepped, leastCosts.Stepped, greatestCosts.Stepped))
	costs.Tracepoint = assumed.Tracepoint
	if c.Programs[bpf.CalibrateProgCalibrateTracepoint] != nil {
		if costs.Tracepoint, err = c.tracepoint(); err != nil {
			return costs, err
		}
		costs.Tracepoint = within(costs.Tracepoint, leastCosts.Tracepoint, greatestCosts.Tracepoint)
	}
	return costs, nil
}

func within(d, least, greatest time.Duration) time.Duration { return min(max(d, least), greatest) }

// calibration is the programs of calibrate.bpf.c, in maps that know one
// process, the agent.
type calibration struct {
	*ebpf.Collection
	multi     bool
	fileIndex uint64 // of hot in the agent's file
}

// cookie is the number of the agent's file in the maps of the calibration.
const cookie = 1

func loadCalibration() (*calibration, error) {
	c := &calibration{multi: features.HaveBPFLinkUprobeMulti() == nil}
	var err error
	if c.fileIndex, err = fileIndex(hotAddress()); err != nil {
		return nil, err
	}
	spec, err := bpf.LoadCalibrate()
	if err != nil {
		return nil, fmt.Errorf("read compiled programs: %w", err)
	}
	for name, m := range spec.Maps {
		switch {
		case m.Type == ebpf.RingBuf:
			m.MaxEntries = uint32(os.Getpagesize())
		case name == bpf.CalibrateMapCoarse:
			m.MaxEntries = probe.CoarseIndex(1, 0)
		case !strings.HasPrefix(name, "."): // but those of variables
			m.MaxEntries = 16
		}
	}
	if !c.multi {
		spec.Programs[bpf.CalibrateProgCalibrateUprobe].AttachType = ebpf.AttachNone
	}
	bounds := [256]uint64{}
	for i := range bounds {
		bounds[i] = math.MaxUint64
	}
	if err := spec.Variables[bpf.CalibrateVarBounds].Set(bounds); err != nil {
		return nil, fmt.Errorf("write bucket bounds: %w", err)
	}
	if c.Collection, err = ebpf.NewCollection(spec); err != nil {
		// A kernel without this tracepoint, or without types to find it by.
		delete(spec.Programs, bpf.CalibrateProgCalibrateTracepoint)
		if c.Collection, err = ebpf.NewCollection(spec); err != nil {
			return nil, fmt.Errorf("load programs: %w", err)
		}
	}
	slot := uint32(0)
	self := bpf.KernelProcess{
		File: cookie, Points: ^uint32(0),
		// Memory that is there to be read.
		Text: uint64(hotAddress()),
	}
	if err := errors.Join(c.Maps[bpf.CalibrateMapProcesses].Put(slot, &self), c.Maps[bpf.CalibrateMapSlots].Put(uint32(os.Getpid()), slot)); err != nil {
		c.Close()
		return nil, fmt.Errorf("note the agent as watched: %w", err)
	}
	return c, nil
}

// fileIndex returns where in the agent's file the code at an address is.
func fileIndex(address uintptr) (uint64, error) {
	maps, err := os.Open("/proc/self/maps")
	if err != nil {
		return 0, fmt.Errorf("find the agent's code: %w", err)
	}
	defer maps.Close()
	for lines := bufio.NewScanner(maps); lines.Scan(); {
		var start, end, offset uint64
		var access string
		if _, err := fmt.Sscanf(lines.Text(), "%x-%x %s %x", &start, &end, &access, &offset); err != nil {
			return 0, fmt.Errorf("find the agent's code: /proc/self/maps has %q: %w", lines.Text(), err)
		}
		if uint64(address) >= start && uint64(address) < end && strings.Contains(access, "x") {
			return uint64(address) - start + offset, nil
		}
	}
	return 0, fmt.Errorf("find the agent's code: nothing is mapped at %#x", address)
}

// uprobe measures a run at an instruction of hot.
func (c *calibration) uprobe(offset uint64, runs int) (time.Duration, error) {
	executable, err := link.OpenExecutable("/proc/self/exe")
	if err != nil {
		return 0, fmt.Errorf("open the agent's executable: %w", err)
	}
	at := c.fileIndex + offset
	work := func() {
		for range runs {
			hot()
		}
	}
	return c.measure(runs, work, func() (link.Link, error) {
		if c.multi {
			return executable.UprobeMulti(nil, c.Programs[bpf.CalibrateProgCalibrateUprobe], &link.UprobeMultiOptions{Addresses: []uint64{at}, Cookies: []uint64{cookie}})
		}
		return executable.Uprobe("", c.Programs[bpf.CalibrateProgCalibrateUprobe], &link.UprobeOptions{Address: at, Cookie: cookie})
	})
}

// tracepoint measures a run at a tracepoint that hardly anybody else passes:
// the naming of threads. The thread is given the name that it has.
func (c *calibration) tracepoint() (time.Duration, error) {
	name := make([]byte, 16)
	if err := unix.Prctl(unix.PR_GET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0); err != nil {
		return 0, fmt.Errorf("read the thread's name: %w", err)
	}
	work := func() {
		// The program reads a word of hot's page. When a uprobe leaves, the
		// kernel takes the page away until it is touched: each read would fault.
		hot()
		for range tracepointRuns {
			_ = unix.Prctl(unix.PR_SET_NAME, uintptr(unsafe.Pointer(&name[0])), 0, 0, 0)
		}
	}
	return c.measure(tracepointRuns, work, func() (link.Link, error) {
		return link.AttachTracing(link.TracingOptions{Program: c.Programs[bpf.CalibrateProgCalibrateTracepoint]})
	})
}

// measure returns what work needs more with the program than without, per
// run. It makes sure that the program did run.
func (c *calibration) measure(runs int, work func(), attach func() (link.Link, error)) (time.Duration, error) {
	without, err := rounds(work)
	if err != nil {
		return 0, err
	}
	before, err := c.runs()
	if err != nil {
		return 0, err
	}
	l, err := attach()
	if err != nil {
		return 0, fmt.Errorf("attach to the agent itself: %w", err)
	}
	with, err := rounds(work)
	if e := l.Close(); e != nil && err == nil {
		err = fmt.Errorf("detach from the agent itself: %w", e)
	}
	if err != nil {
		return 0, err
	}
	after, err := c.runs()
	if err != nil {
		return 0, err
	}
	if want := uint64(runs * calibrationRounds); after-before < want {
		return 0, fmt.Errorf("the program ran %d times of %d", after-before, want)
	}
	return (with - without) / time.Duration(runs), nil
}

// runs is how often the programs have counted a hit.
func (c *calibration) runs() (n uint64, err error) {
	var perCPU []bpf.KernelSlotTallies
	if err := c.Maps[bpf.CalibrateMapTallies].Lookup(uint32(0), &perCPU); err != nil {
		return 0, fmt.Errorf("read the runs of the calibration: %w", err)
	}
	for _, one := range perCPU {
		n += one.Of[bpf.KernelPointGOROUTINE_EXIT].Counted
	}
	return n, nil
}

// rounds returns the CPU time of this thread that one of its rounds of work takes.
func rounds(work func()) (time.Duration, error) {
	work() // what is touched first is paid for here
	took := make([]time.Duration, calibrationRounds)
	for i := range took {
		before, err := cpuClock(unix.CLOCK_THREAD_CPUTIME_ID)
		if err != nil {
			return 0, err
		}
		work()
		after, err := cpuClock(unix.CLOCK_THREAD_CPUTIME_ID)
		if err != nil {
			return 0, err
		}
		took[i] = after - before
	}
	return undisturbed(took), nil
}

// undisturbed returns what a round takes by itself, and sorts rounds. Whatever
// else the machine does can only add to a round's time: interrupts, cold
// caches, a busy sibling of the CPU. So the lower quartile is nearer to the
// truth than the median, and what more than half of the rounds suffered does
// not make probes look dear and be shed for nothing. The least would hang on one round.
func undisturbed(rounds []time.Duration) time.Duration {
	slices.Sort(rounds)
	return rounds[len(rounds)/4]
}

func cpuClock(id int32) (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(id, &t); err != nil {
		return 0, fmt.Errorf("read CPU clock %#x: %w", id, err)
	}
	return time.Duration(t.Nano()), nil
}

// of returns what a run of a program at a probe's place costs.
func (c Costs) of(p probe.Probe, kind ebpf.ProgramType) time.Duration {
	switch {
	case kind == ebpf.PerfEvent:
		return c.Sample
	case kind != ebpf.Kprobe:
		return c.Tracepoint
	case p.Kind == goproc.SiteReturn:
		return c.Stepped
	}
	return c.Emulated
}
