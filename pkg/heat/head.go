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
	"unique"
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

// Limits say how much a head may hold. Beyond them no hit is lost, but what is
// known of it beside its second, bucket and point.
type Limits struct {
	// Series is how many series may be added to at a time; 0 is any number.
	// Beyond it hits are kept without their finer dimensions: see [Head.Matrix].
	Series int
	// Bytes is how much memory all may take; 0 is any. Beyond it the oldest
	// minutes lose their finer dimensions, then their processes, and are forgotten
	// before their hour is over only where that is not enough. [Head.Pack] looks
	// after it once a minute; what comes in, which Series bounds, leaves half of
	// it to minutes at any rate.
	Bytes int
}

// Head holds the newest hour of heat in memory: a matrix for each series, where
// hits come in, and the past of them all. It is safe for use by any number of
// goroutines; who has a matrix adds to it without a lock.
type Head struct {
	limits  Limits
	past    atomic.Pointer[past]
	crowded atomic.Bool
	// replacing is held for a moment, while past is replaced.
	replacing sync.Mutex

	mu     sync.RWMutex
	series map[Key]*Matrix
	now    int64
	// forgotten counts, by POM, the hits of series that have been dropped.
	forgotten map[string]uint64
}

// NewHead returns an empty head.
func NewHead(now time.Time, limits Limits) *Head {
	h := &Head{limits: limits, series: map[Key]*Matrix{}, now: now.Unix(), forgotten: map[string]uint64{}}
	begin := now.Unix() - sealAfter
	h.past.Store(&past{first: begin, next: begin})
	return h
}

