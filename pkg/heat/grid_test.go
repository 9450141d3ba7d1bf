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

func TestASideThatIsNoGridIsRefused(t *testing.T) {
	var g heat.Grid
	if _, err := g.Cells(noon, noon.Add(time.Second), 300); err == nil || err.Error() != "side is 300, must be 256, 512 or 1024" {
		t.Errorf("got %v", err)
	}
}
