package heat_test

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/gotherm/gotherm/pkg/heat"
)

func TestAQuantileIsInTheBucketOfTheValueOfThatRank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(rapid.Uint64Range(0, 200e9), 1, 200).Draw(t, "values")
		q := rapid.Float64Range(0, 1).Draw(t, "q")
		var h heat.Histogram
		for _, v := range values {
			h.Observe(v)
		}
		slices.Sort(values)
		rank := max(int(math.Ceil(q*float64(len(values)))), 1)
		want := heat.Bucket(values[rank-1])
		got := h.Quantile(q)
		lower, upper := float64(heat.LowerNanoseconds(want)), heat.UpperSeconds(want)*1e9
		if got < lower || got > upper+1 {
			t.Fatalf("quantile %g of %v is %g, want in (%g, %g]", q, values, got, lower, upper)
		}
	})
}

func TestAnEmptyHistogramHasNoQuantileAndNoMean(t *testing.T) {
	var h heat.Histogram
	if !math.IsNaN(h.Quantile(0.5)) || !math.IsNaN(h.Mean()) {
		t.Errorf("median %g, mean %g, want NaN", h.Quantile(0.5), h.Mean())
	}
	h.Observe(1)
	for _, q := range []float64{-0.1, 1.1, math.NaN()} {
		if got := h.Quantile(q); !math.IsNaN(got) {
			t.Errorf("quantile %g is %g, want NaN", q, got)
		}
	}
}

func TestAddLeavesItsArgumentAsItWas(t *testing.T) {
	var a, b heat.Histogram
	a.Observe(1000)
	b.Observe(5000)
	before := b
	a.Add(&b)
	if b != before {
		t.Error("the argument changed")
	}
	if a.Count() != 2 || a.Sum != 6000 || a.Max != 5000 {
		t.Errorf("count %d, sum %d, max %d, want 2, 6000, 5000", a.Count(), a.Sum, a.Max)
	}
}

func TestTheGreatestOfABucketIsKnownFromCountAndSum(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		b := rapid.IntRange(0, heat.Overflow).Draw(t, "bucket")
		least, greatest := heat.LowerNanoseconds(b), min(heat.UpperNanoseconds(b), 1<<50)
		if b > 0 {
			least++
		}
		values := rapid.SliceOfN(rapid.Uint64Range(least, greatest), 1, 50).Draw(t, "values")
		var sum uint64
		for _, v := range values {
			sum += v
		}
		got := heat.MaxOf(b, uint64(len(values)), sum)
		if got < slices.Max(values) {
			t.Fatalf("greatest of %v is said to be at most %d", values, got)
		}
		if got > heat.UpperNanoseconds(b) {
			t.Fatalf("greatest of bucket %d is %d, over its bound", b, got)
		}
		if len(values) == 1 && got != values[0] {
			t.Fatalf("greatest of one value %d is %d", values[0], got)
		}
	})
}
