package heat

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"
)

// GaugeKey tells gauges apart.
type GaugeKey struct {
	Name                      string
	Process, Service, Version string
}

func (k GaugeKey) key() Key {
	return Key{POM: k.Name, Process: k.Process, Service: k.Service, Version: k.Version}
}

// GaugeDimensions lists the dimensions that a gauge can be split by.
var GaugeDimensions = []string{"service", "version", "process"}

// Gauges hold the newest hour of values that are measured once a second, such
// as the size of a heap. The zero value is ready for use, by any number of goroutines.
type Gauges struct {
	mu   sync.RWMutex
	runs map[GaugeKey]*gaugeRun
}

// Set notes the value of a gauge in the second of t. A later value for the same
// second replaces it; one that is older than the last is not taken.
func (g *Gauges) Set(k GaugeKey, t time.Time, value float64) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.runs == nil {
		g.runs = map[GaugeKey]*gaugeRun{}
	}
	r := g.runs[k]
	if r == nil {
		r = &gaugeRun{}
		g.runs[k] = r
	}
	r.set(t.Unix(), value)
}

const (
	// quietGauge is how many seconds a gauge has no value when what it is of is
	// taken to have ended.
	quietGauge = 60
	// quietGaugeBytes is how much such gauges may take of memory; beyond it, those
	// that are quiet for the longest are forgotten before their hour is over.
	quietGaugeBytes = 1 << 20
	// gaugeKeyBytes is what a gauge takes beside its values.
	gaugeKeyBytes = 256
)

// Forget drops the gauges that have had no value for an hour, or for less when
// there are many. Call it about once a minute.
func (g *Gauges) Forget(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	var quiet []GaugeKey
	held := 0
	for k, r := range g.runs {
		if r.last <= now.Unix()-quietGauge {
			quiet = append(quiet, k)
			held += gaugeKeyBytes + r.bytes()
		}
	}
	slices.SortFunc(quiet, func(a, b GaugeKey) int { return cmp.Compare(g.runs[a].last, g.runs[b].last) })
	for _, k := range quiet {
		r := g.runs[k]
		if held <= quietGaugeBytes && r.last > now.Unix()-HeadColumns {
			return
		}
		held -= gaugeKeyBytes + r.bytes()
		delete(g.runs, k)
	}
}

// Last returns the newest value of a gauge, and its time; false when there is none.
func (g *Gauges) Last(k GaugeKey) (float64, time.Time, bool) {
	g.mu.RLock()
	defer g.mu.RUnlock()
	r := g.runs[k]
	if r == nil {
		return 0, time.Time{}, false
	}
	return r.newest(), time.Unix(r.last, 0), true
}

// GaugePoint is what a gauge was in [Start, Start+step): how many values there
// were, their sum, and the least, greatest and last of them.
type GaugePoint struct {
	Start               time.Time
	N                   uint64
	Sum, Min, Max, Last float64
}

// GaugeSeries is the answer for one gauge: the points that have values, ascending.
type GaugeSeries struct {
	Key    GaugeKey
	Points []GaugePoint
}

// Query returns the gauges of a name that pass the matchers, in [from, to),
// ordered by service, version and process. Points begin at multiples of step.
func (g *Gauges) Query(name string, matchers []Matcher, from, to time.Time, step time.Duration) ([]GaugeSeries, error) {
	if step < time.Second || step%time.Second != 0 {
		return nil, fmt.Errorf("step is %s, must be a whole number of seconds, at least 1s", step)
	}
	if !from.Before(to) {
		return nil, fmt.Errorf("end %s is not after start %s", to.UTC().Format(time.RFC3339), from.UTC().Format(time.RFC3339))
	}
	for _, m := range matchers {
		if !slices.Contains(GaugeDimensions, m.Dimension) {
			return nil, fmt.Errorf("matcher has dimension %q, a gauge has %s", m.Dimension, strings.Join(GaugeDimensions, ", "))
		}
	}
	g.mu.RLock()
	defer g.mu.RUnlock()
	width := int64(step / time.Second)
	var result []GaugeSeries
	for k, r := range g.runs {
		if k.Name != name || !k.key().Matches(matchers) {
			continue
		}
		s := GaugeSeries{Key: k}
		r.each(from.Unix(), to.Unix(), func(at int64, v float64) {
			begin := time.Unix(floorTo(at, width), 0)
			if n := len(s.Points); n == 0 || !s.Points[n-1].Start.Equal(begin) {
				s.Points = append(s.Points, GaugePoint{Start: begin, Min: v, Max: v})
			}
			p := &s.Points[len(s.Points)-1]
			p.N++
			p.Sum += v
			p.Min, p.Max, p.Last = min(p.Min, v), max(p.Max, v), v
		})
		if s.Points != nil {
			result = append(result, s)
		}
	}
	slices.SortFunc(result, func(a, b GaugeSeries) int {
		return cmp.Or(cmp.Compare(a.Key.Service, b.Key.Service), cmp.Compare(a.Key.Version, b.Key.Version), cmp.Compare(a.Key.Process, b.Key.Process))
	})
	return result, nil
}
