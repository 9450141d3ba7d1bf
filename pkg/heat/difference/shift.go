package difference

import (
	"math"

	"github.com/gotherm/gotherm/pkg/heat"
)

// bucketWidth is how wide a bucket is, as ln: there are 8 in an octave.
const bucketWidth = math.Ln2 / 8

// Spread is how some hits are spread over the buckets: what each has per hit,
// per request or per second.
type Spread [heat.NumBuckets]float64

func (s *Spread) sum() (total float64) {
	for _, v := range s {
		total += v
	}
	return total
}

// below returns the running sums: below[b] is what is in the buckets under b.
func (s *Spread) below() *[heat.NumBuckets + 1]float64 {
	var running [heat.NumBuckets + 1]float64
	for b, v := range s {
		running[b+1] = running[b] + v
	}
	return &running
}

// at returns what lies under a place between bounds, where hits are spread
// evenly over each bucket on the logarithmic axis.
func at(below *[heat.NumBuckets + 1]float64, place float64) float64 {
	if place <= 0 {
		return 0
	}
	if place >= heat.NumBuckets {
		return below[heat.NumBuckets]
	}
	whole := int(place)
	return below[whole] + (place-float64(whole))*(below[whole+1]-below[whole])
}

// shifted returns what buckets hold when each value is e^by times as great. What
// leaves the first or the last bucket outwards stays in it.
func shifted(below *[heat.NumBuckets + 1]float64, by float64) *Spread {
	var s Spread
	last := 0.0
	for b := range s {
		next := at(below, float64(b+1)-by/bucketWidth)
		if b == heat.Overflow {
			next = below[heat.NumBuckets]
		}
		s[b], last = next-last, next
	}
	return &s
}

// envelope is what each bucket may hold, at the least and the most, when all
// values are shifted by up to some ln, up or down.
type envelope struct{ least, most Spread }

func (s *Spread) envelope(shift float64) envelope {
	e := envelope{*s, *s}
	below := s.below()
	// Four shifts for each width of a bucket: between them, a bucket's content is all but linear.
	steps := int(math.Ceil(4 * shift / bucketWidth))
	for i := -steps; i <= steps; i++ {
		for b, v := range shifted(below, shift*float64(i)/float64(max(steps, 1))) {
			e.least[b], e.most[b] = min(e.least[b], v), max(e.most[b], v)
		}
	}
	return e
}
