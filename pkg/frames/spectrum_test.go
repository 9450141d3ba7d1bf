package frames

import (
	"math"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"pgregory.net/rapid"
)

func TestBinsAreWholeBucketsOfAboutTenMicroseconds(t *testing.T) {
	first := 0
	for i, last := range binEnds {
		if last < first {
			t.Fatalf("bin %d ends at bucket %d and begins at %d", i, last, first)
		}
		lower, upper := heat.LowerSeconds(first), heat.UpperSeconds(last)
		if width := upper - lower; upper < 100e-6 && math.Abs(width-10e-6) > 7e-6 {
			t.Errorf("bin %d is from %g to %g s, far from 10 us wide", i, lower, upper)
		}
		// No bound is half a bucket or more away from the multiple that it stands for.
		if edge := float64(i+1) * 10e-6; upper < 100e-6 && math.Abs(upper-edge) > (heat.UpperSeconds(last+1)-heat.UpperSeconds(last))/2+1e-9 {
			t.Errorf("bin %d ends at %g s, and there is a bound nearer to %g", i, upper, edge)
		}
		if lower > 130e-6 && first != last {
			t.Errorf("bin %d from %g s is of %d buckets, which are wider than 10 us there", i, lower, last-first+1)
		}
		first = last + 1
	}
	if first != heat.NumBuckets {
		t.Errorf("the last bin ends before bucket %d, there are %d", first, heat.NumBuckets)
	}
}

func TestNoHitIsLostOrInventedInASpectrum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		about := Subject{POM: "http.request", Unit: rapid.SampledFrom([]string{UnitDuration, UnitBytes}).Draw(t, "unit"), Step: time.Minute}
		rows := map[int]*heat.Histogram{}
		for range rapid.IntRange(0, 200).Draw(t, "hits") {
			depth := rapid.IntRange(0, 32).Draw(t, "depth")
			if rows[depth] == nil {
				rows[depth] = &heat.Histogram{}
			}
			rows[depth].Observe(rapid.Uint64Range(0, 400e9).Draw(t, "value"))
		}
		f := Spectrum(about, "depth", nil, rows)
		found := map[int]uint64{}
		lastX, lastY := -1.0, 0.0
		for i := range f.Rows() {
			lower, upper := f.At(0, i).(float64), f.At(1, i).(float64)
			y := f.At(2, i).(float64)
			if lower >= upper || f.At(3, i).(float64) != y+1 {
				t.Fatalf("row %d is no cell: x %g to %g, y %g to %g", i, lower, upper, y, f.At(3, i))
			}
			if lower < lastX || lower == lastX && y <= lastY {
				t.Fatalf("row %d is not in the order of x and y", i)
			}
			lastX, lastY = lower, y
			found[int(y+0.5)] += uint64(f.At(4, i).(float64))
		}
		for depth, h := range rows {
			if found[depth] != h.Count() {
				t.Fatalf("depth %d: %d hits went in, %d came out", depth, h.Count(), found[depth])
			}
		}
	})
}
