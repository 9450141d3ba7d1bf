package ingest

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// exact is how many transitions from runnable to running were seen, and how
// many of them the target's runtime has sampled: one in 8.
type exact struct {
	seen, sampled uint64
	// never is how many samples are of goroutines that were never runnable.
	never uint64
	// goroutines that there were, or more.
	goroutines uint64
}

func (e exact) ratio() float64 { return float64(e.seen) / float64(8*e.sampled) }

// width is how far the ratio can be from 1 by chance, once in 10^6 runs. The
// runtime takes each 8th time that a goroutine stops running: it is off by 8
// for each of them at most. Which of these it takes that were never runnable,
// is chance.
func (e exact) width() float64 {
	return (8*float64(e.goroutines) + 8*5*math.Sqrt(float64(e.never))) / float64(e.seen)
}

// neverRunnable bounds what the runtime records of goroutines that it put to
// running from elsewhere: 0. Of the others it records more, for a trap lies
// between the two times that it takes.
const neverRunnable = 128

// program is what a target is told to do, and how many goroutines it takes
// beside the runtime's own.
type program struct {
	command    string
	n          int
	goroutines uint64
}

// None of them creates goroutines as it goes: the runtime samples the first run
// of one in 15 of 64 cases, and not in 8, where its g was used before. (A g that
// ends while it is sampled is still marked so when newproc1 takes it again.)
var (
	pingPong   = program{"switch", 8_000, 4*8 + 4 + 2 + 20}
	collecting = program{"churn", 30_000, 2*8 + 1 + 20}
)

func seeExact(t testing.TB, b build, p program) exact {
	t.Helper()
	program := target.Start(t, target.Build(t, b.release, b.flags...))
	a := watch(t, probe.Options{}, program.PID())
	a.attach(program.PID(), "sched.latency.exact", time.Minute)
	before := program.Ask("stats")
	a.flush()
	first := a.total("sched.latency.exact").Count()
	after := program.Ask("%s %d", p.command, p.n)
	program.Freeze()
	defer program.Thaw()
	a.flush()
	a.checkConserved("sched.latency.exact")
	e := exact{seen: a.total("sched.latency.exact").Count() - first, goroutines: p.goroutines}
	for i, n := range after.LatencyCounts {
		n -= before.LatencyCounts[i]
		switch {
		case after.LatencyBounds[i+1] <= neverRunnable:
			e.never += n
		default:
			e.sampled += n
		}
	}
	t.Logf("%s: %d transitions, %d samples: ratio %.4f, by chance within %.4f; %d samples were never runnable; %d collections",
		p.command, e.seen, e.sampled, e.ratio(), e.width(), e.never, after.NumGC-before.NumGC)
	return e
}

// everyRelease has a version of each minor of Go, for they differ in how they
// make goroutines runnable. How a target is linked makes no difference to that.
func everyRelease() []build {
	return append([]build{thisGo}, releases("go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13", "go1.25.14", "go1.27.4")...)
}

func releases(names ...string) (list []build) {
	if testing.Short() {
		return nil
	}
	for _, name := range names {
		list = append(list, build{name: name, release: name})
	}
	return list
}

func TestExactLatenciesAreEightTimesTheRuntimesSamples(t *testing.T) {
	for _, b := range append(releases("go1.21.13", "go1.25.14"), thisGo) {
		t.Run(b.name, func(t *testing.T) {
			for _, p := range []program{pingPong, collecting} {
				e := seeExact(t, b, p)
				if e.width() > 0.02 {
					t.Errorf("%s: %d transitions are too few to tell 2 %%", p.command, e.seen)
				}
				if r := e.ratio(); r < 0.98 || r > 1.02 {
					t.Errorf("%s: %d transitions, the runtime sampled %d: ratio %.4f, must be within 0.98 and 1.02", p.command, e.seen, e.sampled, r)
				}
			}
		})
	}
}

func TestFirstRunOfEachGoroutineIsSeen(t *testing.T) {
	const spawned = 20_000
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	a.attach(program.PID(), "sched.latency.exact", time.Minute)
	program.Ask("spawn %d", spawned)
	program.Freeze()
	defer program.Thaw()
	a.flush()
	a.checkConserved("sched.latency.exact")
	// What the go statement starts. It does not wait, but may be preempted.
	leaf := heat.Matcher{Dimension: "function", Values: []string{"main.spawn.gowrap1"}}
	if n := a.total("sched.latency.exact", leaf).Count(); n < spawned || n > spawned*11/10 {
		t.Errorf("%d runs of %d goroutines, each of which runs once", n, spawned)
	}
}

// goids is how many of the goroutines that events name are those that the
// target names, with the same start function.
type goids struct{ events, match, goroutines, ended uint64 }

func (g goids) ratio() float64 { return float64(g.match) / float64(g.events) }

