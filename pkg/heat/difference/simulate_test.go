package difference_test

import (
	"math"
	"math/rand/v2"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"gonum.org/v1/gonum/stat/distuv"
)

// noon is when all stories of these tests begin.
var noon = time.Unix(1_795_348_800, 0)

func after(seconds int) time.Time { return noon.Add(time.Duration(seconds) * time.Second) }

// shares is how the requests of a program are spread over the buckets.
type shares [heat.NumBuckets]float64

// plant changes how the requests of a program are spread, from a second on.
type plant func(second int, s *shares)

// program is a simulated program. Its requests come as a Poisson process and
// take lognormal times; ln of their median drifts from minute to minute, in two
// first-order autoregressions: one shared by all that runs then, and its own.
type program struct {
	random *rand.Rand
	// rate is requests per second, median in nanoseconds, deviation that of ln.
	rate, median, deviation float64
	shared, own             *drift
}

// drift is an autoregression that keeps 0.7 of each minute, of standard deviation size.
type drift struct {
	size   float64
	levels []float64
	random *rand.Rand
}

func newDrift(random *rand.Rand, size float64) *drift { return &drift{size: size, random: random} }

func (d *drift) at(minute int) float64 {
	const kept = 0.7
	for len(d.levels) <= minute {
		level := d.size * d.random.NormFloat64()
		if n := len(d.levels); n > 0 {
			level = kept*d.levels[n-1] + math.Sqrt(1-kept*kept)*level
		}
		d.levels = append(d.levels, level)
	}
	return d.levels[minute]
}

// run runs from one second to another, in columns of step seconds, which divide a minute.
func (p *program) run(from, to, step int, change plant) []heat.Column {
	var columns []heat.Column
	for start := from; start < to; start += step {
		s := p.shares(start / 60)
		if change != nil {
			change(start, s)
		}
		column := heat.Column{Start: after(start)}
		for bucket, share := range s {
			if mean := share * p.rate * float64(step); mean > 0 {
				if n := uint64(distuv.Poisson{Lambda: mean, Src: p.random}.Rand()); n > 0 {
					column.Buckets, column.Counts = append(column.Buckets, uint32(bucket)), append(column.Counts, n)
					column.Sum += n * heat.LowerNanoseconds(bucket)
					column.Max = heat.UpperNanoseconds(bucket)
				}
			}
		}
		if len(column.Buckets) > 0 {
			columns = append(columns, column)
		}
	}
	return columns
}

func (p *program) shares(minute int) *shares {
	level := p.shared.at(minute) + p.own.at(minute)
	var s shares
	last := 0.0
	for bucket := range s {
		next := 1.0
		if bucket < heat.Overflow {
			z := (math.Log(float64(heat.UpperNanoseconds(bucket))/p.median) - level) / p.deviation
			next = math.Erfc(-z/math.Sqrt2) / 2
		}
		if s[bucket] = next - last; s[bucket] < 1e-9 {
			s[bucket] = 0 // one in a billion is never seen, and takes as long to draw
		}
		last = next
	}
	return &s
}

// slower makes each request take so many buckets longer: 8 double its time.
func slower(buckets int) plant {
	return func(_ int, s *shares) {
		copy(s[buckets:], s[:])
		clear(s[:buckets])
	}
}

// moves makes some of all requests take times of a few buckets instead of their own.
func moves(share float64, first, last int) plant {
	return func(_ int, s *shares) {
		for bucket := range s {
			s[bucket] *= 1 - share
		}
		for bucket := first; bucket <= last; bucket++ {
			s[bucket] += share / float64(last-first+1)
		}
	}
}

// still is no drift.
func still() *drift { return newDrift(rand.New(rand.NewPCG(0, 0)), 0) }
