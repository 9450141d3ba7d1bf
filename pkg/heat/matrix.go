package heat

import (
	"encoding/binary"
	"sync"
	"sync/atomic"
	"time"
)

// The street: bpf-agent/ingest/ingest.go moves hits in here; pkg/datasource/querydata.go
// asks for them, through the agent's server.

const (
	// HeadColumns is how many one-second columns a matrix remembers: an hour.
	HeadColumns = 3600
	// openColumns is how many of the newest can still be added to; a power of two.
	openColumns = 8
	// sealAfter is the age, in seconds, at which a column is closed. It is less
	// than openColumns, so that a slot is empty before its next second comes.
	sealAfter = 4
)

// Matrix is the heat of one series: columns of one second, rows of buckets.
//
//	 sealed: compact, immutable             open: atomic cells
//	|----------------------------------|--------|
//	now-3600                           now-4    now
//
// Any number of goroutines may Add and read at once, without a lock; one at a
// time may Advance. A hit is never lost: one that comes for a second that was
// already sealed falls into the oldest open second, and one that slips in
// between the sealing and the reuse of a slot falls into the slot's next second.
//
// Memory is taken as seconds are hit, for most series belong to processes or
// functions that are hit in few: 3 KB for a series, 2 KB for each open column,
// and half a KB and what its hits need for each minute.
type Matrix struct {
	open   [openColumns]atomic.Pointer[openColumn]
	sealed [HeadColumns / sealedColumns]atomic.Pointer[sealedMinute]
	// next is the first second that is not sealed.
	next atomic.Int64
	// settling is held while columns are sealed, and while all that was ever
	// added is summed up: that sum must never be seen to go down.
	settling sync.Mutex
	// settled sums up the columns that were ever sealed.
	settled Histogram
}

type openColumn struct {
	cells [NumBuckets]atomic.Uint64
	sum   atomic.Uint64
	max   atomic.Uint64
}

// sealedColumns is how many columns are kept together.
const sealedColumns = 60

type sealedMinute [sealedColumns]atomic.Pointer[sealedColumn]

// sealedColumn is a column at rest: pairs of (bucket distance, count) as varints.
type sealedColumn struct {
	second   int64
	sum, max uint64
	cells    []byte
}

// NewMatrix returns a matrix whose first column is the second of now.
func NewMatrix(now time.Time) *Matrix {
	m := &Matrix{}
	m.next.Store(now.Unix() - sealAfter)
	return m
}

// Add adds n hits of a bucket, whose values sum up to sum and are at most
// greatest, to the second of t. A t after the open seconds counts as the newest of them.
func (m *Matrix) Add(t time.Time, bucket int, n, sum, greatest uint64) {
	m.AddSecond(t.Unix(), bucket, n, sum, greatest)
}

// AddSecond is [Matrix.Add] for a second since the epoch.
func (m *Matrix) AddSecond(second int64, bucket int, n, sum, greatest uint64) {
	first := m.next.Load()
	second = min(max(second, first), first+openColumns-1)
	slot := &m.open[second&(openColumns-1)]
	c := slot.Load()
	if c == nil {
		// Another writer may be faster: then its column is the one.
		slot.CompareAndSwap(nil, &openColumn{})
		c = slot.Load()
	}
	c.cells[bucket].Add(n)
	c.sum.Add(sum)
	for {
		old := c.max.Load()
		if greatest <= old || c.max.CompareAndSwap(old, greatest) {
			return
		}
	}
}

// Advance seals the columns that are older than now by more than a few
// seconds. Call it about once a second, from one goroutine.
func (m *Matrix) Advance(now time.Time) {
	m.settling.Lock()
	defer m.settling.Unlock()
	end := now.Unix() - sealAfter
	for second := m.next.Load(); second < end; second++ {
		if end-second > HeadColumns+openColumns && m.openIsEmpty() {
			// Asleep for over an hour: nothing to seal, and nothing that would be kept.
			second = end - HeadColumns - openColumns
		}
		// Writers move on to the next second before this one is emptied.
		m.next.Store(second + 1)
		m.seal(second)
	}
}

func (m *Matrix) openIsEmpty() bool {
	for i := range m.open {
		c := m.open[i].Load()
		if c == nil {
			continue
		}
		for b := range c.cells {
			if c.cells[b].Load() != 0 {
				return false
			}
		}
	}
	return true
}

