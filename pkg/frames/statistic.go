package frames

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// Statistic is a figure of the hits in a column, or of what a gauge was in it.
// Those of hits are computed here, from histograms that have been merged over
// all agents: quantiles can't be averaged.
type Statistic struct {
	name string
	// unit is Grafana's name for the unit; "" means the one of the values.
	unit string
	// ofValues says that it is about values, which counts of hits do not have.
	ofValues bool
	// zero says that it is 0, rather than missing, where there is no hit.
	zero bool
	// ofHits and ofGauge compute it; nil when it means nothing for them.
	ofHits  func(h *heat.Histogram, step time.Duration) float64
	ofGauge func(p heat.GaugePoint) float64
}

var named = map[string]Statistic{
	"count": {name: "count", unit: "short", zero: true, ofHits: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Count())
	}},
	"rate": {name: "rate", unit: "cps", zero: true, ofHits: func(h *heat.Histogram, step time.Duration) float64 {
		return float64(h.Count()) / step.Seconds()
	}},
	"sum": {name: "sum", zero: true, ofHits: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Sum)
	}},
	"share": {name: "share", ofValues: true, zero: true, ofHits: func(h *heat.Histogram, step time.Duration) float64 {
		return float64(h.Sum) / step.Seconds()
	}},
	"mean": {name: "mean", ofValues: true, ofHits: func(h *heat.Histogram, _ time.Duration) float64 {
		return h.Mean()
	}, ofGauge: func(p heat.GaugePoint) float64 { return p.Sum / float64(p.N) }},
	"max": {name: "max", ofValues: true, ofHits: func(h *heat.Histogram, _ time.Duration) float64 {
		return float64(h.Max)
	}, ofGauge: func(p heat.GaugePoint) float64 { return p.Max }},
	"min":  {name: "min", ofValues: true, ofGauge: func(p heat.GaugePoint) float64 { return p.Min }},
	"last": {name: "last", ofValues: true, ofGauge: func(p heat.GaugePoint) float64 { return p.Last }},
}

// What there is to choose from, for errors.
const (
	figuresOfHits   = "count, rate, sum, share, mean, max, or a percentile between p0 and p100 such as p99.9"
	figuresOfCounts = "count, rate or sum"
	figuresOfGauges = "mean, max, min or last"
)

// ParseStatistic reads a statistic. Of hits there are count (hits in a column),
// rate (hits per second), sum, share (the sum over the width of the column: of
// durations the share of wall time, 0.01 for 10 ms in each second; of bytes,
// bytes per second), mean, max, or a quantile written as a percentile over 0 and
// under 100: p50, p99.9. Quantiles are estimates within the bucket, see
// [heat.Histogram.Quantile]. Of gauges there are mean, max, min and last.
func ParseStatistic(s string) (Statistic, error) {
	if statistic, ok := named[s]; ok {
		return statistic, nil
	}
	percent, isPercentile := strings.CutPrefix(s, "p")
	p, err := strconv.ParseFloat(percent, 64)
	if !isPercentile || err != nil || !(p > 0 && p < 100) {
		return Statistic{}, fmt.Errorf("statistic is %q, must be %s; of a gauge %s", s, figuresOfHits, figuresOfGauges)
	}
	return Statistic{name: s, ofValues: true, ofHits: func(h *heat.Histogram, _ time.Duration) float64 {
		return h.Quantile(p / 100)
	}}, nil
}

// String returns the statistic as it was parsed.
func (s Statistic) String() string { return s.name }

// ZeroWithoutHits says whether the statistic is 0, rather than unknown, where
// it was watched and nothing was hit.
func (s Statistic) ZeroWithoutHits() bool { return s.zero }

// Suits says, as an error, when a statistic means nothing for what it is of.
func (s Statistic) Suits(about Subject) error {
	switch {
	case about.Gauge && s.ofGauge == nil:
		return fmt.Errorf("statistic is %q, but %s is a gauge: must be %s", s.name, about.POM, figuresOfGauges)
	case about.countsHits() && s.ofValues:
		return fmt.Errorf("statistic is %q, but %s counts hits: must be %s", s.name, about.POM, figuresOfCounts)
	case !about.Gauge && s.ofHits == nil:
		return fmt.Errorf("statistic is %q, but %s is no gauge: must be %s", s.name, about.POM, figuresOfHits)
	}
	return nil
}

// of returns the statistic of a histogram as a frame shows it.
func (s Statistic) of(h *heat.Histogram, about Subject) float64 {
	v := s.ofHits(h, about.Step)
	if s.unit == "" {
		return about.scaled(v)
	}
	return v
}

// shownIn returns Grafana's name for the unit of the statistic.
func (s Statistic) shownIn(about Subject) string {
	switch {
	case s.unit != "":
		return s.unit
	case s.name == "share" && about.isDuration():
		return "percentunit"
	case s.name == "share":
		return "binBps"
	}
	return about.valueUnit()
}
