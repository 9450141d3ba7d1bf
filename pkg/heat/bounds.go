// Package heat holds what a program's heat is made of: buckets, histograms,
// matrices of them over time, and the goroutine grid. It is pure: no I/O, no
// clock but the one it is handed.
package heat

import (
	"math"
	"math/bits"
	"slices"
)

// Durations fall in the buckets of Prometheus native histograms with schema 3:
// 8 per power of two, with bounds at 2^(i/8) seconds. Here they are counted in
// nanoseconds, so that eBPF, which has no floats, shares the table:
//
//	bucket    0            1                 ...  240              241
//	holds  [0, b0]   (b0, b1]                    (b239, b240]     (b240, +Inf)
//	bound     b0 = 2^-23 s   b1 = 2^(-183/8) s        b240 = 2^7 s
//	          119 ns         130 ns                   128 s
//
// A bound is rounded down to a whole nanosecond, which moves no whole number
// of nanoseconds to another bucket: v <= floor(b) exactly when v <= b. So
// export to a native histogram in seconds is lossless, and bucket 0 is its
// zero bucket.
const (
	// Schema is the Prometheus native histogram schema of the buckets.
	Schema = 3
	// NumBuckets counts the buckets, with the one below and the one above the bounds.
	NumBuckets = 242
	// Overflow is the bucket of all values over the last bound.
	Overflow = NumBuckets - 1
	// FirstExponent is the Prometheus bucket index of bucket 1 less one: the
	// upper bound of bucket i is 2^((FirstExponent+i)/8) seconds.
	FirstExponent = -184
)

// Bounds holds the inclusive upper bound of each bucket but the last, in nanoseconds.
var Bounds = makeBounds()

func makeBounds() (b [NumBuckets - 1]uint64) {
	for i := range b {
		b[i] = uint64(math.Floor(math.Exp2(float64(FirstExponent+i)/8) * 1e9))
	}
	return b
}

// firstBucket says, for each bit length of a value and the four bits after its
// first, the lowest bucket that such a value can be in. Sixteen to an octave are
// so fine that at most one bound lies within: then no loop is needed, whose end
// the CPU would have to guess.
var firstBucket = makeFirstBucket()

const fineBits = 4

func makeFirstBucket() (f [65 << fineBits]uint8) {
	for n := fineBits + 1; n <= 64; n++ {
		for fine := range uint64(1 << fineBits) {
			least := (1<<fineBits | fine) << (n - 1 - fineBits)
			i, _ := slices.BinarySearch(Bounds[:], least)
			f[uint64(n)<<fineBits|fine] = uint8(i)
		}
	}
	return f
}

// openBounds is Bounds, with no bound after the last.
var openBounds = makeOpenBounds()

func makeOpenBounds() (b [256]uint64) {
	for i := range b {
		b[i] = math.MaxUint64
	}
	copy(b[:], Bounds[:])
	return b
}

// Bucket returns the number of the bucket that holds ns nanoseconds.
func Bucket(ns uint64) int {
	// All numbers of fewer bits are in bucket 0.
	n := uint(bits.Len64(ns | 1<<fineBits))
	fine := ns >> ((n - 1 - fineBits) & 63) & (1<<fineBits - 1)
	i := firstBucket[uint64(n)<<fineBits|fine]
	// A borrow says that ns is over the bound, without a branch.
	_, over := bits.Sub64(openBounds[i], ns, 0)
	return int(i) + int(over)
}

// UpperSeconds returns the inclusive upper bound of bucket i in seconds; +Inf for the last.
func UpperSeconds(i int) float64 {
	if i >= Overflow {
		return math.Inf(1)
	}
	return math.Exp2(float64(FirstExponent+i) / 8)
}

// LowerSeconds returns the exclusive lower bound of bucket i in seconds; 0 for the first.
func LowerSeconds(i int) float64 {
	if i <= 0 {
		return 0
	}
	return UpperSeconds(i - 1)
}

// LowerNanoseconds returns the exclusive lower bound of bucket i in nanoseconds; 0 for the first.
func LowerNanoseconds(i int) uint64 {
	if i <= 0 {
		return 0
	}
	return Bounds[i-1]
}

// UpperNanoseconds returns the inclusive upper bound of bucket i in
// nanoseconds; the greatest uint64 for the last.
func UpperNanoseconds(i int) uint64 {
	if i >= Overflow {
		return math.MaxUint64
	}
	return Bounds[i]
}
