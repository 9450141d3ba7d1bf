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
