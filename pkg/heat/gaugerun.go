package heat

import (
	"math"
	"slices"
)

// gaugeSpan is how many seconds of a gauge are packed together.
const gaugeSpan = 120

// gaugeRun has the values of one gauge in the last hour: the newest span as
// they are, and those before it packed.
type gaugeRun struct {
	last   int64 // second of the newest value
	packed []packedGauge
	start  int64 // of the newest span, a multiple of gaugeSpan
	values []float64
}

// packedGauge is a span at rest. A value that is as the one before takes a
// bit; one that is whole, as that before was, some bits more than the difference; any
// other, 66. Of seconds without a value it says NaN.
type packedGauge struct {
	start int64
	data  []byte // with bitPadding
}

// set notes the value of a second, unless that is before the last.
func (r *gaugeRun) set(second int64, value float64) {
	if second < r.last {
		return
	}
	if start := floorTo(second, gaugeSpan); start != r.start {
		if len(r.values) > 0 {
			r.packed = append(r.packed, packGauge(r.start, r.values))
		}
		r.start, r.values = start, r.values[:0]
		gone := 0
		for gone < len(r.packed) && r.packed[gone].start+gaugeSpan <= second-HeadColumns+1 {
			gone++
		}
		// A new slice, where anything went: what is forgotten is not held by an old one.
		if gone > 0 {
			r.packed = slices.Clone(r.packed[gone:])
		}
	}
	for int64(len(r.values)) < second-r.start {
		r.values = append(r.values, math.NaN())
	}
	r.values = append(r.values[:second-r.start], value)
	r.last = second
}

// newest returns the newest value.
func (r *gaugeRun) newest() float64 { return r.values[len(r.values)-1] }

// each calls f with the values of [from, to) in the last hour, ascending.
func (r *gaugeRun) each(from, to int64, f func(second int64, value float64)) {
	from = max(from, r.last-HeadColumns+1)
	tell := func(start int64, values []float64) {
		for i, v := range values {
			if at := start + int64(i); at >= from && at < to && !math.IsNaN(v) {
				f(at, v)
			}
		}
	}
	for _, p := range r.packed {
		if p.start+gaugeSpan > from && p.start < to {
			tell(p.start, p.values())
		}
	}
	tell(r.start, r.values)
}

// bytes is what the values take of memory.
func (r *gaugeRun) bytes() int {
	n := 96 + 8*cap(r.values)
	for _, p := range r.packed {
		n += 32 + cap(p.data)
	}
	return n
}

// whole says whether a value is a whole number that an int64 has exactly; a
// zero below zero is not.
func whole(v float64) bool {
	return math.Abs(v) < 1<<53 && math.Float64bits(float64(int64(v))) == math.Float64bits(v)
}

func packGauge(start int64, values []float64) packedGauge {
	var w bitWriter
	w.put(uint64(len(values)), 8)
	previous := 0.0
	for _, v := range values {
		switch {
		case math.Float64bits(v) == math.Float64bits(previous):
			w.put(1, 1)
		case whole(v) && whole(previous):
			w.put(0b01, 2)
			d := int64(v) - int64(previous)
			w.large(uint64(d)<<1 ^ uint64(d>>63)) // the sign in the lowest bit
		default:
			w.put(0b00, 2)
			w.put(math.Float64bits(v), 64)
		}
		previous = v
	}
	w.align()
	data := make([]byte, len(w.bytes)+bitPadding)
	copy(data, w.bytes)
	return packedGauge{start, data}
}

func (p packedGauge) values() []float64 {
	r := bitReader{bytes: p.data}
	values := make([]float64, r.take(8))
	previous := 0.0
	for i := range values {
		switch {
		case r.take(1) == 1:
		case r.take(1) == 1:
			z := r.large()
			previous = float64(int64(previous) + (int64(z>>1) ^ -int64(z&1)))
		default:
			previous = math.Float64frombits(r.take(64))
		}
		values[i] = previous
	}
	return values
}
