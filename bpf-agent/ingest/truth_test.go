package ingest

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What gotherm sees is held against what the target's own runtime says.

// build is how a target is built.
type build struct {
	name    string
	release string // "" is the one that runs the tests
	flags   []string
}

var thisGo = build{name: "this Go"}

func builds() []build {
	all := []build{thisGo}
	if testing.Short() {
		return all
	}
	return append(all,
		build{name: "stripped", flags: []string{"-ldflags=-s -w"}},
		build{name: "position-independent", flags: []string{"-buildmode=pie"}},
		build{name: "go1.23", release: "go1.23.12"},
		build{name: "go1.24", release: "go1.24.13"},
		build{name: "go1.25", release: "go1.25.14"},
	)
}

var gcReasons = heat.Matcher{Dimension: "reason", Values: []string{"mark termination", "sweep termination"}}

// pauses is what was seen of a target's garbage collections, and what its runtime says.
type pauses struct {
	count, wantCount uint64
	sum, wantSum     uint64
	stopping         uint64
	stopped          uint64
}

func (p pauses) sumRatio() float64 { return float64(p.sum) / float64(p.wantSum) }

func seePauses(t testing.TB, b build, collections int) pauses {
	t.Helper()
	program := target.Start(t, target.Build(t, b.release, b.flags...))
	a := watch(t, probe.Options{}, program.PID())
	before := program.Ask("stats")
	after := program.Ask("collect %d", collections)
	a.flush()
	seen := a.total("gc.stw", gcReasons)
	return pauses{
		count: seen.Count(), wantCount: 2 * uint64(after.NumGC-before.NumGC),
		sum: seen.Sum, wantSum: uint64(after.PauseTotal - before.PauseTotal),
		stopping: a.total("gc.stw.stopping", gcReasons).Sum,
		stopped:  a.total("gc.stw.stopped", gcReasons).Sum,
	}
}

func TestPausesAreThoseThatTheRuntimeReports(t *testing.T) {
	for _, b := range builds() {
		t.Run(b.name, func(t *testing.T) {
			p := seePauses(t, b, 100)
			if r := p.sumRatio(); r < 0.99 || r > 1.01 {
				t.Errorf("sum of pauses is %d, PauseTotal %d: ratio %.4f, must be within 0.99 and 1.01", p.sum, p.wantSum, r)
			}
			if d := int64(p.count - p.wantCount); d < -2 || d > 2 {
				t.Errorf("%d pauses, twice NumGC is %d", p.count, p.wantCount)
			}
			if p.stopping+p.stopped != p.sum {
				t.Errorf("stopping %d + stopped %d is not gc.stw %d", p.stopping, p.stopped, p.sum)
			}
		})
	}
}

func TestPausesHaveTheRuntimesReason(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	program.Ask("memstats 7")
	a.flush()
	if n := a.total("gc.stw", heat.Matcher{Dimension: "reason", Values: []string{"read mem stats"}}).Count(); n != 7 {
		t.Errorf("%d pauses to read mem stats, there were 7", n)
	}
	for _, k := range a.head.Keys("gc.stw", nil) {
		if k.Node == 0 || k.CPU == 0 {
			t.Errorf("a pause without node or CPU: %+v", k)
		}
	}
}

func TestPauseSaysWhichPItWaitedFor(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	program.Ask("collect 20")
	ring, err := openRing(a.kernel.Events)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.close()
	pauses, seen := 0, map[int]int{}
	if err := ring.read(ring.end(), func(record []byte) {
		e, extra, err := decode(record)
		if err != nil {
			t.Error(err)
			return
		}
		if e.Key.Point != uint8(bpf.KernelPointGC_STW) {
			return
		}
		pauses++
		if p := extra[0] - 1; p >= uint64(runtime.GOMAXPROCS(0)) {
			t.Errorf("a pause waited for P %d, there are %d", p, runtime.GOMAXPROCS(0))
		}
		// The kernel links each CPU to its node; a kernel without NUMA has no such link, and one node.
		cpu, node := int(e.Key.Cpu)-1, int(e.Key.Node)-1
		if _, err := os.Stat(fmt.Sprintf("/sys/devices/system/cpu/cpu%d", cpu)); err != nil {
			t.Errorf("a pause waited for CPU %d: %v", cpu, err)
		}
		if _, err := os.Stat(fmt.Sprintf("/sys/devices/system/cpu/cpu%d/node%d", cpu, node)); err != nil && node != 0 {
			t.Errorf("a pause waited for CPU %d, and for node %d, where it is not: %v", cpu, node, err)
		}
		seen[node]++
	}); err != nil {
		t.Fatal(err)
	}
	t.Logf("pauses by node: %v", seen)
	if pauses < 40 {
		t.Errorf("%d pauses were carried, there were 40 or more", pauses)
	}
}

