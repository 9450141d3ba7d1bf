// Package probe holds the catalogue of measurement points, loads the programs
// that take them, attaches those to running Go processes, and detaches them.
package probe

import (
	"errors"
	"fmt"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// The street begins here: this is all there is to measure. A hit of these
// probes becomes a count in bpf-agent/bpf/sched.bpf.c.

// Point is a measurement point, POM: a place in a program's life where a
// duration or a count is taken.
type Point struct {
	Name string
	// Unit is "ns" for durations, "By" for bytes and "1" for counts.
	Unit string
	// Tier says what a hit's rate makes of its cost: T1 a few per garbage
	// collection, T2 sampled, T3 for each event.
	Tier string
	Help string
	// Dimensions by which it can be split.
	Dimensions []string
	// OnDemand points are watched only after [Watcher.RequestAttach].
	OnDemand bool
	// Window is for how long of each second one on demand is attached, when not
	// for all of it.
	Window time.Duration
	// Goroutines says that events name the goroutine: there is a grid.
	Goroutines bool
	// Reason names the number of a reason, where "reason" is a dimension.
	Reason func(b *goproc.Binary, number uint8) string
	// Extra names what else events carry, in order; see [Extra].
	Extra []string
	// Probes that feed it, in the order of attaching.
	Probes []Probe
	// needs says what a binary lacks for this point.
	needs func(*goproc.Binary) error
}

// What events may carry beside their value: see [Point.Extra].
const (
	// ExtraP is the number of the P plus one, 0 when unknown.
	ExtraP = "p"
	// ExtraHeapLive, ExtraHeapGoal and ExtraHeapTrigger are of the heap when it
	// ended, before the world ran on, in bytes: read from the process then. The
	// trigger is where this collection began or, at its end, where the next will.
	ExtraHeapLive    = "heap_live"
	ExtraHeapGoal    = "heap_goal"
	ExtraHeapTrigger = "heap_trigger"
	// ExtraTraceHigh and ExtraTraceLow are the halves of a W3C trace id.
	ExtraTraceHigh = "trace_high"
	ExtraTraceLow  = "trace_low"
)

// Probe is a program of package bpf at a place of a function, or of the kernel.
type Probe struct {
	// Function of the process; "" for a program of a tracepoint of the kernel, or
	// of the clock of its CPUs, which is attached once for all processes.
	Function string
	// Kind is SiteReturn for all returns, SiteTail for the last place that all
	// calls pass and that the kernel emulates, else the first such place.
	Kind    goproc.SiteKind
	Program string
	// Otherwise are functions to take, the first that can be had, where the
	// binary's Go release has no such function.
	Otherwise []string
	// Changes are, where Kind is SiteTransition, the changes of a goroutine's
	// status to be at: all calls of Function, which is casgstatus, that make one
	// of them, or may.
	Changes []Change
	// Also names functions that the program goes to as well, where a binary
	// has them: other places of the same event.
	Also func(*goproc.Binary) []string
	// Optional is a probe without which the point is only told less of.
	Optional bool
	// Emulated leaves out those sites of a tail that the kernel does not emulate.
	// These are of ways out that are no matter, or where a function of Also was
	// called, which has its own tail.
	Emulated bool
}

// Change of a goroutine's status.
type Change struct {
	// From and To are what it was and becomes; StatusUnknown is any.
	From, To goproc.Status
	// By are the functions that make it; nil is any.
	By []string
}

var (
	processDimensions = []string{"service", "version", "process"}
	pauseDimensions   = append(processDimensions[:3:3], "node", "cpu", "reason")
	heapExtra         = []string{ExtraP, ExtraHeapLive, ExtraHeapGoal, ExtraHeapTrigger}
)

// The return is attached before the push: a pause that is seen to begin is
// also seen to end.
var pauseProbes = []Probe{
	{Function: "runtime.startTheWorldWithSema", Kind: goproc.SiteReturn, Program: bpf.KernelProgGcStarted},
	{Function: "runtime.gcstopm", Kind: goproc.SitePush, Program: bpf.KernelProgGcStop},
	{Function: "runtime.startTheWorldWithSema", Kind: goproc.SitePush, Program: bpf.KernelProgGcStart},
}

var cycleProbes = []Probe{pauseProbes[0], pauseProbes[2]}

// Where goroutines become runnable is where they end to wait, too: points that
// both need it share the link.
var (
	readyProbe = changeProbe(bpf.KernelProgGoroutineReady, Change{goproc.StatusUnknown, goproc.Runnable, nil})
	// A goroutine is created Runnable, or Waiting when it is a coroutine.
	createProbe = changeProbe(bpf.KernelProgGoroutineCreate, Change{goproc.Dead, goproc.Runnable, nil}, Change{goproc.Dead, goproc.Waiting, nil})
	exitProbe   = changeProbe(bpf.KernelProgGoroutineExit, Change{goproc.Running, goproc.Dead, nil})
)

func changeProbe(program string, changes ...Change) Probe {
	return Probe{Function: "runtime.casgstatus", Kind: goproc.SiteTransition, Program: program, Changes: changes}
}

// What an assist marks is done on the system stack. The collection's goal and
// trigger are from its beginning.
var assistProbes = []Probe{
	pauseProbes[2],
	{Function: "runtime.gcAssistAlloc", Kind: goproc.SiteSystemStack, Program: bpf.KernelProgGcAssisted},
	{Function: "runtime.gcAssistAlloc1", Kind: goproc.SitePush, Program: bpf.KernelProgGcAssist},
}

// specialMallocs are called by the compiler instead of mallocgc, or by it: of
// small objects, since Go 1.27. (src/runtime/malloc_generated.go)
var specialMallocs = []string{
	"runtime.mallocgcTinySC2", "runtime.mallocgcTinySlowPath",
	"runtime.mallocgcSmallNoScanSC2", "runtime.mallocgcSmallNoScanSC3", "runtime.mallocgcSmallNoScanSC4",
	"runtime.mallocgcSmallNoScanSC5", "runtime.mallocgcSmallNoScanSC6", "runtime.mallocgcSmallNoScanSC7",
	"runtime.mallocgcSmallNoScanSlowPath",
	"runtime.mallocgcSmallScanNoHeaderSC1", "runtime.mallocgcSmallScanNoHeaderSC2", "runtime.mallocgcSmallScanNoHeaderSC3",
	"runtime.mallocgcSmallScanNoHeaderSC4", "runtime.mallocgcSmallScanNoHeaderSC5", "runtime.mallocgcSmallScanNoHeaderSC6",
	"runtime.mallocgcSmallScanNoHeaderSC7", "runtime.mallocgcSmallScanSlowPath",
}

func alsoMalloc(*goproc.Binary) []string { return specialMallocs }

var mallocProbes = []Probe{
	{Function: "runtime.mallocgc", Also: alsoMalloc, Kind: goproc.SiteTail, Emulated: true, Program: bpf.KernelProgAllocated},
	{Function: "runtime.mallocgc", Also: alsoMalloc, Kind: goproc.SitePush, Program: bpf.KernelProgAlloc},
}

// Catalogue is every measurement point; the index is the point's number in the
// kernel. Documentation, the query editor's list, /metrics help and the API
// are made from it.
var Catalogue = []Point{
	bpf.KernelPointGC_STW: {
		Name:       "gc.stw",
		Unit:       "ns",
		Tier:       "T1",
		Help:       "Time the world was stopped, from the order to stop to the start, by reason, and by NUMA node and CPU of the last P to stop.",
		Dimensions: pauseDimensions,
		Reason:     stopReason,
		Extra:      heapExtra,
		Probes:     pauseProbes,
		needs:      needsStarted,
	},
	bpf.KernelPointGC_STW_STOPPING: {
		Name:       "gc.stw.stopping",
		Unit:       "ns",
		Tier:       "T1",
		Help:       "The part of gc.stw from the order to stop until the last P has stopped.",
		Dimensions: pauseDimensions,
		Reason:     stopReason,
		Extra:      heapExtra,
		Probes:     pauseProbes,
		needs:      needsStopped,
	},
	bpf.KernelPointGC_STW_STOPPED: {
		Name:       "gc.stw.stopped",
		Unit:       "ns",
		Tier:       "T1",
		Help:       "The part of gc.stw in which all Ps were stopped.",
		Dimensions: pauseDimensions,
		Reason:     stopReason,
		Extra:      heapExtra,
		Probes:     pauseProbes,
		needs:      needsStopped,
	},
	bpf.KernelPointGC_CYCLE: {
		Name:       "gc.cycle",
		Unit:       "ns",
		Tier:       "T1",
		Help:       "Time of a garbage collection, from the order to stop the world for it to the end of mark termination.",
		Dimensions: processDimensions,
		Extra:      heapExtra,
		Probes:     cycleProbes,
		needs:      needsStarted,
	},
	bpf.KernelPointGC_MARK: {
		Name:       "gc.mark",
		Unit:       "ns",
		Tier:       "T1",
		Help:       "The part of gc.cycle in which marking runs beside the program, between its two pauses.",
		Dimensions: processDimensions,
		Extra:      heapExtra,
		Probes:     cycleProbes,
		needs:      needsStarted,
	},
	bpf.KernelPointGC_ASSIST: {
		Name: "gc.assist",
		Unit: "ns",
		Tier: "T2",
		Help: "Time that a goroutine which allocates marked for the collector, as the runtime counts it in /cpu/classes/gc/mark/assist, by start function and NUMA node. " +
			"What it waits for others to mark is goroutine.wait.",
		Dimensions: append(processDimensions[:3:3], "node", "function"),
		Goroutines: true,
		Extra:      heapExtra,
		Probes:     assistProbes,
		needs:      needsAssist,
	},
	bpf.KernelPointALLOC_LATENCY: {
		Name: "alloc.latency",
		Unit: "ns",
		Tier: "T3",
		Help: "Time to allocate an object, in mallocgc and, since Go 1.27, in the functions that the compiler calls instead of it, by NUMA node and start function; assists of the collector are in it. " +
			"It is seen for 20 ms of each second, so its count is of what was seen, and it has one trap too much, about a microsecond, so it tells slow ones from each other and not fast ones. " +
			"Objects of no size are not seen, nor is what a special allocator of the runtime takes; and of one that starts a collection, the start is part of it from Go 1.24 to 1.26 only.",
		Dimensions: append(processDimensions[:3:3], "node", "function"),
		OnDemand:   true,
		Window:     20 * time.Millisecond,
		Goroutines: true,
		Probes:     mallocProbes,
		needs:      needsAlloc,
	},
	bpf.KernelPointKSM_MERGE: {
		Name:       "ksm.merge",
		Unit:       "1",
		Tier:       "T1",
		Help:       "Pages of the process that the kernel has merged with equal ones (KSM), by the NUMA node on which the merging thread ran. Only memory that was advised MADV_MERGEABLE is merged.",
		Dimensions: append(processDimensions[:3:3], "node"),
		Probes:     []Probe{{Program: bpf.KernelProgKsmMerge}, {Program: bpf.KernelProgKsmMergeZeros}},
	},
	// Up to Go 1.25 goroutines that come back from a system call are in the
	// population, most of them with 0; since Go 1.26 they are not
	// (golang/go#79391). So the two can't be compared.
	bpf.KernelPointSCHED_LATENCY: {
		Name:       "sched.latency",
		Unit:       "ns",
		Tier:       "T2",
		Help:       "Time from runnable to running, of the one in 8 transitions of a goroutine that the runtime samples, by start function and by NUMA node on which it runs.",
		Dimensions: append(processDimensions[:3:3], "node", "function"),
		Goroutines: true,
		Probes:     []Probe{{Function: "runtime.(*timeHistogram).record", Kind: goproc.SitePush, Program: bpf.KernelProgSchedLatency}},
		needs:      needsLatency,
	},
	// What goproc.Transitions says of the sites: this is each transition that the
	// runtime can sample for sched.latency. It records a 0 as well where a
	// goroutine was marked, its stack moved, or (up to Go 1.25) came back from a
	// system call: these were never runnable, and are not here.
	bpf.KernelPointSCHED_LATENCY_EXACT: {
		Name:       "sched.latency.exact",
		Unit:       "ns",
		Tier:       "T3",
		Help:       "Time from runnable to running, of every transition of a goroutine whose begin was seen, by start function and by NUMA node on which it runs.",
		Dimensions: append(processDimensions[:3:3], "node", "function"),
		OnDemand:   true,
		Goroutines: true,
		// The end first: what is seen to begin is also seen to end.
		Probes: []Probe{
			changeProbe(bpf.KernelProgSchedRun, Change{goproc.Runnable, goproc.Running, nil}),
			readyProbe,
		},
		needs: needsStartpc,
	},
	bpf.KernelPointGOROUTINE_CREATE: {
		Name:       "goroutine.create",
		Unit:       "1",
		Tier:       "T3",
		Help:       "Goroutines created, by start function.",
		Dimensions: append(processDimensions[:3:3], "function"),
		OnDemand:   true,
		Probes:     []Probe{createProbe},
		needs:      needsStartpc,
	},
	bpf.KernelPointGOROUTINE_EXIT: {
		Name:       "goroutine.exit",
		Unit:       "1",
		Tier:       "T3",
		Help:       "Goroutines ended, by start function.",
		Dimensions: append(processDimensions[:3:3], "function"),
		OnDemand:   true,
		Goroutines: true,
		Probes:     []Probe{exitProbe},
		needs:      needsStartpc,
	},
	bpf.KernelPointGOROUTINE_LIFETIME: {
		Name:       "goroutine.lifetime",
		Unit:       "ns",
		Tier:       "T3",
		Help:       "Time from creation to end of goroutines that were seen to be created, by start function.",
		Dimensions: append(processDimensions[:3:3], "function"),
		OnDemand:   true,
		Goroutines: true,
		Probes:     []Probe{exitProbe, createProbe},
		needs:      needsStartpc,
	},
	// The network poller and the garbage collector ready goroutines without
	// calling ready: where they change the status is the end as well.
	bpf.KernelPointGOROUTINE_WAIT: {
		Name:       "goroutine.wait",
		Unit:       "ns",
		Tier:       "T3",
		Help:       "Time from parking to being made runnable, of goroutines that were seen to park, by wait reason and start function.",
		Dimensions: append(processDimensions[:3:3], "function", "reason"),
		Reason:     waitReason,
		OnDemand:   true,
		Goroutines: true,
		Probes: []Probe{
			readyProbe,
			changeProbe(bpf.KernelProgGoroutinePark, Change{goproc.Running, goproc.Waiting, []string{"runtime.park_m", "runtime.coroswitch_m"}}),
			{Function: "runtime.preemptPark", Kind: goproc.SitePush, Program: bpf.KernelProgGoroutinePreempt},
		},
		needs: needsWaitReason,
	},
	bpf.KernelPointONCPU: {
		Name:       "oncpu",
		Unit:       "1",
		Tier:       "T2",
		Help:       "Samples of what is on a CPU, 99 a second of each, by goroutine, start function and pprof label; of those without a goroutine, the reason says what it is.",
		Dimensions: append(processDimensions[:3:3], "node", "cpu", "reason", "function", "label"),
		Goroutines: true,
		Reason:     holder,
		Probes:     []Probe{{Program: bpf.KernelProgOncpu}},
		needs:      needsThread,
	},
	bpf.KernelPointHTTP_REQUEST: {
		Name:       "http.request",
		Unit:       "ns",
		Tier:       "T2",
		Help:       "Time from the call of a handler by net/http until the answer is sent, by route, by NUMA node, and by the depth of the deepest kernel stack in which the request's goroutine sent over TCP (0: it did not).",
		Dimensions: append(processDimensions[:3:3], "node", "route", "depth"),
		Extra:      []string{ExtraTraceHigh, ExtraTraceLow},
		Probes:     requestProbes,
		needs:      needsRequest,
	},
	bpf.KernelPointTCP_SEND: {
		Name:       "tcp.send",
		Unit:       "ns",
		Tier:       "T2",
		Help:       "Time in the kernel of a send over TCP, from when it has the socket's lock, by NUMA node, by the route of the request whose goroutine sends, and by depth of the kernel stack.",
		Dimensions: append(processDimensions[:3:3], "node", "route", "depth"),
		Extra:      []string{ExtraTraceHigh, ExtraTraceLow},
		Probes:     []Probe{{Program: bpf.KernelProgTcpSent}, {Program: bpf.KernelProgTcpSending}},
	},
	bpf.KernelPointTCP_SEND_BYTES: {
		Name:       "tcp.send.bytes",
		Unit:       "By",
		Tier:       "T2",
		Help:       "Bytes that a send over TCP has handed to the kernel, of those that handed over any; dimensions as those of tcp.send.",
		Dimensions: append(processDimensions[:3:3], "node", "route", "depth"),
		Extra:      []string{ExtraTraceHigh, ExtraTraceLow},
		Probes:     []Probe{{Program: bpf.KernelProgTcpSent}, {Program: bpf.KernelProgTcpSending, Optional: true}},
	},
	bpf.KernelPointTCP_ACCEPT: {
		Name:       "tcp.accept",
		Unit:       "ns",
		Tier:       "T2",
		Help:       "Time that a TCP connection waits from when it is established until package net has accepted it, by NUMA node on which it is accepted.",
		Dimensions: append(processDimensions[:3:3], "node"),
		Probes: []Probe{
			{Function: "net.newTCPConn", Kind: goproc.SitePush, Program: bpf.KernelProgTcpAccept},
			{Program: bpf.KernelProgTcpEstablished},
		},
		needs: needsAccept,
	},
}

// PointNumber returns the index of a point in the catalogue.
func PointNumber(name string) (int, error) {
	for i, p := range Catalogue {
		if p.Name == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("measurement point %q is not in the catalogue", name)
}

// What startTheWorldWithSema is handed: when stopping began since Go 1.22, and
// when the world had stopped since Go 1.23.
const (
	firstStartedMinor  = 22
	firstFinishedMinor = 23
	lastStartedMinor   = 27
)

func needsStopped(b *goproc.Binary) error { return needsStart(b, firstFinishedMinor) }

func needsStarted(b *goproc.Binary) error { return needsStart(b, firstStartedMinor) }

func needsStart(b *goproc.Binary, first int) error {
	if b.Minor < first || b.Minor > lastStartedMinor {
		return fmt.Errorf("arguments of startTheWorldWithSema that it takes are known for Go 1.%d to 1.%d, this is %s", first, lastStartedMinor, b.GoVersion)
	}
	if b.Offsets.GM == 0 || b.Offsets.MP == 0 {
		return errors.New("offsets of g.m and m.p are not known")
	}
	return nil
}

func needsAssist(b *goproc.Binary) error {
	return errors.Join(needsStarted(b), needsStartpc(b))
}

// lastMallocMinor is the last release whose ways to allocate are known.
const lastMallocMinor = 27

func needsAlloc(b *goproc.Binary) error {
	if b.Minor > lastMallocMinor {
		return fmt.Errorf("functions that allocate are known up to Go 1.%d, this is %s", lastMallocMinor, b.GoVersion)
	}
	return needsStartpc(b)
}

func needsLatency(b *goproc.Binary) error {
	if b.Offsets.TimeToRun == 0 {
		return errors.New("address of runtime.sched.timeToRun is not known")
	}
	if b.Offsets.GM == 0 || b.Offsets.MCurg == 0 {
		return errors.New("offsets of g.m and m.curg are not known")
	}
	return needsStartpc(b)
}

func needsStartpc(b *goproc.Binary) error {
	if b.Offsets.GStartpc == 0 || b.Offsets.GGoid == 0 {
		return errors.New("offsets of g.startpc and g.goid are not known")
	}
	return nil
}

// needsThread says what is lacking to know the goroutine that a thread runs.
func needsThread(b *goproc.Binary) error {
	if _, err := b.TLSOffset(); err != nil {
		return err
	}
	if b.Offsets.GM == 0 || b.Offsets.MCurg == 0 {
		return errors.New("offsets of g.m and m.curg are not known")
	}
	return needsStartpc(b)
}
