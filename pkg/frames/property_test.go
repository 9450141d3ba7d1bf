package frames_test

import (
	"math"
	"slices"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"pgregory.net/rapid"
)

// anyColumns draws columns of some durations, with gaps between them.
func anyColumns(t *rapid.T, step time.Duration) (columns []heat.Column, hits uint64) {
	at := noon
	for range rapid.IntRange(0, 20).Draw(t, "columns") {
		at = at.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "gap")) * step)
		values := rapid.SliceOfN(rapid.Uint64Range(0, 400e9), 0, 30).Draw(t, "values")
		var h heat.Histogram
		for _, v := range values {
			h.Observe(v)
		}
		columns = append(columns, heat.NewColumn(at, &h))
		hits += uint64(len(values))
	}
	return columns, hits
}

func TestNoHitIsLostOrInventedInAHeatmap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, hits := anyColumns(t, stopTheWorld.Step)
		frame := frames.Heatmap(stopTheWorld, heat.Series{Columns: columns})
		rows := frame.Rows()
		var total float64
		var lastX time.Time
		lastY := math.Inf(-1)
		for i := range rows {
			x := frame.At(0, i).(time.Time)
			lower, upper := frame.At(1, i).(float64), frame.At(2, i).(float64)
			total += frame.At(3, i).(float64)
			if !(0 < lower && lower < upper && !math.IsInf(upper, 1)) {
				t.Fatalf("row %d: a cell from %g to %g can't be drawn on a logarithmic axis", i, lower, upper)
			}
			if x.Before(lastX) || x.Equal(lastX) && lower <= lastY {
				t.Fatalf("row %d is not in the order of columns and buckets", i)
			}
			lastX, lastY = x, lower
		}
		if total != float64(hits) {
			t.Fatalf("%d hits went in, %g came out", hits, total)
		}
		var xs []time.Time
		for i := range rows {
			xs = append(xs, frame.At(0, i).(time.Time))
		}
		xs = slices.Compact(xs)
		if len(xs) == 1 || len(xs) > 1 && xs[1].Sub(xs[0]) != stopTheWorld.Step {
			t.Fatalf("the built-in panel would take the wrong width: columns end at %v", xs)
		}
	})
}

func TestCellsTouchAndCoverEveryDuration(t *testing.T) {
	for b := range heat.NumBuckets - 1 {
		_, upper := frames.CellBounds(b)
		lower, _ := frames.CellBounds(b + 1)
		if upper != lower {
			t.Errorf("cell %d ends at %g, cell %d begins at %g", b, upper, b+1, lower)
		}
	}
	if first, _ := frames.CellBounds(0); first <= 0 || first > heat.UpperSeconds(0) {
		t.Errorf("the first cell begins at %g", first)
	}
}

func TestCountsOfASeriesAreTheHits(t *testing.T) {
	count, err := frames.ParseStatistic("count")
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, func(t *rapid.T) {
		columns, hits := anyColumns(t, stopTheWorld.Step)
		frame := frames.Series(stopTheWorld, count, heat.Series{Columns: columns}, noon.Add(time.Hour))
		var total float64
		for i := range frame.Rows() {
			total += frame.At(1, i).(float64)
		}
		if total != float64(hits) || frame.Rows() != len(columns) {
			t.Fatalf("%d hits in %d columns went in, %g in %d came out", hits, len(columns), total, frame.Rows())
		}
	})
}

func TestAnUnfinishedColumnIsNotAPointOfASeries(t *testing.T) {
	rate, _ := frames.ParseStatistic("rate")
	s := pauses()
	if rows := frames.Series(stopTheWorld, rate, s, noon.Add(25*time.Second)).Rows(); rows != 1 {
		t.Errorf("%d points, want only that of the column that ended before", rows)
	}
}

func TestStatisticsThatMeanNothingAreRefused(t *testing.T) {
	for _, name := range []string{"", "p0", "p100", "p", "p-1", "pNaN", "p1e9", "median", "P99"} {
		if _, err := frames.ParseStatistic(name); err == nil {
			t.Errorf("%q was taken for a statistic", name)
		}
	}
	created := frames.Subject{POM: "goroutine.create", Unit: "1"}
	for name, suits := range map[string]bool{"count": true, "rate": true, "sum": true, "share": false, "mean": false, "max": false, "p99": false} {
		statistic, err := frames.ParseStatistic(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := statistic.Suits(created); (err == nil) != suits {
			t.Errorf("%s of goroutines created: %v", name, err)
		}
		heap := frames.Subject{POM: "mem.heap.live", Unit: "By", Gauge: true}
		if err := statistic.Suits(heap); (err == nil) != (name == "mean" || name == "max") {
			t.Errorf("%s of a heap: %v", name, err)
		}
	}
	for _, name := range []string{"min", "last"} {
		statistic, err := frames.ParseStatistic(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := statistic.Suits(stopTheWorld); err == nil {
			t.Errorf("%s was taken for a statistic of pauses", name)
		}
	}
}
