package frames

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// Statistic is a figure of a histogram. It is computed here, from histograms
// that have been merged over all agents: quantiles can't be averaged.
type Statistic struct {
	name string
	// unit is Grafana's name for the unit; "" means the one of the values.
	unit string
	// ofValues says that it is about values, which counts of hits do not have.
	ofValues bool
	// zero says that it is 0, rather than missing, where there is no hit.
	zero  bool
	value func(h *heat.Histogram, step time.Duration) float64
}

var named = map[string]Statistic{
	"count": {name: "count", unit: "short", zero: true, value: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Count())
	}},
	"rate": {name: "rate", unit: "cps", zero: true, value: func(h *heat.Histogram, step time.Duration) float64 {
		return float64(h.Count()) / step.Seconds()
	}},
	"sum": {name: "sum", zero: true, value: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Sum)
	}},
	"share": {name: "share", unit: "percentunit", ofValues: true, zero: true, value: func(h *heat.Histogram, step time.Duration) float64 {
		return float64(h.Sum) / float64(step.Nanoseconds())
	}},
	"mean": {name: "mean", ofValues: true, value: func(h *heat.Histogram, _ time.Duration) float64 {
		return h.Mean()
	}},
	"max": {name: "max", ofValues: true, value: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Max)
	}},
}

// ParseStatistic reads count (hits in a column), rate (hits per second), sum,
// share (of wall time: sum over the width of the column, 0.01 for 10 ms in each
// second), mean, max, or a quantile written as a percentile over 0 and under 100: p50,
// p99.9. Quantiles are estimates within the bucket, see [heat.Histogram.Quantile].
func ParseStatistic(s string) (Statistic, error) {
	if statistic, ok := named[s]; ok {
		return statistic, nil
	}
	percent, isPercentile := strings.CutPrefix(s, "p")
	p, err := strconv.ParseFloat(percent, 64)
	if !isPercentile || err != nil || !(p > 0 && p < 100) {
		return Statistic{}, fmt.Errorf("statistic is %q, must be count, rate, sum, share, mean, max, or a percentile between p0 and p100 such as p99.9", s)
	}
	return Statistic{name: s, ofValues: true, value: func(h *heat.Histogram, _ time.Duration) float64 {
		return h.Quantile(p / 100)
	}}, nil
}

// String returns the statistic as it was parsed.
func (s Statistic) String() string { return s.name }

// ZeroWithoutHits says whether the statistic is 0, rather than unknown, where
// it was watched and nothing was hit.
func (s Statistic) ZeroWithoutHits() bool { return s.zero }

// Suits says, as an error, when a statistic means nothing for a unit.
func (s Statistic) Suits(about Subject) error {
	if s.ofValues && !about.isDuration() {
		return fmt.Errorf("statistic is %q, but %s counts hits: must be count, rate or sum", s.name, about.POM)
	}
	return nil
}

// of returns the statistic of a histogram as a frame shows it.
func (s Statistic) of(h *heat.Histogram, about Subject) float64 {
	v := s.value(h, about.Step)
	if s.unit == "" {
		return about.scaled(v)
	}
	return v
}
