package heat

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Key tells series apart. The zero value of a dimension means that the hit was
// not split by it; Node and CPU are shifted by one for that, see [NodeKey].
type Key struct {
	POM      string
	Process  string
	Service  string
	Version  string
	Reason   string
	Function string
	// Route of a request, "GET /items/{id}".
	Route string
	// Label is a pprof label, "key=value".
	Label string
	// Node, CPU and Depth are the number plus one; 0 when unknown or not split.
	// Depth is of the path that a request took in the kernel, in stack frames.
	Node, CPU uint16
	Depth     uint8
}

// NodeKey and its inverse shift a NUMA node or CPU number so that zero means none.
func NodeKey(n int) uint16 { return uint16(n + 1) }

// Dimensions lists the dimensions that a key has, in the order of display.
var Dimensions = []string{"service", "version", "process", "node", "cpu", "reason", "function", "route", "label", "depth"}

// NumberDimensions lists those of them whose values are numbers.
var NumberDimensions = []string{"node", "cpu", "depth"}

// Value returns the value of a dimension as a label; "" when there is none.
func (k Key) Value(dimension string) string {
	number := func(n uint16) string {
		if n == 0 {
			return ""
		}
		return strconv.Itoa(int(n) - 1)
	}
	switch dimension {
	case "process":
		return k.Process
	case "service":
		return k.Service
	case "version":
		return k.Version
	case "reason":
		return k.Reason
	case "function":
		return k.Function
	case "node":
		return number(k.Node)
	case "cpu":
		return number(k.CPU)
	case "route":
		return k.Route
	case "label":
		return k.Label
	case "depth":
		return number(uint16(k.Depth))
	}
	return ""
}

// Matcher keeps the keys whose dimension has one of the values; with no values it keeps all.
type Matcher struct {
	Dimension string
	Values    []string
}

// Matches says whether k passes all the matchers.
func (k Key) Matches(matchers []Matcher) bool {
	for _, m := range matchers {
		if len(m.Values) > 0 && !slices.Contains(m.Values, k.Value(m.Dimension)) {
			return false
		}
	}
	return true
}

// Head holds the newest hour of heat in memory: one matrix for each series. It
// is safe for use by any number of goroutines; only making and forgetting a
// series takes a lock.
type Head struct {
	maxSeries int
	mu        sync.Mutex // held while series is replaced
	series    atomic.Pointer[map[Key]*Matrix]
	now       atomic.Int64
	sealed    atomic.Int64
	crowded   atomic.Bool
	// forgotten counts, by POM, the hits of series that have been dropped.
	forgotten map[string]uint64
}

// NewHead returns an empty head that holds up to maxSeries series. Beyond them
// hits are kept without their finer dimensions: see [Head.Matrix].
func NewHead(now time.Time, maxSeries int) *Head {
	h := &Head{maxSeries: maxSeries, forgotten: map[string]uint64{}}
	h.series.Store(&map[Key]*Matrix{})
	h.now.Store(now.Unix())
	h.sealed.Store(now.Unix() - sealAfter)
	return h
}

// Matrix returns the matrix of a series, and makes it when there is none. When
// the head is full, the hits go to the series of the process without its finer
// dimensions, which always has room. Keep the result: the lookup is not for hot paths.
func (h *Head) Matrix(k Key) *Matrix {
	if m := (*h.series.Load())[k]; m != nil {
		return m
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	old := *h.series.Load()
	if len(old) >= h.maxSeries {
		k = k.coarse()
		h.crowded.Store(true)
	}
	if m := old[k]; m != nil {
		return m
	}
	m := NewMatrix(time.Unix(h.now.Load(), 0))
	replaced := maps.Clone(old)
	replaced[k] = m
	h.series.Store(&replaced)
	return m
}

// Advance seals what is older than a few seconds. Call it about once a second,
// from one goroutine.
func (h *Head) Advance(now time.Time) {
	// A series that is made meanwhile either is in this map, or begins with now.
	h.mu.Lock()
	h.now.Store(now.Unix())
	series := *h.series.Load()
	h.mu.Unlock()
	for _, m := range series {
		m.Advance(now)
	}
	// A clock that is set back opens nothing again.
	h.sealed.Store(max(h.sealed.Load(), now.Unix()-sealAfter))
}

// Sealed returns the time before which all columns are closed: whatever is
// asked about the time before it, now or later, has the same answer for as
// long as the head remembers it.
func (h *Head) Sealed() time.Time { return time.Unix(h.sealed.Load(), 0) }

// Forget drops the series that alive says nobody adds to any more and that
// have had no hit for the hour the head remembers. Whoever kept such a matrix
// must ask [Head.Matrix] again.
//
// When the head has turned series away, it also makes room for them: the series
// of processes that have ended lose their finer dimensions, and no hits. It says
// whether it did. Call it from the goroutine that calls Advance.
func (h *Head) Forget(alive func(Key) bool) (folded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	replaced := maps.Clone(*h.series.Load())
	for k, m := range replaced {
		if alive(k) {
			continue
		}
		if m.idle() {
			h.forgotten[k.POM] += m.Total()
			delete(replaced, k)
		}
	}
	if h.crowded.Swap(false) {
		before := len(replaced)
		h.makeRoom(replaced, alive)
		folded = len(replaced) < before
	}
	h.series.Store(&replaced)
	return folded
}

// Crowded says that a series was denied its finer dimensions since the last
// [Head.Forget], for want of room.
func (h *Head) Crowded() bool { return h.crowded.Load() }

// Total counts all hits of a POM that the head has ever been given.
func (h *Head) Total(pom string) uint64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	total := h.forgotten[pom]
	for k, m := range *h.series.Load() {
		if k.POM == pom {
			total += m.Total()
		}
	}
	return total
}

