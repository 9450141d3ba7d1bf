package ingest

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// alwaysOpen has a point attached for as long as it is asked for, and not in
// windows only.
func alwaysOpen(t testing.TB, pom string) {
	t.Helper()
	point, err := probe.PointNumber(pom)
	if err != nil {
		t.Fatal(err)
	}
	window := probe.Catalogue[point].Window
	probe.Catalogue[point].Window = 0
	t.Cleanup(func() { probe.Catalogue[point].Window = window })
}

// watchFor is watch of a process that may lack other points.
func watchFor(t testing.TB, pom string, pid int) *agent {
	t.Helper()
	a := watchSelection(t, probe.Options{}, goproc.Selection{PIDs: []int{pid}})
	a.waitFor("process to be watched", func() bool { return a.status(pid) != nil })
	if p := a.point(pid, pom); p.State == probe.Refused {
		t.Fatalf("%s of %d is refused: %s", pom, pid, p.Reason)
	}
	return a
}

var allocating = heat.Matcher{Dimension: "function", Values: []string{"main.allocateObjects.func1"}}

// allocated is how many objects a round of the target's "allocate" has.
const allocated = 5

// mallocBuilds are of releases that differ in how they allocate.
func mallocBuilds() []build {
	all := []build{thisGo}
	if testing.Short() {
		return all
	}
	return append(all,
		build{name: "go1.22, stripped", release: "go1.22.12", flags: []string{"-ldflags=-s -w"}},
		build{name: "go1.27, position-independent", release: "go1.27.4", flags: []string{"-buildmode=pie"}},
	)
}

func TestEachAllocationIsSeenOnce(t *testing.T) {
	for _, b := range mallocBuilds() {
		t.Run(b.name, func(t *testing.T) {
			program := target.Start(t, target.Build(t, b.release, b.flags...))
			alwaysOpen(t, "alloc.latency")
			a := watchFor(t, "alloc.latency", program.PID())
			a.attach(program.PID(), "alloc.latency", time.Minute)
			const rounds = 4000
			begin := time.Now()
			program.Ask("allocate %d", rounds)
			elapsed := time.Since(begin)
			program.Freeze()
			defer program.Thaw()
			a.flush()
			a.checkConserved("alloc.latency")
			seen := a.total("alloc.latency", allocating)
			n, want := seen.Count(), uint64(rounds*allocated)
			// The runtime may allocate for itself on the goroutine that starts a
			// collection, and then what the goroutine allocates is not seen to end.
			if n < want-20 || n > want+20 {
				t.Errorf("%d allocations were seen, there were %d", n, want)
			}
			if sum := time.Duration(seen.Sum); sum > elapsed {
				t.Errorf("they took %s, of %s that have passed", sum, elapsed)
			}
		})
	}
}

// What began when a point was last attached must not be taken for what ends now.
func TestDetachedAllocationsDoNotEndLater(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	alwaysOpen(t, "alloc.latency")
	a := watch(t, probe.Options{}, program.PID())
	program.Ask("busy")
	const pause = 2 * time.Second
	for range 2 {
		a.attach(program.PID(), "alloc.latency", 100*time.Millisecond)
		a.waitFor("detaching", func() bool { return a.point(program.PID(), "alloc.latency").State == probe.Available })
		time.Sleep(pause)
	}
	a.flush()
	seen := a.total("alloc.latency")
	if seen.Count() < 1000 {
		t.Errorf("%d allocations were seen", seen.Count())
	}
	if longest := seen.Quantile(1); longest > float64(pause) {
		t.Errorf("an allocation took %s, it was not watched for longer than %s", time.Duration(longest), pause)
	}
	program.Ask("quiet")
}

func TestAllocationsAreSeenInWindows(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	a.attach(program.PID(), "alloc.latency", time.Minute)
	links := len(linksOf(t, os.Getpid()))
	program.Ask("busy")
	var open, closed int
	a.waitFor("two windows", func() bool {
		if len(linksOf(t, os.Getpid())) > links {
			if open == closed {
				open++
			}
		} else if open > closed {
			closed++
		}
		return closed == 2
	})
	a.flush()
	if n := a.total("alloc.latency").Count(); n == 0 {
		t.Error("no allocation was seen")
	}
	if s := a.point(program.PID(), "alloc.latency"); s.Until.IsZero() {
		t.Errorf("between windows it is %s, must still be asked for", s.State)
	}
	program.Ask("quiet")
}

func TestAssistsAreThoseThatTheRuntimeCounts(t *testing.T) {
	for _, b := range mallocBuilds() {
		t.Run(b.name, func(t *testing.T) {
			program := target.Start(t, target.Build(t, b.release, b.flags...))
			a := watchFor(t, "gc.assist", program.PID())
			before := program.Ask("assist 1").Memory
			a.flush()
			first := a.total("gc.assist")
			after := program.Ask("assist 6").Memory
			program.Freeze()
			defer program.Thaw()
			a.flush()
			a.checkConserved("gc.assist")
			all := a.total("gc.assist")
			n, sum := all.Count()-first.Count(), time.Duration(all.Sum-first.Sum)
			want := time.Duration((after.Assist - before.Assist) * float64(time.Second))
			t.Logf("%d assists in %d collections, %s; the runtime counts %s", n, after.NumGC-before.NumGC, sum, want)
			if n == 0 {
				t.Fatal("no assist was seen")
			}
			// A trap is in each of ours, in which the thread may lose its CPU. The
			// runtime leaves out what a P has not handed over yet.
			if r := float64(sum) / float64(want); r < 0.9 || r > 1.6 {
				t.Errorf("assists took %s, the runtime counts %s: ratio %.3f, must be within 0.9 and 1.6", sum, want, r)
			}
			named := a.total("gc.assist", heat.Matcher{Dimension: "function", Values: []string{"main.startAssisted.func1"}})
			if named.Count()*10 < all.Count()*9 {
				t.Errorf("%d of %d assists are of the goroutines that allocate", named.Count(), all.Count())
			}
		})
	}
}

func TestMergedPagesAreCounted(t *testing.T) {
	const ksm = "/sys/kernel/mm/ksm"
	if _, err := os.Stat(ksm); err != nil {
		t.Skipf("cannot run here: the kernel does not merge pages: %v", err)
	}
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	// A smart scan leaves out, ever longer, a page that it has not merged at once.
	for name, value := range map[string]string{"run": "1", "pages_to_scan": "1000", "sleep_millisecs": "10", "smart_scan": "0"} {
		path := filepath.Join(ksm, name)
		old, err := os.ReadFile(path)
		if name == "smart_scan" && errors.Is(err, os.ErrNotExist) {
			continue // before Linux 6.7
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(value), 0); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			if err := os.WriteFile(path, old, 0); err != nil {
				t.Errorf("restore %s: %v", path, err)
			}
		})
	}
	const pages = 200
	program.Ask("mergeable %d", pages)
	path := fmt.Sprintf("/proc/%d/ksm_merging_pages", program.PID())
	merging := func() int {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		n, err := strconv.Atoi(strings.TrimSpace(string(text)))
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	a.waitFor("all pages to be merged", func() bool { return merging() >= pages })
	a.flush()
	one := a.checkConserved("ksm.merge")
	if int(one.Hits) != merging() {
		t.Errorf("%d pages were seen to be merged, the kernel says %d", one.Hits, merging())
	}
	for _, k := range a.head.Keys("ksm.merge", nil) {
		if k.Node == 0 || k.Process == "" {
			t.Errorf("a merge without node or process: %+v", k)
		}
	}
}