func (m *Matrix) seal(second int64) {
	var sealed *sealedColumn
	if c := m.open[second&(openColumns-1)].Load(); c != nil {
		sealed = c.empty(second)
	}
	if sealed != nil {
		sealed.addTo(&m.settled)
	}
	at := slot(second)
	minute := &m.sealed[at/sealedColumns]
	columns := minute.Load()
	if columns == nil {
		if sealed == nil {
			return
		}
		columns = &sealedMinute{}
		minute.Store(columns)
	}
	columns[at%sealedColumns].Store(sealed)
	if at%sealedColumns == sealedColumns-1 && columns.isEmpty() {
		minute.Store(nil)
	}
}

func (s *sealedMinute) isEmpty() bool {
	for i := range s {
		if s[i].Load() != nil {
			return false
		}
	}
	return true
}

// sealedAt returns the sealed column of a second, nil when it has no hits.
func (m *Matrix) sealedAt(second int64) *sealedColumn {
	at := slot(second)
	columns := m.sealed[at/sealedColumns].Load()
	if columns == nil {
		return nil
	}
	s := columns[at%sealedColumns].Load()
	if s == nil || s.second != second {
		return nil
	}
	return s
}

// empty takes the hits out of an open column; it returns nil when there are none.
func (c *openColumn) empty(second int64) *sealedColumn {
	var cells []byte
	previous := 0
	for i := range c.cells {
		if c.cells[i].Load() == 0 {
			continue
		}
		n := c.cells[i].Swap(0)
		cells = binary.AppendUvarint(cells, uint64(i-previous))
		cells = binary.AppendUvarint(cells, n)
		previous = i
	}
	if cells == nil {
		return nil
	}
	return &sealedColumn{second: second, sum: c.sum.Swap(0), max: c.max.Swap(0), cells: cells}
}

func slot(second int64) int64 { return ((second % HeadColumns) + HeadColumns) % HeadColumns }

func (s *sealedColumn) each(f func(bucket int, n uint64)) {
	bucket := 0
	for cells := s.cells; len(cells) > 0; {
		step, k := binary.Uvarint(cells)
		n, l := binary.Uvarint(cells[k:])
		cells = cells[k+l:]
		bucket += int(step)
		f(bucket, n)
	}
}

func (s *sealedColumn) addTo(h *Histogram) {
	s.each(func(bucket int, n uint64) { h.Counts[bucket] += n })
	h.Sum += s.sum
	h.Max = max(h.Max, s.max)
}

// Merge adds the columns of the seconds in [from, to) to h, and says whether
// there was a hit in them.
func (m *Matrix) Merge(h *Histogram, from, to time.Time) (any bool) {
	first := m.next.Load()
	start, end := max(from.Unix(), first-HeadColumns), min(to.Unix(), first+openColumns)
	for second := start; second < end; second++ {
		if second < first {
			if s := m.sealedAt(second); s != nil {
				s.addTo(h)
				any = true
			}
			continue
		}
		c := m.open[second&(openColumns-1)].Load()
		if c == nil {
			continue
		}
		hit := false
		for i := range c.cells {
			if n := c.cells[i].Load(); n != 0 {
				h.Counts[i] += n
				hit = true
			}
		}
		if hit {
			h.Sum += c.sum.Load()
			h.Max = max(h.Max, c.max.Load())
			any = true
		}
	}
	return any
}

// Cumulative returns all that was ever added, with the columns that are
// remembered no more. From one call to the next no count of it goes down.
func (m *Matrix) Cumulative() *Histogram {
	m.settling.Lock()
	defer m.settling.Unlock()
	h := m.settled
	m.Merge(&h, time.Unix(m.next.Load(), 0), time.Unix(1<<40, 0))
	return &h
}

// Total counts all hits that were ever added.
func (m *Matrix) Total() uint64 { return m.Cumulative().Count() }

// idle says that no column that is remembered has a hit.
func (m *Matrix) idle() bool {
	m.settling.Lock()
	defer m.settling.Unlock()
	return !m.Merge(&Histogram{}, time.Unix(0, 0), time.Unix(1<<40, 0))
}