// Cumulative calls f with each series of a POM and all that it was ever given;
// see [Matrix.Cumulative].
func (h *Head) Cumulative(pom string, f func(Key, *Histogram)) {
	for k, m := range *h.series.Load() {
		if k.POM == pom {
			f(k, m.Cumulative())
		}
	}
}

// Values returns, sorted, what a dimension has been in the hits of a POM in
// [from, to), among the series that pass the matchers. "" is not a value.
func (h *Head) Values(pom, dimension string, matchers []Matcher, from, to time.Time) []string {
	seen := map[string]bool{}
	for k, m := range *h.series.Load() {
		v := k.Value(dimension)
		if v != "" && !seen[v] && k.POM == pom && k.Matches(matchers) && m.Merge(&Histogram{}, from, to) {
			seen[v] = true
		}
	}
	return slices.Sorted(maps.Keys(seen))
}

// Keys returns the keys of a POM that pass the matchers, in no order.
func (h *Head) Keys(pom string, matchers []Matcher) []Key {
	var keys []Key
	for k := range *h.series.Load() {
		if k.POM == pom && k.Matches(matchers) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Request asks a head for heat.
type Request struct {
	POM      string
	Matchers []Matcher
	// From is rounded down and To up to a multiple of Step.
	From, To time.Time
	// Step is the width of a column: a whole number of seconds, at least one.
	Step    time.Duration
	GroupBy []string
}

// Series is the answer for one group: the columns that have hits, ascending.
type Series struct {
	Labels  map[string]string
	Columns []Column
}

// Column is a sparse histogram of the values in [Start, Start+step).
type Column struct {
	Start    time.Time
	Buckets  []uint32
	Counts   []uint64
	Sum, Max uint64
}

// Histogram returns the column as a dense histogram.
func (c *Column) Histogram() *Histogram {
	h := &Histogram{Sum: c.Sum, Max: c.Max}
	for i, b := range c.Buckets {
		h.Counts[b] += c.Counts[i]
	}
	return h
}

// NewColumn returns a histogram as a sparse column.
func NewColumn(start time.Time, h *Histogram) Column {
	c := Column{Start: start, Sum: h.Sum, Max: h.Max}
	for i, n := range h.Counts {
		if n != 0 {
			c.Buckets = append(c.Buckets, uint32(i))
			c.Counts = append(c.Counts, n)
		}
	}
	return c
}

// Query returns the heat of each group, in the order of their labels. A
// malformed request gets an error that names the field.
func (h *Head) Query(r Request) ([]Series, error) {
	if r.Step < time.Second || r.Step%time.Second != 0 {
		return nil, fmt.Errorf("step is %s, must be a whole number of seconds, at least 1s", r.Step)
	}
	if !r.From.Before(r.To) {
		return nil, fmt.Errorf("end %s is not after start %s", r.To.UTC().Format(time.RFC3339), r.From.UTC().Format(time.RFC3339))
	}
	for _, d := range r.GroupBy {
		if !slices.Contains(Dimensions, d) {
			return nil, fmt.Errorf("group_by has %q, must be of %s", d, strings.Join(Dimensions, ", "))
		}
	}
	for _, m := range r.Matchers {
		if !slices.Contains(Dimensions, m.Dimension) {
			return nil, fmt.Errorf("matcher has dimension %q, must be of %s", m.Dimension, strings.Join(Dimensions, ", "))
		}
	}
	type group struct {
		labels   map[string]string
		matrices []*Matrix
	}
	groups := map[string]*group{}
	for k, m := range *h.series.Load() {
		if k.POM != r.POM || !k.Matches(r.Matchers) {
			continue
		}
		labels := make(map[string]string, len(r.GroupBy))
		var id strings.Builder
		for _, d := range r.GroupBy {
			v := k.Value(d)
			fmt.Fprintf(&id, "%q,", v)
			labels[d] = v
		}
		g := groups[id.String()]
		if g == nil {
			g = &group{labels: labels}
			groups[id.String()] = g
		}
		g.matrices = append(g.matrices, m)
	}
	// Nothing before the oldest column that is kept can be hit: do not walk there.
	from := maxTime(r.From, time.Unix(h.now.Load()-HeadColumns-openColumns, 0))
	to := minTime(r.To, time.Unix(h.now.Load()+openColumns, 0))
	step := int64(r.Step / time.Second)
	start, end := floorTo(from.Unix(), step), to.Unix()
	if to.Nanosecond() > 0 {
		end++
	}
	var result []Series
	for _, id := range slices.Sorted(maps.Keys(groups)) {
		g := groups[id]
		s := Series{Labels: g.labels}
		for at := start; at < end; at += step {
			var sum Histogram
			hit := false
			for _, m := range g.matrices {
				hit = m.Merge(&sum, time.Unix(at, 0), time.Unix(at+step, 0)) || hit
			}
			if hit {
				s.Columns = append(s.Columns, NewColumn(time.Unix(at, 0), &sum))
			}
		}
		result = append(result, s)
	}
	return result, nil
}

func floorTo(n, step int64) int64 {
	return n - ((n%step)+step)%step
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
