package difference

import (
	"math"
	"slices"
	"time"

	"gonum.org/v1/gonum/stat"
)

// The same program is not equally fast in each minute: its neighbours, its
// caches and its traffic change, and all its latencies with them. Minutes that
// are near each other are alike, so that drift looks like a difference of two
// short windows, and no test of hits, or of blocks within the windows, can tell
// the two apart. So a shift that drift explains is allowed for, before
// anything is called a difference.
//
// Drift is a first-order autoregression: ln of the factor has the standard
// deviation Shared in what troubles all there is, and Own in what troubles one
// arm only; each minute keeps 0.7 of the one before. Continued between the
// minutes that is an Ornstein-Uhlenbeck process with correlation exp(-lag/2.8 min).
//
// It is what is assumed, and weighs as much as half an hour of watching: what is
// measured between the blocks replaces it by and by, whether it is less or more.
type Drift struct{ Shared, Own float64 }

// LatencyDrift is what is assumed of latencies: 10 % shared and 5 % own.
var LatencyDrift = Drift{Shared: 0.10, Own: 0.05}

const (
	// LeastEffect is the least shift, as ln, that is called a difference; drift may make it more.
	LeastEffect = 0.05
	// allowedDeviations is how many standard deviations of drift are allowed for.
	allowedDeviations = 2
	// kept is the autocorrelation of drift after a minute.
	kept = 0.7
	// trust is how long one would have to watch to know drift as well as is assumed.
	trust = 30 * time.Minute
)

// averaged returns the variance of the mean of drift over some time, where the
// variance at a moment is 1: 2 (x - 1 + e^-x) / x^2 for x = time/2.8 min.
func averaged(over time.Duration) float64 {
	x := -math.Log(kept) * over.Minutes()
	if x < 1e-4 {
		return 1
	}
	return 2 * (x - 1 + math.Exp(-x)) / (x * x)
}

// together returns the covariance of the means of drift over two times, one
// after the other with a gap between, where the variance at a moment is 1.
func together(first, gap, second time.Duration) float64 {
	x, y := -math.Log(kept)*first.Minutes(), -math.Log(kept)*second.Minutes()
	return math.Exp(math.Log(kept)*gap.Minutes()) * math.Expm1(-x) * math.Expm1(-y) / (x * y)
}

// level is how high something was in each block of an arm, as ln, NaN where it
// had no hits, and the variance that each has since its hits are few.
type level struct {
	of    []float64
	noise float64
	block time.Duration
}

func (l level) span() time.Duration { return time.Duration(len(l.of)) * l.block }

// variance estimates the variance of drift at a moment from that between
// blocks, which is less: each is a mean, and all are near each other. As much of
// it as few hits may well explain is not counted.
func (l level) variance() float64 {
	known := slices.DeleteFunc(slices.Clone(l.of), math.IsNaN)
	n := float64(len(known))
	if n < 2 {
		return 0
	}
	found := stat.Variance(known, nil) - l.noise*(1+2*math.Sqrt(2/(n-1)))
	return max(found, 0) * (n - 1) / n / (averaged(l.block) - averaged(l.span()))
}

// allowance returns the greatest shift of the candidate, as ln up or down, that
// drift explains; never under [LeastEffect]. gap is the time between arms that
// are not at the same time.
func (d Drift) allowance(paired bool, gap time.Duration, baseline, candidate level) float64 {
	if paired {
		pairs := level{of: make([]float64, len(baseline.of)), noise: baseline.noise + candidate.noise, block: baseline.block}
		for i := range pairs.of {
			pairs.of[i] = candidate.of[i] - baseline.of[i]
		}
		variance := d.learn(2*d.Own*d.Own, pairs) * averaged(pairs.span())
		return max(LeastEffect, allowedDeviations*math.Sqrt(variance))
	}
	all := averaged(baseline.span()) + averaged(candidate.span())
	near := 2 * together(baseline.span(), gap, candidate.span())
	momentary := d.learn(d.Own*d.Own+d.Shared*d.Shared, baseline, candidate)
	// A candidate is another process: what is its own does not go on from one to the other.
	shared := 1.0
	if d != (Drift{}) {
		shared = d.Shared * d.Shared / (d.Own*d.Own + d.Shared*d.Shared)
	}
	return max(LeastEffect, allowedDeviations*math.Sqrt(momentary*(all-shared*near)))
}

// learn returns the variance of drift at a moment: what is assumed and what is
// measured, each by what it is worth. Drift that nothing is assumed of is as measured.
func (d Drift) learn(assumed float64, measured ...level) float64 {
	sum, worth := assumed*trust.Minutes(), trust.Minutes()
	if d == (Drift{}) {
		sum, worth = 0, 0
	}
	for _, l := range measured {
		minutes := l.span().Minutes()
		sum, worth = sum+l.variance()*minutes, worth+minutes
	}
	return sum / worth
}