// latencies is what was seen of a target's scheduler, and what its runtime says.
type latencies struct {
	count, wantCount uint64
	seen             *heat.Histogram
	bounds           []float64
	counts           []uint64
	// named is how many have a start function.
	named uint64
}

func (l latencies) countRatio() float64 { return float64(l.count) / float64(l.wantCount) }

func seeLatencies(t testing.TB, b build, passes int) latencies {
	t.Helper()
	program := target.Start(t, target.Build(t, b.release, b.flags...))
	a := watch(t, probe.Options{}, program.PID())
	before := program.Ask("stats")
	a.flush()
	first := a.total("sched.latency").Count()
	after := program.Ask("switch %d", passes)
	program.Freeze()
	defer program.Thaw()
	a.flush()
	a.checkConserved("sched.latency")
	l := latencies{
		seen:   a.total("sched.latency"),
		bounds: after.LatencyBounds, counts: after.LatencyCounts,
		wantCount: after.Latencies() - before.Latencies(),
		// What a go statement with arguments starts: it calls main.member.
		named: a.total("sched.latency", heat.Matcher{Dimension: "function", Values: []string{"main.passAround.gowrap1"}}).Count(),
	}
	l.count = l.seen.Count() - first
	for i := range l.counts {
		l.counts[i] -= before.LatencyCounts[i]
	}
	return l
}

// runtimeQuantile returns the bounds of the runtime's bucket that a quantile
// falls in, and those of its neighbours.
func (l latencies) runtimeQuantile(q float64) (lower, upper float64) {
	rank, below := q*float64(l.wantCount), 0.0
	for i, n := range l.counts {
		below += float64(n)
		if below >= rank {
			return l.bounds[max(i-1, 0)], l.bounds[min(i+2, len(l.bounds)-1)]
		}
	}
	return math.NaN(), math.NaN()
}

func TestLatenciesAreThoseThatTheRuntimeReports(t *testing.T) {
	for _, b := range builds() {
		t.Run(b.name, func(t *testing.T) {
			l := seeLatencies(t, b, 100_000)
			if r := l.countRatio(); r < 0.98 || r > 1.02 {
				t.Errorf("%d latencies, the runtime counted %d: ratio %.4f, must be within 0.98 and 1.02", l.count, l.wantCount, r)
			}
			for _, q := range []float64{0.5, 0.99} {
				got := l.seen.Quantile(q)
				lower, upper := l.runtimeQuantile(q)
				// A bucket of ours more to either side.
				if got < lower*math.Exp2(-1./8) || got > upper*math.Exp2(1./8) {
					t.Errorf("quantile %g is %.0f ns, the runtime's is within %.0f and %.0f ns", q, got, lower, upper)
				}
			}
			if float64(l.named) < 0.9*float64(l.count) {
				t.Errorf("%d of %d latencies are of main.member, which does nearly all the waiting", l.named, l.count)
			}
		})
	}
}

// BenchmarkTruth reports the ratios of what is seen to what is so: all must be 1.
func BenchmarkTruth(b *testing.B) {
	for b.Loop() {
		for name, ratio := range map[string]float64{
			"stw_sum_ratio":        seePauses(b, thisGo, 100).sumRatio(),
			"sched_count_ratio":    seeLatencies(b, thisGo, 100_000).countRatio(),
			"sched_exact_ratio":    seeExact(b, thisGo, pingPong).ratio(),
			"sched_exact_gc_ratio": seeExact(b, thisGo, collecting).ratio(),
			"goid_match":           worstGoids(b),
			"request_count_ratio":  shopRatio(b),
			"conservation_ratio":   seeOverload(b, probe.Options{}).ratio(),
		} {
			fmt.Printf("%s %.6f\n", name, ratio)
			b.ReportMetric(ratio, name)
		}
	}
	b.ReportMetric(0, "ns/op")
}

