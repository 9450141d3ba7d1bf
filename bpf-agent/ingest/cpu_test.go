package ingest

import (
	"fmt"
	"math"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What gotherm samples is held against what the kernel and the target itself
// say of the CPU time that was taken.

// testRate makes more of a second than the agent's rate does: the error of n
// samples is their square root.
const testRate = 997

// burning is where a target's CPU time went, in samples.
type burning struct {
	samples uint64
	// expected is the target's CPU time, by the kernel, in samples.
	expected float64
	holders  map[string]uint64
	// labels and functions have the samples of goroutines.
	labels, functions map[string]uint64
	agent             *agent
}

func (b burning) ratio() float64 { return float64(b.samples) / b.expected }

// seeBurning lets a target burn 8 units of a number of milliseconds.
func seeBurning(t testing.TB, b build, unit int) burning {
	t.Helper()
	program := target.Start(t, target.Build(t, b.release, b.flags...))
	a := watch(t, probe.Options{SampleRate: testRate}, program.PID())
	program.Ask("stats")
	program.Freeze()
	a.flush()
	before, samples := cpuTime(t, program.PID()), a.total("oncpu").Count()
	program.Thaw()
	program.Ask("burn %d", unit)
	program.Freeze()
	defer program.Thaw()
	a.flush()
	a.checkConserved("oncpu")
	seen := burning{
		samples:  a.total("oncpu").Count() - samples,
		expected: (cpuTime(t, program.PID()) - before).Seconds() * testRate,
		holders:  map[string]uint64{}, labels: map[string]uint64{}, functions: map[string]uint64{},
		agent: a,
	}
	for _, k := range a.head.Keys("oncpu", nil) {
		n := a.total("oncpu", matchersOf(k)...).Count()
		seen.holders[k.Reason] += n
		if k.Reason == "goroutine" {
			seen.labels[k.Label] += n
			seen.functions[k.Function] += n
		}
		if k.Node == 0 || k.CPU == 0 {
			t.Errorf("samples without node or CPU: %+v", k)
		}
	}
	return seen
}

// matchersOf chooses one series of a process.
func matchersOf(k heat.Key) (all []heat.Matcher) {
	for _, d := range heat.Dimensions {
		all = append(all, heat.Matcher{Dimension: d, Values: []string{k.Value(d)}})
	}
	return all
}

// cpuTime reads the CPU clock of another process, in nanoseconds:
// clock_getcpuclockid(3).
func cpuTime(t testing.TB, pid int) time.Duration {
	t.Helper()
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		t.Fatalf("read the CPU clock of process %d: %v", pid, err)
	}
	return time.Duration(ts.Nano())
}

// within says whether n samples are what want are expected to be: five standard
// deviations of as many, and a twentieth for what the machine's clocks differ.
func within(n uint64, want float64) bool {
	return math.Abs(float64(n)-want) <= 5*math.Sqrt(want)+want/20
}

func TestSamplesAreTheCPUTimeOfEachLabel(t *testing.T) {
	for _, b := range builds() {
		t.Run(b.name, func(t *testing.T) {
			const unit = 100
			seen := seeBurning(t, b, unit)
			t.Logf("%d samples, CPU time is %.0f: %v, %v, %v", seen.samples, seen.expected, seen.holders, seen.labels, seen.functions)
			if !within(seen.samples, seen.expected) {
				t.Errorf("%d samples, of its CPU time there would be %.0f", seen.samples, seen.expected)
			}
			for label, units := range map[string]float64{"part=two": 2, "part=four": 4, "user=me": 1} {
				if want := units * unit / 1000 * testRate; !within(seen.labels[label], want) {
					t.Errorf("%d samples have the label %s, of its CPU time there would be %.0f", seen.labels[label], label, want)
				}
			}
			for label := range seen.labels {
				switch label {
				case "", "part=two", "part=four", "user=me":
				default:
					t.Errorf("samples have the label %q, which nothing sets", label)
				}
			}
			if want := 4. * unit / 1000 * testRate; !within(seen.functions["main.burnChild"], want) {
				t.Errorf("%d samples of a goroutine that inherits its label, of its CPU time there would be %.0f: %v", seen.functions["main.burnChild"], want, seen.functions)
			}
			if n := seen.holders["unknown"] + seen.holders["not Go"]; n > seen.samples/10 {
				t.Errorf("of %d samples, %d are of nobody known: %v", seen.samples, n, seen.holders)
			}
		})
	}
}

func TestGridNamesTheLabelOfAGoroutine(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{SampleRate: testRate}, program.PID())
	a.rateLimit(program.PID(), 0)
	a.attach(program.PID(), "goroutine.exit", time.Minute)
	from := time.Now()
	program.Ask("burn 20")
	a.flush()
	time.Sleep(time.Until(time.Now().Truncate(heat.GridSlice).Add(heat.GridSlice + 50*time.Millisecond)))
	a.flush()
	labels := func(pom string) map[string]uint64 {
		t.Helper()
		grids, err := a.ingest.Cells(pom, func(*goproc.Process) bool { return true }, from, time.Now(), 1024)
		if err != nil || len(grids) != 1 {
			t.Fatalf("%d grids of %s, error %v", len(grids), pom, err)
		}
		counts := map[string]uint64{}
		for _, cell := range grids[0].Cells {
			for _, g := range cell.Hottest {
				counts[g.StartFunction+" "+g.Label] += g.Count
				counts[g.Label] += g.Count
			}
		}
		return counts
	}
	// pprof.Do takes the label off before its goroutine ends; who inherits it keeps it.
	if n := labels("goroutine.exit")["main.burnChild part=four"]; n != 1 {
		t.Errorf("%d goroutines of main.burnChild ended with its label, it was one: %v", n, labels("goroutine.exit"))
	}
	samples := labels("oncpu")
	for label, units := range map[string]float64{"part=two": 2, "part=four": 4, "user=me": 1} {
		if want := units * 0.020 * testRate; !within(samples[label], want) {
			t.Errorf("%d events of the label %s in the grid, of its CPU time there would be %.0f", samples[label], label, want)
		}
	}
}

// BenchmarkSampling reports samples over what there would be of the CPU time.
func BenchmarkSampling(b *testing.B) {
	for b.Loop() {
		ratio := seeBurning(b, thisGo, 500).ratio()
		fmt.Printf("oncpu_time_ratio %.4f\n", ratio)
		b.ReportMetric(ratio, "oncpu_time_ratio")
	}
	b.ReportMetric(0, "ns/op")
}
