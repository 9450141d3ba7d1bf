package heat

import (
	"cmp"
	"encoding/binary"
	"slices"
)

// roomy is how full a head is once it has made room, of its greatest number of series.
const roomy = 0.5

// makeRoom makes room again for series of processes that live, at the cost of
// those that have ended: they lose their finer dimensions, and where that is
// not enough, as on a machine whose processes come and go, their process too.
// Every count of every second stays.
func (h *Head) makeRoom(series map[Key]*Matrix, alive func(Key) bool) {
	h.fold(series, alive, Key.coarse)
	h.fold(series, alive, Key.ofRelease)
}

// fold folds the series of processes that have ended into one for each coarser
// key, those first that were last hit the longest ago, until there is room.
func (h *Head) fold(series map[Key]*Matrix, alive func(Key) bool, coarser func(Key) Key) {
	type ended struct {
		coarse Key
		fine   []Key
		last   int64
	}
	byCoarse := map[Key]*ended{}
	for k, m := range series {
		if alive(k) {
			continue
		}
		coarse := coarser(k)
		e := byCoarse[coarse]
		if e == nil {
			e = &ended{coarse: coarse}
			byCoarse[coarse] = e
		}
		e.fine = append(e.fine, k)
		e.last = max(e.last, m.lastHit())
	}
	all := make([]*ended, 0, len(byCoarse))
	for _, e := range byCoarse {
		if len(e.fine) > 1 {
			all = append(all, e)
		}
	}
	slices.SortFunc(all, func(a, b *ended) int { return cmp.Compare(a.last, b.last) })
	for _, e := range all {
		if len(series) <= int(roomy*float64(h.maxSeries)) {
			return
		}
		of := make([]*Matrix, len(e.fine))
		for i, k := range e.fine {
			of[i] = series[k]
			delete(series, k)
		}
		series[e.coarse] = merged(of)
	}
}

// coarse is a key without its finer dimensions.
func (k Key) coarse() Key {
	return Key{POM: k.POM, Process: k.Process, Service: k.Service, Version: k.Version}
}

// ofRelease is a key without its process either.
func (k Key) ofRelease() Key { return Key{POM: k.POM, Service: k.Service, Version: k.Version} }

// merged returns a new matrix with all that matrices have, which nobody may
// add to or advance meanwhile.
func merged(of []*Matrix) *Matrix {
	m := &Matrix{}
	for _, one := range of {
		m.next.Store(max(m.next.Load(), one.next.Load()))
	}
	next := m.next.Load()
	for second := next - HeadColumns; second < next; second++ {
		var sum Histogram
		hit := false
		for _, one := range of {
			if s := one.sealedAt(second); s != nil {
				s.addTo(&sum)
				hit = true
			}
		}
		if !hit {
			continue
		}
		at := slot(second)
		minute := &m.sealed[at/sealedColumns]
		if minute.Load() == nil {
			minute.Store(&sealedMinute{})
		}
		minute.Load()[at%sealedColumns].Store(sealHistogram(second, &sum))
	}
	for _, one := range of {
		one.settling.Lock()
		settled := one.settled
		one.settling.Unlock()
		m.settled.Add(&settled)
		first := one.next.Load()
		for second := first; second < first+openColumns; second++ {
			c := one.open[second&(openColumns-1)].Load()
			if c == nil {
				continue
			}
			sum, greatest := c.sum.Load(), c.max.Load()
			for bucket := range c.cells {
				if n := c.cells[bucket].Load(); n != 0 {
					m.AddSecond(second, bucket, n, sum, greatest)
					sum = 0
				}
			}
		}
	}
	return m
}

// sealHistogram is a column at rest.
func sealHistogram(second int64, h *Histogram) *sealedColumn {
	s := &sealedColumn{second: second, sum: h.Sum, max: h.Max}
	previous := 0
	for i, n := range h.Counts {
		if n != 0 {
			s.cells = binary.AppendUvarint(s.cells, uint64(i-previous))
			s.cells = binary.AppendUvarint(s.cells, n)
			previous = i
		}
	}
	return s
}

// lastHit is the newest second that has a hit; 0 when none is remembered.
func (m *Matrix) lastHit() int64 {
	next := m.next.Load()
	for second := next + openColumns - 1; second >= next; second-- {
		if c := m.open[second&(openColumns-1)].Load(); c != nil {
			for i := range c.cells {
				if c.cells[i].Load() != 0 {
					return second
				}
			}
		}
	}
	for second := next - 1; second >= next-HeadColumns; second-- {
		if m.sealedAt(second) != nil {
			return second
		}
	}
	return 0
}
