package heat

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

func TestNumbersComeBackAsTheyWereWritten(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		type number struct {
			value uint64
			width uint // 0 is small, 65 large, 66 aligns
		}
		numbers := rapid.SliceOf(rapid.Custom(func(t *rapid.T) number {
			n := number{rapid.Uint64().Draw(t, "value") >> rapid.UintRange(0, 63).Draw(t, "shift"), rapid.UintRange(0, 66).Draw(t, "width")}
			if n.width == 0 {
				n.value = max(n.value, 1)
			} else if n.width < 64 {
				n.value &= 1<<n.width - 1
			}
			return n
		})).Draw(t, "numbers")
		var w bitWriter
		for _, n := range numbers {
			switch n.width {
			case 0:
				w.small(n.value)
			case 65:
				w.large(n.value)
			case 66:
				w.align()
			default:
				w.put(n.value, n.width)
			}
		}
		w.align()
		r := bitReader{bytes: append(w.bytes, make([]byte, bitPadding)...)}
		for i, n := range numbers {
			got := n.value
			switch n.width {
			case 0:
				got = r.small()
			case 65:
				got = r.large()
			case 66:
				r.align()
			default:
				got = r.take(n.width)
			}
			if got != n.value {
				t.Fatalf("number %d is %d of width %d, read as %d", i, n.value, n.width, got)
			}
		}
		if r.align(); r.at != uint(8*len(w.bytes)) {
			t.Errorf("read %d bits of %d", r.at, 8*len(w.bytes))
		}
	})
}

func TestAPackedGaugeHasEachBitOfItsValues(t *testing.T) {
	value := rapid.OneOf(
		rapid.Float64(),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), math.NaN(), math.Inf(1), 1, -1, 1 << 53, -(1<<53 - 1), 1<<53 - 1, 0.1, math.MaxFloat64}),
		rapid.Map(rapid.Int64(), func(n int64) float64 { return float64(n) }),
	)
	rapid.Check(t, func(t *rapid.T) {
		values := rapid.SliceOfN(value, 0, gaugeSpan).Draw(t, "values")
		got := packGauge(0, values).values()
		if !slices.EqualFunc(values, got, func(a, b float64) bool { return math.Float64bits(a) == math.Float64bits(b) }) {
			t.Errorf("%v came back as %v", values, got)
		}
	})
}
