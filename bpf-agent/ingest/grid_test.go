package ingest

import (
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestGridNamesTheGoroutinesOfCarriedEvents(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	a.rateLimit(program.PID(), 0)
	everyone := func(*goproc.Process) bool { return true }
	from := time.Now()
	program.Ask("switch 2000")
	a.flush()
	// A slice is told when it is complete.
	time.Sleep(time.Until(time.Now().Truncate(heat.GridSlice).Add(heat.GridSlice + 50*time.Millisecond)))
	a.flush()
	grids, err := a.ingest.Cells("sched.latency", everyone, from, time.Now(), 256)
	if err != nil {
		t.Fatal(err)
	}
	if len(grids) != 1 {
		t.Fatalf("%d grids, must be one for the one process", len(grids))
	}
	g := grids[0]
	if g.Carried == 0 || g.Carried > g.Hits {
		t.Errorf("carried %d of %d hits", g.Carried, g.Hits)
	}
	ring := uint64(0)
	for _, cell := range g.Cells {
		for _, goroutine := range cell.Hottest {
			if x, y := heat.Fold(goroutine.ID, 256); x != cell.X || y != cell.Y {
				t.Errorf("goroutine %d is in cell %d,%d, must be in %d,%d", goroutine.ID, cell.X, cell.Y, x, y)
			}
			if goroutine.StartFunction == "main.passAround.gowrap1" {
				ring += goroutine.Count
			}
		}
	}
	if 2*ring < g.Carried {
		t.Errorf("%d of %d events are of the goroutines that do the switching", ring, g.Carried)
	}
	if none, err := a.ingest.Cells("sched.latency", func(*goproc.Process) bool { return false }, from, time.Now(), 256); err != nil || len(none) != 0 {
		t.Errorf("nobody was asked for: %d grids, error %v", len(none), err)
	}
	for pom, want := range map[string]string{"gc.stw": "no goroutine grid", "gc.stv": "not in the catalogue"} {
		if _, err := a.ingest.Cells(pom, everyone, from, time.Now(), 256); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("grid of %s: error %v, must say %q", pom, err, want)
		}
	}
	if _, err := a.ingest.Cells("sched.latency", everyone, from, time.Now(), 300); err == nil || !strings.Contains(err.Error(), "1024") {
		t.Errorf("side 300: error %v, must say what is possible", err)
	}
}

// Processes come and go, each with goroutines of its own: what is remembered
// of them is bounded, and those that are gone the longest go first.
func TestGridsOfAllProcessesAreBounded(t *testing.T) {
	var all grids
	begin := time.Unix(1_800_000_000, 0)
	living := &goproc.Process{}
	alive := map[*goproc.Process]bool{living: true}
	const processes, slices, goroutines = 40, 20, 1500
	now := begin
	fill := func(p *goproc.Process, slice int) {
		at := begin.Add(time.Duration(slice) * heat.GridSlice)
		for id := range uint64(goroutines) {
			all.of("sched.latency", p).Add(at, heat.Goroutine{ID: id * 1_000_003, StartFunction: "main.work"}, 1_000_000)
		}
	}
	var last *goproc.Process
	for range processes {
		last = &goproc.Process{}
		for slice := range slices {
			fill(last, slice)
		}
		now = now.Add(time.Minute)
		all.advance(now)
		all.forget(now, alive)
	}
	for slice := range slices {
		fill(living, slice)
	}
	all.advance(now)
	all.forget(now, alive)
	held := 0
	for _, one := range all.all {
		held += one.Bytes()
	}
	if held == 0 || held > gridBytes {
		t.Errorf("grids hold %d bytes, at most %d", held, gridBytes)
	}
	if len(all.all) == processes+1 {
		t.Error("nothing of processes that are gone was forgotten: nothing was proved")
	}
	for _, p := range []*goproc.Process{last, living} {
		if one := all.all[gridKey{"sched.latency", p}]; one == nil || one.Entries() != slices*goroutines {
			t.Error("a grid was forgotten that is the newest, or of a process that lives")
		}
	}
}

// Where those that live fill all there is, each forgets its oldest slices.
func TestGridsOfLivingProcessesForgetTheOldestSlices(t *testing.T) {
	var all grids
	begin := time.Unix(1_800_000_000, 0)
	alive := map[*goproc.Process]bool{}
	const processes, slices = 30, 20
	for range processes {
		alive[&goproc.Process{}] = true
	}
	for slice := range slices {
		at := begin.Add(time.Duration(slice) * heat.GridSlice)
		for p := range alive {
			for id := range uint64(1600) {
				all.of("sched.latency", p).Add(at, heat.Goroutine{ID: id * 1_000_003, StartFunction: "main.work"}, 1_000_000)
			}
		}
		all.advance(at.Add(heat.GridSlice))
		all.forget(at, alive)
	}
	held, oldest, newest := 0, begin.Add(time.Hour), begin
	for _, one := range all.all {
		held += one.Bytes()
		if one.Entries() == 0 {
			t.Error("a grid is empty")
		}
		if at := one.Oldest(); at.Before(oldest) {
			oldest = at
		}
		if at := one.Oldest(); at.After(newest) {
			newest = at
		}
	}
	if held > gridBytes || len(all.all) != processes {
		t.Errorf("%d grids hold %d bytes, at most %d", len(all.all), held, gridBytes)
	}
	if oldest.Equal(begin) || newest.Sub(oldest) > heat.GridSlice {
		t.Errorf("grids begin from %s to %s: must all have forgotten as much", oldest.Sub(begin), newest.Sub(begin))
	}
}