func seeGoids(t testing.TB, b build) goids {
	t.Helper()
	program := target.Start(t, target.Build(t, b.release, b.flags...))
	a := watch(t, probe.Options{}, program.PID())
	pid := program.PID()
	a.rateLimit(pid, 0)
	for _, pom := range goroutinePoints {
		a.attach(pid, pom, time.Minute)
	}
	who := program.Ask("identify %d", 2000).Goroutines
	ring, err := openRing(a.kernel.Events)
	if err != nil {
		t.Fatal(err)
	}
	defer ring.close()
	process := a.status(pid).Process
	var g goids
	ended := map[uint64]bool{}
	if err := ring.read(ring.end(), func(record []byte) {
		e, _, err := decode(record)
		if err != nil {
			t.Error(err)
			return
		}
		want, named := who[e.Goid]
		if e.Goid == 0 || !named || e.Key.Function == 0 {
			return
		}
		g.events++
		if got := process.Function(process.Binary.Functions.Text() + process.LoadBias + uint64(e.Key.Function)); got == want || e.Goid == 1 && got == "runtime.main" {
			g.match++
		} else {
			t.Errorf("%s of goroutine %d is of %s, the target says %s", probe.Catalogue[e.Key.Point].Name, e.Goid, got, want)
		}
		if e.Key.Point == uint8(bpf.KernelPointGOROUTINE_EXIT) {
			ended[e.Goid] = true
		}
	}); err != nil {
		t.Fatal(err)
	}
	for id, function := range who {
		if function == "main.identify.func1" || function == "main.identify.func2" {
			g.goroutines++
			if ended[id] {
				g.ended++
			}
		}
	}
	return g
}

var goroutinePoints = []string{"sched.latency.exact", "goroutine.create", "goroutine.exit", "goroutine.lifetime", "goroutine.wait"}

func TestGoroutinesOfEventsAreThoseThatTheTargetNames(t *testing.T) {
	for _, b := range everyRelease() {
		t.Run(b.name, func(t *testing.T) {
			g := seeGoids(t, b)
			t.Logf("%+v", g)
			if g.ratio() != 1 || g.goroutines != 2000 || g.ended != g.goroutines {
				t.Errorf("%+v: ratio %.4f, and all of 2000 goroutines must be seen to end", g, g.ratio())
			}
		})
	}
}

// worstGoids is the least ratio of all versions of Go.
func worstGoids(t testing.TB) float64 {
	worst := 1.0
	for _, b := range everyRelease() {
		worst = min(worst, seeGoids(t, b).ratio())
	}
	return worst
}

// The target knows how many it makes, and for how long they wait.
func TestLifetimesAndWaitsAreTheTargets(t *testing.T) {
	for _, b := range append(releases("go1.21.13", "go1.23.12"), thisGo) {
		t.Run(b.name, func(t *testing.T) {
			program := target.Start(t, target.Build(t, b.release, b.flags...))
			a := watch(t, probe.Options{}, program.PID())
			for _, pom := range goroutinePoints {
				a.attach(program.PID(), pom, time.Minute)
			}
			program.Ask("nap %d", 50)
			program.Freeze()
			defer program.Thaw()
			a.flush()
			for _, pom := range goroutinePoints {
				a.checkConserved(pom)
			}
			napper := heat.Matcher{Dimension: "function", Values: []string{"main.nap.func1"}}
			for _, pom := range []string{"goroutine.create", "goroutine.exit", "goroutine.lifetime"} {
				if n := a.total(pom, napper).Count(); n != 50 {
					t.Errorf("%s: %d of 50", pom, n)
				}
			}
			const nap = float64(20 * time.Millisecond)
			if q := a.total("goroutine.lifetime", napper).Quantile(0.01); q < nap*0.9 {
				t.Errorf("a goroutine that sleeps for 20 ms lived for %.0f ns", q)
			}
			slept := a.total("goroutine.wait", napper, heat.Matcher{Dimension: "reason", Values: []string{"sleep"}})
			// Each once for 20 ms, and once for 1 ms.
			if slept.Count() != 100 || float64(slept.Sum) < 50*nap*1.05 {
				t.Errorf("%d sleeps of 100, for %d ns in all", slept.Count(), slept.Sum)
			}
			for reason, least := range map[string]uint64{"io wait": 50, "chan receive": 50, "sync.mutex.lock": 1} {
				if n := a.total("goroutine.wait", heat.Matcher{Dimension: "reason", Values: []string{reason}}).Count(); n < least {
					t.Errorf("%d waits for %s, there were %d or more", n, reason, least)
				}
			}
			if n := a.total("goroutine.wait", heat.Matcher{Dimension: "reason", Values: []string{"unknown"}}).Count(); n != 0 {
				t.Errorf("%d waits for a reason that is not known", n)
			}
		})
	}
}

// What begins while a point is attached, and is seen to end when it is attached
// anew, has perhaps ended and begun again in between: it is not counted.
func TestNoDurationSpansAGap(t *testing.T) {
	const window, gap = 50 * time.Millisecond, time.Second
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	pid := program.PID()
	timed := []string{"sched.latency.exact", "goroutine.wait"}
	program.Ask("load")
	for range 3 {
		for _, pom := range timed {
			a.attach(pid, pom, window)
		}
		a.waitFor("the end", func() bool {
			return !slices.ContainsFunc(timed, func(pom string) bool { return a.point(pid, pom).State != probe.Available })
		})
		time.Sleep(gap)
	}
	program.Ask("unload")
	program.Freeze()
	defer program.Thaw()
	a.flush()
	for _, pom := range timed {
		one := a.checkConserved(pom)
		if longest := time.Duration(a.total(pom).Max); one.Hits == 0 || longest >= gap {
			t.Errorf("%s: %d hits, the longest of %v: longer than a gap of %v", pom, one.Hits, longest, gap)
		}
	}
}
