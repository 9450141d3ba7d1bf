package heat_test

import (
	"encoding/binary"
	"hash/fnv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/gotherm/gotherm/pkg/heat"
)

func TestTheHashIsFNV1a(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		goid := rapid.Uint64().Draw(t, "goid")
		want := fnv.New64a()
		want.Write(binary.LittleEndian.AppendUint64(nil, goid))
		if got := heat.GoroutineHash(goid); got != want.Sum64() {
			t.Fatalf("hash of %d is %x, want %x", goid, got, want.Sum64())
		}
	})
}

func TestAFinerGridFoldsExactlyIntoACoarserOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		goid := rapid.Uint64().Draw(t, "goid")
		x, y := heat.Fold(goid, 1024)
		for side, shrink := range map[int]uint32{512: 2, 256: 4} {
			if cx, cy := heat.Fold(goid, side); cx != x/shrink || cy != y/shrink {
				t.Fatalf("goroutine %d is at (%d, %d) of 1024 and at (%d, %d) of %d", goid, x, y, cx, cy, side)
			}
		}
	})
}

func TestAHotCellNamesItsGoroutines(t *testing.T) {
	var g heat.Grid
	who := heat.Goroutine{ID: 7, StartFunction: "main.worker"}
	for range 3 {
		g.Add(noon, who, 100)
	}
	g.Add(noon, heat.Goroutine{ID: 8, StartFunction: "main.main"}, 50)
	if cells, _ := g.Cells(noon, noon.Add(time.Minute), 256); len(cells) != 0 {
		t.Errorf("an open slice shows %d cells", len(cells))
	}
	g.Advance(noon.Add(10 * time.Second))
	cells, err := g.Cells(noon, noon.Add(time.Minute), 256)
	if err != nil || len(cells) != 2 {
		t.Fatalf("got %v, %v, want two cells", cells, err)
	}
	x, y := heat.Fold(7, 256)
	for _, c := range cells {
		if c.X == x && c.Y == y {
			if c.Count != 3 || c.Sum != 300 || c.Hottest[0].Goroutine != who {
				t.Errorf("cell is %+v", c)
			}
			return
		}
	}
	t.Errorf("no cell at (%d, %d)", x, y)
}

func TestAStormOfGoroutinesIsCountedInBoundedMemory(t *testing.T) {
	var g heat.Grid
	const perSlice, slices = 20_000, 20
	id := uint64(0)
	for slice := range slices {
		at := noon.Add(time.Duration(slice) * heat.GridSlice)
		for range perSlice {
			id++
			g.Add(at, heat.Goroutine{ID: id, StartFunction: "main.drop"}, 3)
		}
		g.Advance(at.Add(heat.GridSlice))
		if n := g.Entries(); n > 32768+perSlice {
			t.Fatalf("%d entries after slice %d", n, slice)
		}
	}
	newest := noon.Add((slices - 1) * heat.GridSlice)
	for _, side := range []int{256, 512, 1024} {
		cells, err := g.Cells(newest, newest.Add(time.Second), side)
		if err != nil {
			t.Fatal(err)
		}
		count, sum, expected := uint64(0), uint64(0), map[[2]uint32]uint64{}
		for goid := id - perSlice + 1; goid <= id; goid++ {
			x, y := heat.Fold(goid, side)
			expected[[2]uint32{x, y}]++
		}
		for _, c := range cells {
			count, sum = count+c.Count, sum+c.Sum
			if want := expected[[2]uint32{c.X, c.Y}]; c.Count != want {
				t.Fatalf("side %d: cell (%d, %d) has %d hits, want %d", side, c.X, c.Y, c.Count, want)
			}
		}
		if count != perSlice || sum != 3*perSlice || len(cells) != len(expected) {
			t.Errorf("side %d: the newest slice has %d hits, sum %d, in %d cells, want %d, %d, in %d", side, count, sum, len(cells), perSlice, 3*perSlice, len(expected))
		}
	}
	if cells, _ := g.Cells(noon, noon.Add(time.Second), 256); len(cells) != 0 {
		t.Errorf("the oldest slice still has %d cells", len(cells))
	}
}

func TestASideThatIsNoGridIsRefused(t *testing.T) {
	var g heat.Grid
	if _, err := g.Cells(noon, noon.Add(time.Second), 300); err == nil || err.Error() != "side is 300, must be 256, 512 or 1024" {
		t.Errorf("got %v", err)
	}
}