// Matrix returns the matrix of a series, and makes it when there is none. When
// the head is full, the hits go to the series of the process without its finer
// dimensions, which always has room. Keep the result: the lookup is not for hot paths.
func (h *Head) Matrix(k Key) *Matrix {
	h.mu.RLock()
	m := h.series[k]
	h.mu.RUnlock()
	if m != nil {
		return m
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.limits.Series > 0 && len(h.series) >= h.limits.Series {
		k = k.coarse()
		h.crowded.Store(true)
	}
	if m := h.series[k]; m != nil {
		return m
	}
	m = NewMatrix(time.Unix(h.now, 0))
	m.key = unique.Make(k)
	h.series[k] = m
	return m
}

// matrices returns those that are there.
func (h *Head) matrices() []*Matrix {
	h.mu.RLock()
	defer h.mu.RUnlock()
	return slices.AppendSeq(make([]*Matrix, 0, len(h.series)), maps.Values(h.series))
}

// Advance seals what is older than a few seconds. Call it about once a second,
// from one goroutine.
func (h *Head) Advance(now time.Time) {
	// A series that is made meanwhile either is among these, or begins with now.
	h.mu.Lock()
	h.now = now.Unix()
	h.mu.Unlock()
	var series []*Matrix
	// A clock that is set back opens nothing again.
	end := now.Unix() - sealAfter
	for second, sealed := h.past.Load().next, 0; second < end; second, sealed = second+1, sealed+1 {
		if series == nil {
			series = h.matrices()
		}
		if sealed == openColumns && end-second > HeadColumns {
			// Asleep for over an hour: nothing is open, and nothing would be kept.
			second = end - openColumns
			for _, m := range series {
				m.skip(second)
			}
		}
		b := h.seal(series, second)
		h.replacing.Lock()
		h.past.Store(h.past.Load().with(second, b))
		h.replacing.Unlock()
	}
}

// Pack packs the minutes that are over, and holds the [Limits]. Call it about
// once a second, from one goroutine, which need not be that of Advance: it may take a
// tenth of a second once a minute, and nobody waits for it.
func (h *Head) Pack() {
	p := h.past.Load()
	if p.complete() == nil {
		return
	}
	packed := p.packed()
	if h.limits.Bytes > 0 {
		packed = packed.within(max(h.limits.Bytes-openBytes(h.matrices()), h.limits.Bytes/2))
	}
	h.replacing.Lock()
	defer h.replacing.Unlock()
	h.past.Store(packed.since(p, h.past.Load()))
}

// seal takes a second out of all matrices; it returns nil when none was hit in it.
func (h *Head) seal(series []*Matrix, second int64) *block {
	w := blockBuilder{start: floorTo(second, blockSeconds)}
	var sum Histogram
	for _, m := range series {
		if m.seal(second, &sum) {
			w.add(second, &sum)
			w.end(m.key)
			sum = Histogram{}
		}
	}
	return w.block(keptAll)
}

// openBytes is what series take of memory beside the past.
func openBytes(series []*Matrix) (n int) {
	for _, m := range series {
		n += keyBytes + m.bytes()
	}
	return n
}

// Sealed returns the time before which all columns are closed: whatever is
// asked about the time before it, now or later, has the same answer for as
// long as the head remembers it, and its dimensions.
func (h *Head) Sealed() time.Time { return time.Unix(h.past.Load().next, 0) }

// Oldest returns the time from which on hits are remembered, second by second.
func (h *Head) Oldest() time.Time { return time.Unix(h.past.Load().first, 0) }

// Holding is what a head has, and what it has dropped: see [Limits].
type Holding struct {
	Series int
	// Bytes of memory.
	Bytes int
	// Minutes that have all dimensions; that have no functions, labels, routes, CPUs
	// and depths; that have none finer than the process; and that have no process either.
	Fine, OfPlaces, OfProcess, OfRelease int
}

// Holding returns what the head holds now.
func (h *Head) Holding() Holding {
	series, p := h.matrices(), h.past.Load()
	holding := Holding{Series: len(series), Bytes: openBytes(series) + p.holding().bytes}
	for _, b := range p.minutes {
		switch b.kept {
		case keptAll:
			holding.Fine++
		case keptPlaces:
			holding.OfPlaces++
		case keptProcess:
			holding.OfProcess++
		case keptRelease:
			holding.OfRelease++
		}
	}
	return holding
}

// Forget drops the series that alive says nobody adds to any more and that
// have had no hit for an hour. Whoever kept such a matrix must ask
// [Head.Matrix] again.
//
// When the head has turned series away, it also makes room for them: the series
// of processes that have ended are summed up with less dimensions. It says
// whether it did. It gives memory back of series that have not been hit for a
// while, too. Call it from the goroutine that calls Advance, while nobody adds.
func (h *Head) Forget(alive func(Key) bool) (folded bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for k, m := range h.series {
		last := m.lastHit()
		if last < h.now-2*openColumns {
			m.rest()
		}
		if !alive(k) && last < h.now-HeadColumns {
			h.forgotten[k.POM] += m.Total()
			delete(h.series, k)
		}
	}
	if h.crowded.Swap(false) {
		before := len(h.series)
		h.makeRoom(alive)
		folded = len(h.series) < before
	}
	return folded
}

// Crowded says that a series was denied its finer dimensions since the last
// [Head.Forget], for want of room.
func (h *Head) Crowded() bool { return h.crowded.Load() }

// Total counts all hits of a POM that the head has ever been given.
func (h *Head) Total(pom string) uint64 {
	h.mu.RLock()
	defer h.mu.RUnlock()
	total := h.forgotten[pom]
	for k, m := range h.series {
		if k.POM == pom {
			total += m.Total()
		}
	}
	return total
}

// Cumulative calls f with each series of a POM and all that it was ever given;
// see [Matrix.Cumulative]. F must not ask the head.
func (h *Head) Cumulative(pom string, f func(Key, *Histogram)) {
	h.mu.RLock()
	defer h.mu.RUnlock()
	for k, m := range h.series {
		if k.POM == pom {
			f(k, m.Cumulative())
		}
	}
}

// Values returns, sorted, what a dimension has been in the hits of a POM in
// [from, to), among the series that pass the matchers. "" is not a value.
func (h *Head) Values(pom, dimension string, matchers []Matcher, from, to time.Time) []string {
	seen := map[string]bool{}
	wanted := func(k Key) (value string, wanted bool) {
		value = k.Value(dimension)
		return value, value != "" && !seen[value] && k.POM == pom && k.Matches(matchers)
	}
	p := h.past.Load()
	first, end := max(from.Unix(), p.first), to.Unix()
	p.blocks(first, end, func(b *block) {
		for i, k := range b.keys {
			if v, ok := wanted(k.Value()); ok {
				b.each(i, func(second int64) *Histogram {
					seen[v] = seen[v] || first <= second && second < end
					return nil
				})
			}
		}
	})
	for _, m := range h.matrices() {
		v, ok := wanted(m.key.Value())
		for second := max(first, p.next); ok && second < min(end, p.next+openColumns); second++ {
			if c := m.column(second); c != nil && !c.isEmpty() {
				seen[v] = true
			}
		}
	}
	maps.DeleteFunc(seen, func(_ string, hit bool) bool { return !hit })
	return slices.Sorted(maps.Keys(seen))
}

// Keys returns the keys of a POM that pass the matchers, in no order.
func (h *Head) Keys(pom string, matchers []Matcher) []Key {
	wanted := map[unique.Handle[Key]]bool{}
	add := func(k unique.Handle[Key]) {
		if _, known := wanted[k]; !known {
			key := k.Value()
			wanted[k] = key.POM == pom && key.Matches(matchers)
		}
	}
	p := h.past.Load()
	p.blocks(p.first, p.next, func(b *block) {
		for _, k := range b.keys {
			add(k)
		}
	})
	for _, m := range h.matrices() {
		add(m.key)
	}
	var keys []Key
	for k, ok := range wanted {
		if ok {
			keys = append(keys, k.Value())
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
	p := h.past.Load()
	step := int64(r.Step / time.Second)
	// Nothing before the oldest second that is remembered can be hit, or after the newest.
	start, end := floorTo(max(r.From.Unix(), p.first), step), r.To.Unix()
	if r.To.Nanosecond() > 0 {
		end++
	}
	end = min(ceilTo(end, step), p.next+openColumns)
	g := groups{request: &r, step: step, first: max(start, p.first), end: end, byKey: map[unique.Handle[Key]]*group{}, byID: map[string]*group{}}
	p.blocks(g.first, g.end, g.take)
	for _, m := range h.matrices() {
		if of := g.of(m.key); of != nil {
			of.matrices = append(of.matrices, m)
		}
	}
	return g.answer(p.next), nil
}

func floorTo(n, step int64) int64 {
	return n - ((n%step)+step)%step
}

func ceilTo(n, step int64) int64 { return floorTo(n+step-1, step) }
