package heat

import "math"

// Histogram counts values in the buckets of this package. The zero value is
// empty and ready for use. Methods that change it have a pointer receiver and
// leave their argument as it was.
type Histogram struct {
	Counts [NumBuckets]uint64
	// Sum is the exact sum of the values, in their unit.
	Sum uint64
	// Max is the greatest value, or an upper bound of it within its bucket.
	Max uint64
}

// Observe counts one value.
func (h *Histogram) Observe(v uint64) {
	h.Counts[Bucket(v)]++
	h.Sum += v
	h.Max = max(h.Max, v)
}

// Add adds other to h.
func (h *Histogram) Add(other *Histogram) {
	for i, n := range other.Counts {
		h.Counts[i] += n
	}
	h.Sum += other.Sum
	h.Max = max(h.Max, other.Max)
}

// Count returns how many values h has counted.
func (h *Histogram) Count() (n uint64) {
	for _, c := range h.Counts {
		n += c
	}
	return n
}

// Mean returns the mean value in its unit, and NaN when h is empty.
func (h *Histogram) Mean() float64 {
	return float64(h.Sum) / float64(h.Count())
}

// Quantile returns an estimate, in nanoseconds, of the value at q in [0, 1]:
// exponential interpolation in the bucket that the rank falls in, as
// Prometheus does for native histograms (histogram_quantile). It is never over
// Max, and NaN when h is empty or q is outside of [0, 1].
func (h *Histogram) Quantile(q float64) float64 {
	total := h.Count()
	if total == 0 || !(q >= 0 && q <= 1) {
		return math.NaN()
	}
	rank := q * float64(total)
	var below float64
	for i, n := range h.Counts {
		if n == 0 || below+float64(n) < rank {
			below += float64(n)
			continue
		}
		fraction := (rank - below) / float64(n)
		v := interpolate(i, fraction, h.Max)
		return math.Min(v, float64(h.Max))
	}
	return float64(h.Max)
}

func interpolate(bucket int, fraction float64, greatest uint64) float64 {
	upper := UpperSeconds(bucket) * 1e9
	if bucket == Overflow {
		return float64(greatest)
	}
	if bucket == 0 {
		return upper * fraction
	}
	lower := LowerSeconds(bucket) * 1e9
	return lower * math.Pow(upper/lower, fraction)
}

// MaxOf returns the tightest upper bound of the greatest of n values in a
// bucket that add up to sum: all others are at least over the lower bound. For
// n = 1 it is exact. n must not be zero.
func MaxOf(bucket int, n, sum uint64) uint64 {
	others := (n - 1) * (LowerNanoseconds(bucket) + 1)
	if bucket == 0 {
		others = 0
	}
	if others > sum {
		others = sum
	}
	return min(sum-others, UpperNanoseconds(bucket))
}
