package server

import (
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestGridsOfProcessesLieOverOneAnother(t *testing.T) {
	who := func(id, count uint64) heat.CellGoroutine {
		return heat.CellGoroutine{Goroutine: heat.Goroutine{ID: id, StartFunction: "main.work"}, Count: count}
	}
	answer := overlay([]ingest.Grid{
		{Process: &goproc.Process{ID: "7-70"}, Carried: 30, Hits: 100, Cells: []heat.Cell{
			{X: 1, Y: 0, Count: 10, Sum: 1_000, Hottest: []heat.CellGoroutine{who(1, 7), who(2, 3)}},
			{X: 5, Y: 2, Count: 20, Sum: 9_000, Hottest: []heat.CellGoroutine{who(3, 20)}},
		}},
		{Process: &goproc.Process{ID: "8-80"}, Carried: 18, Hits: 18, Cells: []heat.Cell{
			{X: 0, Y: 1, Count: 1, Sum: 5, Hottest: []heat.CellGoroutine{who(9, 1)}},
			{X: 1, Y: 0, Count: 17, Sum: 2_000, Hottest: []heat.CellGoroutine{who(1, 9), who(4, 5), who(5, 3)}},
		}},
	})
	if answer.Carried != 48 || answer.Hits != 118 || len(answer.Cells) != 3 {
		t.Fatalf("got %v", answer)
	}
	first := answer.Cells[0]
	if first.X != 1 || first.Y != 0 || first.Count != 27 || first.Sum != 3_000 {
		t.Errorf("the cell of both is %v", first)
	}
	// The same id in two processes is two goroutines; of five, the hottest four.
	want := []struct {
		process string
		goid    uint64
	}{{"8-80", 1}, {"7-70", 1}, {"8-80", 4}, {"7-70", 2}}
	if len(first.Goroutines) != len(want) {
		t.Fatalf("it names %v", first.Goroutines)
	}
	for i, w := range want {
		if g := first.Goroutines[i]; g.Process != w.process || g.Goid != w.goid {
			t.Errorf("goroutine %d is %v, want %v", i, g, w)
		}
	}
	if answer.Cells[1].Y != 1 || answer.Cells[2].Y != 2 {
		t.Errorf("cells are not in the order of rows: %v", answer.Cells)
	}
}

func TestTheLongerTheRangeTheCoarserTheGrid(t *testing.T) {
	last := 1 << 20
	for _, length := range []time.Duration{time.Second, time.Minute, 5 * time.Minute, time.Hour, 7 * 24 * time.Hour} {
		side := chooseSide("sched.latency", length)
		if fine := chooseSide("gc.assist", length); fine < side {
			t.Errorf("%s of the garbage collector has side %d, of others %d", length, fine, side)
		}
		if side > last {
			t.Errorf("%s has side %d, a shorter range %d", length, side, last)
		}
		if _, err := (&heat.Grid{}).Cells(noon, noon.Add(length), side); err != nil {
			t.Errorf("%s: %v", length, err)
		}
		last = side
	}
}
