package difference

import (
	"math"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"gonum.org/v1/gonum/stat/distuv"
)

const (
	// leastHits is how many hits of a bucket, of both arms together, are tested.
	leastHits = 10
	// leastPart is the least difference of a cell that is called one, of all hits.
	leastPart = 2e-4
)

// tested is a segment, and what its test could have found.
type tested struct {
	Segment
	detectable float64
}

// segment tests each bucket of some blocks of the candidate against those of the
// baseline, which end a gap before they begin where blocks are no pairs.
//
// What a bucket has per Of is a ratio of two sums over blocks; its variance is
// that of the blocks' residuals (Cochran, Sampling Techniques, 6.3 and 9A: the
// ratio estimator on clusters), of their differences where blocks are pairs,
// and never under that of a Poisson count. The baseline may be anything in the
// envelope that a shift of its values by drift makes of it, and e^Rate times as
// much or as little: only what lies beyond is held against Student's t, with
// the degrees of freedom of Welch where blocks are no pairs.
func (q Question) segment(gap time.Duration, baseline, candidate []Block) tested {
	b, c := add(baseline), add(candidate)
	s := Segment{Baseline: b.rates(), Candidate: c.rates(), Rate: LeastEffect}
	if q.Valued {
		s.Shift = q.Drift.allowance(q.Paired, gap, q.values(baseline), q.values(candidate))
	}
	if !q.Shares {
		s.Rate = q.Drift.allowance(q.Paired, gap, q.rates(baseline), q.rates(candidate))
	}
	room := s.Baseline.envelope(s.Shift)
	var deviation, freedom Spread
	cells := 0
	for bucket := range s.P {
		s.P[bucket], s.Q[bucket] = math.NaN(), math.NaN()
		if b.hits.Counts[bucket]+c.hits.Counts[bucket] < leastHits {
			continue
		}
		cells++
		if q.Paired {
			deviation[bucket], freedom[bucket] = paired(bucket, baseline, candidate, b, c)
		} else {
			deviation[bucket], freedom[bucket] = unpaired(bucket, baseline, candidate, b, c)
		}
		s.P[bucket] = 1
		if beyond := s.beyond(bucket, s.Candidate[bucket], room); beyond > 0 {
			s.P[bucket] = 2 * student(freedom[bucket]).CDF(-beyond/deviation[bucket])
		}
	}
	return tested{s, q.detectable(s, room, deviation, freedom, cells, len(candidate), c.of)}
}

func student(freedom float64) distuv.StudentsT { return distuv.StudentsT{Sigma: 1, Nu: freedom} }

// beyond returns by how much a value of a bucket lies outside of what drift may make of the baseline.
func (s *Segment) beyond(bucket int, value float64, room envelope) float64 {
	grown := math.Exp(s.Rate)
	return max(value-room.most[bucket]*grown, room.least[bucket]/grown-value, 0)
}

// total is what blocks add up to.
type total struct {
	hits heat.Histogram
	of   float64
}

func add(blocks []Block) (t total) {
	for i := range blocks {
		t.hits.Add(&blocks[i].Hits)
		t.of += blocks[i].Of
	}
	return t
}

// rates returns the hits per Of, by bucket.
func (t *total) rates() (s Spread) {
	for bucket, n := range t.hits.Counts {
		s[bucket] = float64(n) / t.of
	}
	return s
}

// residual is by how much a block's hits of a bucket are off the ratio of all, per mean block.
func (t *total) residual(bucket int, x *Block, blocks int) float64 {
	return (float64(x.Hits.Counts[bucket]) - float64(t.hits.Counts[bucket])/t.of*x.Of) / (t.of / float64(blocks))
}

// poisson is the variance of the ratio of a bucket if its hits came one by one.
func (t *total) poisson(bucket int) float64 {
	return (float64(t.hits.Counts[bucket]) + 0.5) / (t.of * t.of)
}