// overload is what becomes of hits when nobody reads the ring.
type overload struct{ hits, heat uint64 }

func (o overload) ratio() float64 { return float64(o.heat) / float64(o.hits) }

// seeOverload offers more events than the ring has room for while its reader
// stands still: those that find no room are counted.
func seeOverload(t testing.TB, options probe.Options) overload {
	t.Helper()
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, options, program.PID())
	a.rateLimit(program.PID(), 0)
	alwaysOpen(t, "alloc.latency")
	for _, pom := range append([]string{"alloc.latency"}, goroutinePoints...) {
		a.attach(program.PID(), pom, time.Minute)
	}
	program.Ask("allocate %d", 1000)
	program.Ask("assist %d", 1)
	program.Ask("spawn %d", 50_000)
	program.Ask("switch %d", 20_000)
	program.Ask("collect %d", 5)
	program.Ask("load")
	a.waitFor("requests to be served", func() bool { return program.Ask("stats").Served > 100 })
	program.Ask("unload")
	program.Freeze()
	defer program.Thaw()
	a.flush()
	var o overload
	var carried, counted, coarse uint64
	for i := range probe.Catalogue {
		one := a.checkConserved(probe.Catalogue[i].Name)
		o.hits += one.Hits
		o.heat += a.head.Total(one.POM)
		carried += one.Carried
		counted += one.Counted
		coarse += one.Coarse
		// Pages are merged when the machine has time: see TestMergedPagesAreCounted.
		if one.Hits == 0 && one.POM != "ksm.merge" && a.point(program.PID(), one.POM).State != probe.Refused {
			t.Errorf("%s was not hit", one.POM)
		}
	}
	if carried == 0 || counted == 0 {
		t.Errorf("carried %d, counted %d: the ring was not overrun", carried, counted)
	}
	if small := options.MaxCounters != 0; small != (coarse > 0) {
		t.Errorf("%d counted without dimensions; counters were limited: %v", coarse, small)
	}
	return o
}

func TestNothingIsLostWhenTheRingIsNotRead(t *testing.T) {
	if r := seeOverload(t, probe.Options{}).ratio(); r != 1 {
		t.Errorf("heat is %g of the hits", r)
	}
}

func TestNothingIsLostWhenTheCountersAreFullToo(t *testing.T) {
	if r := seeOverload(t, probe.Options{MaxCounters: 8}).ratio(); r != 1 {
		t.Errorf("heat is %g of the hits", r)
	}
}

func TestNothingIsLostWhileTheRingIsReadAndProcessesGo(t *testing.T) {
	path := target.Build(t, "")
	one, other := target.Start(t, path), target.Start(t, path)
	a := watch(t, probe.Options{}, one.PID(), other.PID())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.ingest.Run(ctx) }()
	for _, program := range []*target.Target{one, other} {
		a.rateLimit(program.PID(), 10*time.Microsecond)
		a.attach(program.PID(), "goroutine.exit", time.Minute)
		program.Tell("spawn 50000")
		program.Tell("switch 50000")
		program.Tell("collect 5")
	}
	for range 3 {
		one.Answer()
	}
	one.Stop()
	a.waitFor("the slot to be free", func() bool { return len(a.kernel.Slots()) == 1 })
	for range 3 {
		other.Answer()
	}
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	other.Freeze()
	defer other.Thaw()
	a.flush()
	for _, pom := range []string{"gc.stw", "gc.stw.stopping", "gc.stw.stopped", "sched.latency", "goroutine.exit"} {
		if one := a.checkConserved(pom); one.Hits == 0 {
			t.Errorf("%s was not hit", pom)
		}
	}
	a.checkLeavesEnded(100_000)
}
