package frames_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"pgregory.net/rapid"
)

func TestGoldenCell(t *testing.T) {
	cell := frames.Cell{From: noon, To: noon.Add(10 * time.Second), First: 100, Last: 100}
	functions := map[string]uint64{"main.work": 30, "main.serve": 10, "": 5}
	grid := &pb.QueryGridResponse{Side: 1024, Unit: "ns", Carried: 20, Hits: 45, Cells: []*pb.GridCell{
		{X: 1, Y: 1, Count: 8, Goroutines: []*pb.GridGoroutine{{Goid: 18, StartFunction: "main.serve", Process: "42-1", Count: 8, Label: "user=a"}}},
		{X: 2, Y: 1, Count: 12, Goroutines: []*pb.GridGoroutine{{Goid: 19, StartFunction: "main.work", Process: "42-1", Count: 12}}},
	}}
	golden(t, "cell", frames.CellPart(stopTheWorld, cell, "function", functions, 5), frames.CellGoroutines(stopTheWorld, cell, grid))
}

// What a heatmap draws as one bucket is found by its bounds, in any unit.
func TestABucketIsFoundByTheBoundsThatAreDrawn(t *testing.T) {
	for _, unit := range []string{frames.UnitDuration, frames.UnitBytes} {
		about := frames.Subject{POM: "x", Unit: unit, Step: time.Second}
		for bucket := range heat.NumBuckets {
			var h heat.Histogram
			h.Counts[bucket] = 1
			f := frames.HeatmapColumns(about, heat.Series{Columns: []heat.Column{heat.NewColumn(noon, &h)}})
			first, last, found := about.BucketsWithin(f.At(1, 0).(float64), f.At(2, 0).(float64))
			if !found || first != bucket || last != bucket {
				t.Fatalf("%s: bounds of bucket %d mean %d to %d", unit, bucket, first, last)
			}
		}
		if first, last, _ := about.BucketsWithin(0, 0); first != 0 || last != heat.Overflow {
			t.Errorf("%s: no bounds mean %d to %d", unit, first, last)
		}
	}
	if _, _, found := (frames.Subject{Unit: frames.UnitDuration}).BucketsWithin(0.001, 0.00101); found {
		t.Error("a bucket lies in a tenth of its height")
	}
}

// Rows of a cell add up to its hits, whatever is told of them.
func TestPartsOfACellAddUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := map[string]uint64{}
		var want float64
		for i, n := range rapid.SliceOfN(rapid.Uint64Max(1000), 0, 120).Draw(t, "counts") {
			counts[fmt.Sprint(i)] = n
			want += float64(n)
		}
		untold := rapid.Uint64Max(10).Draw(t, "untold")
		f := frames.CellPart(stopTheWorld, frames.Cell{}, "function", counts, untold)
		var got float64
		for i := range f.Rows() {
			got += f.At(1, i).(float64)
		}
		if got != want+float64(untold) || f.Rows() > 51 {
			t.Fatalf("%d rows of %g hits, want %g", f.Rows(), got, want+float64(untold))
		}
	})
}