func unpaired(bucket int, baseline, candidate []Block, b, c total) (deviation, freedom float64) {
	var sum, welch float64
	for _, arm := range []struct {
		blocks []Block
		total  *total
	}{{baseline, &b}, {candidate, &c}} {
		n := float64(len(arm.blocks))
		squares := 0.0
		for i := range arm.blocks {
			r := arm.total.residual(bucket, &arm.blocks[i], len(arm.blocks))
			squares += r * r
		}
		variance := max(squares/(n*(n-1)), arm.total.poisson(bucket))
		sum += variance
		welch += variance * variance / (n - 1)
	}
	return math.Sqrt(sum), sum * sum / welch
}

func paired(bucket int, baseline, candidate []Block, b, c total) (deviation, freedom float64) {
	n := float64(len(baseline))
	squares := 0.0
	for i := range baseline {
		r := c.residual(bucket, &candidate[i], len(candidate)) - b.residual(bucket, &baseline[i], len(baseline))
		squares += r * r
	}
	return math.Sqrt(max(squares/(n*(n-1)), b.poisson(bucket)+c.poisson(bucket))), n - 1
}

// values returns the mean of ln of the values in each block.
func (q Question) values(blocks []Block) level {
	l := level{block: q.Block}
	filled := 0.0
	for i := range blocks {
		mean, variance, n := logMoments(&blocks[i].Hits)
		l.of = append(l.of, mean)
		if n > 0 {
			l.noise += variance / n
			filled++
		}
	}
	l.noise /= max(filled, 1)
	return l
}

// rates returns ln of the hits per Of in each block.
func (q Question) rates(blocks []Block) level {
	l := level{block: q.Block}
	for i := range blocks {
		n := float64(blocks[i].Hits.Count()) + 0.5
		l.of = append(l.of, math.Log(n/blocks[i].Of))
		l.noise += 1 / n / float64(len(blocks))
	}
	return l
}

// logMoments returns mean and variance of the values, as ln, up to a constant; the mean of none is NaN.
func logMoments(h *heat.Histogram) (mean, variance, n float64) {
	var sum, squares float64
	for bucket, count := range h.Counts {
		if count > 0 {
			x, w := float64(bucket)*bucketWidth, float64(count)
			n, sum, squares = n+w, sum+w*x, squares+w*x*x
		}
	}
	if n == 0 {
		return math.NaN(), 0, 0
	}
	mean = sum / n
	return mean, max(squares/n-mean*mean, 0), n
}

// power is how many standard deviations more than just enough are found in 80 of 100 cases.
const power = 0.842

// detectable returns the least shift of all of the baseline's values, as ln, or
// of the number of hits where they have none, by which some bucket would most
// likely leave its room far enough to be called different, were it the only one
// of so many cells: in 80 of 100 cases of chance, and of drift that works
// against it. The search ends at a factor of 16.
func (q Question) detectable(s Segment, room envelope, deviation, freedom Spread, cells, blocks int, of float64) float64 {
	const end, step = 4 * math.Ln2, 0.02
	against := power * s.Shift / allowedDeviations
	if !q.Valued {
		against = power * s.Rate / allowedDeviations
	}
	below := s.Baseline.below()
	critical := map[float64]float64{}
	for by := step; by < end; by += step {
		moved := shifted(below, by)
		if !q.Valued {
			*moved = s.Baseline
			for bucket := range moved {
				moved[bucket] *= math.Exp(by)
			}
		}
		for bucket, value := range moved {
			beyond := s.beyond(bucket, value, room)
			if beyond == 0 || value*of < leastHits {
				continue
			}
			nu := freedom[bucket]
			if nu == 0 {
				nu = float64(blocks - 1) // a bucket that has no hits yet
			}
			t, known := critical[nu]
			if !known {
				t = -student(nu).Quantile(Level / 2 / float64(max(cells, 1)))
				critical[nu] = t
			}
			if beyond > (t+power)*max(deviation[bucket], math.Sqrt(value/of)) {
				return by + against
			}
		}
	}
	return end
}
