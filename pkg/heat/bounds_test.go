package heat_test

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/gotherm/gotherm/pkg/heat"
)

func TestTheRulerHasEightBucketsPerOctaveFrom119NanosecondsTo128Seconds(t *testing.T) {
	if got := heat.Bounds[0]; got != 119 {
		t.Errorf("first bound is %d ns, want 119: 2^-23 s", got)
	}
	if got := heat.Bounds[len(heat.Bounds)-1]; got != 128e9 {
		t.Errorf("last bound is %d ns, want 128 s", got)
	}
	for i := 8; i < len(heat.Bounds); i++ {
		ratio := float64(heat.Bounds[i]) / float64(heat.Bounds[i-8])
		if math.Abs(ratio-2) > 0.01 {
			t.Errorf("bound %d is %.4f times bound %d, want an octave", i, ratio, i-8)
		}
	}
}

func TestEachValueFallsBetweenTheBoundsOfItsBucket(t *testing.T) {
	holds := func(v uint64) bool {
		b := heat.Bucket(v)
		above := b == 0 || v > heat.LowerNanoseconds(b)
		return above && v <= heat.UpperNanoseconds(b)
	}
	for _, bound := range heat.Bounds {
		for _, v := range []uint64{bound - 1, bound, bound + 1} {
			if !holds(v) {
				t.Errorf("%d ns is in bucket %d", v, heat.Bucket(v))
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		if v := rapid.Uint64().Draw(t, "ns"); !holds(v) {
			t.Fatalf("%d ns is in bucket %d", v, heat.Bucket(v))
		}
	})
}

// Prometheus puts a value v in the bucket i of schema 3 with 2^((i-1)/8) < v <= 2^(i/8), in seconds.
func TestBucketsAreThoseOfAPrometheusNativeHistogramInSeconds(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ns := rapid.Uint64Range(120, 128e9).Draw(t, "ns")
		b := heat.Bucket(ns)
		lower, upper := heat.LowerSeconds(b)*1e9, heat.UpperSeconds(b)*1e9
		if v := float64(ns); !(lower < v && v <= upper) {
			t.Fatalf("%d ns is in bucket %d, which is (%g, %g] ns", ns, b, lower, upper)
		}
	})
}

func BenchmarkBucket(b *testing.B) {
	v := uint64(1)
	for b.Loop() {
		v = v*6364136223846793005 + 1442695040888963407
		_ = heat.Bucket(v >> 30)
	}
}
