package heat

import (
	"sync"
	"sync/atomic"
	"time"
	"unique"
)

// The street: bpf-agent/ingest/ingest.go moves hits in here; pkg/datasource/querydata.go
// asks for them, through the agent's server.

const (
	// HeadColumns is how many one-second columns a head remembers: an hour.
	HeadColumns = 3600
	// openColumns is how many of the newest can still be added to; a power of two.
	openColumns = 8
	// sealAfter is the age, in seconds, at which a column is closed. It is less
	// than openColumns, so that a slot is empty before its next second comes.
	sealAfter = 4
	// nextUse is how many seconds later a column that was sealed is used again.
	nextUse = sealAfter + 2
)

// Matrix is where the hits of one series come in: columns of one second, rows
// of buckets. What is older than a few seconds goes over into the head's past,
// compact and immutable; here remains what all of it adds up to.
//
//	 the head's past                        open: atomic cells
//	|----------------------------------|--------|
//	now-3600                           now-4    now
//
// Any number of goroutines may Add and read at once, without a lock; the head
// seals. A hit is never lost: one that comes for a second that was already
// sealed falls into the oldest open second, and one that slips in between the
// sealing and the reuse of a column falls into the column's next second.
type Matrix struct {
	open [openColumns]atomic.Pointer[openColumn]
	// next is the first second that is not sealed.
	next atomic.Int64
	// last is the newest second that was sealed with a hit.
	last atomic.Int64
	key  unique.Handle[Key]
	// settling is held while a column is sealed, and while all that was ever
	// added is summed up: that sum must never be seen to go down.
	settling sync.Mutex
	// settled sums up the columns that were ever sealed.
	settled openColumn
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
	c.add(bucket, n, sum, greatest)
}

// seal closes a second, and moves what it has to h, which must be empty. It
// says whether there were hits. One goroutine may call it, for one second after the other.
func (m *Matrix) seal(second int64, h *Histogram) (hit bool) {
	if second < m.next.Load() {
		return false // made after that second
	}
	m.settling.Lock()
	defer m.settling.Unlock()
	// Writers move on to the next second before this one is emptied.
	m.next.Store(second + 1)
	slot := &m.open[second&(openColumns-1)]
	c := slot.Load()
	if c == nil {
		return false
	}
	hit = c.empty(h)
	// It goes on to a second to come, so that there are no more than are open, and
	// but one where hits are rare. It is in one slot at any time at least: who is
	// about to add to it adds to what will be sealed.
	if m.open[(second+nextUse)&(openColumns-1)].CompareAndSwap(nil, c) {
		slot.CompareAndSwap(c, nil)
	}
	if !hit {
		return false
	}
	m.settled.addHistogram(h)
	m.last.Store(second)
	return true
}

// skip goes on to a second, which those that are open are sealed as.
func (m *Matrix) skip(second int64) { m.next.Store(max(m.next.Load(), second)) }

// column returns the open column of a second; nil when there is none, or it is sealed.
func (m *Matrix) column(second int64) *openColumn {
	if second < m.next.Load() {
		return nil
	}
	return m.open[second&(openColumns-1)].Load()
}

// Cumulative returns all that was ever added, with the columns that are
// remembered no more. From one call to the next no count of it goes down.
func (m *Matrix) Cumulative() *Histogram {
	m.settling.Lock()
	defer m.settling.Unlock()
	h := &Histogram{}
	m.settled.addTo(h)
	for i := range m.open {
		if c := m.open[i].Load(); c != nil {
			c.addTo(h)
		}
	}
	return h
}

// Total counts all hits that were ever added.
func (m *Matrix) Total() uint64 { return m.Cumulative().Count() }

// lastHit is the newest second that has a hit; 0 when there was none.
func (m *Matrix) lastHit() int64 {
	next := m.next.Load()
	for second := next + openColumns - 1; second >= next; second-- {
		if c := m.column(second); c != nil && !c.isEmpty() {
			return second
		}
	}
	return m.last.Load()
}

// rest gives back the columns that are empty. Nobody may add meanwhile: a hit
// on its way to such a column would be lost.
func (m *Matrix) rest() {
	for i := range m.open {
		if c := m.open[i].Load(); c != nil && c.isEmpty() {
			m.open[i].Store(nil)
		}
	}
}

// bytes is what it takes of memory, without its key.
func (m *Matrix) bytes() int {
	n := 8*openColumns + 64 + m.settled.bytes()
	for i := range m.open {
		if c := m.open[i].Load(); c != nil {
			n += c.bytes()
		}
	}
	return n
}
