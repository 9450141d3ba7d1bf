package heat

import (
	"cmp"
	"slices"
	"unique"
)

// roomy is how full a head is once it has made room, of its greatest number of series.
const roomy = 0.5

// makeRoom makes room again for series of processes that live, at the cost of
// those that have ended: they lose their finer dimensions, and where that is
// not enough, as on a machine whose processes come and go, their process too.
// That is of what they add up to; their past keeps what it has.
func (h *Head) makeRoom(alive func(Key) bool) {
	h.fold(alive, Key.coarse)
	h.fold(alive, Key.ofRelease)
}

// fold folds the series of processes that have ended into one for each coarser
// key, those first that were last hit the longest ago, until there is room.
func (h *Head) fold(alive func(Key) bool, coarser func(Key) Key) {
	type ended struct {
		coarse Key
		fine   []Key
		last   int64
	}
	byCoarse := map[Key]*ended{}
	for k, m := range h.series {
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
		if len(h.series) <= int(roomy*float64(h.limits.Series)) {
			return
		}
		of := make([]*Matrix, len(e.fine))
		for i, k := range e.fine {
			of[i] = h.series[k]
			delete(h.series, k)
		}
		sum := merged(of)
		sum.key = unique.Make(e.coarse)
		h.series[e.coarse] = sum
	}
}

// places is a key without what there are many of: functions, labels, routes,
// CPUs and depths. Nodes and reasons are few.
func (k Key) places() Key {
	k.Function, k.Label, k.Route, k.CPU, k.Depth = "", "", "", 0, 0
	return k
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
		m.last.Store(max(m.last.Load(), one.last.Load()))
	}
	for _, one := range of {
		var settled Histogram
		one.settled.addTo(&settled)
		m.settled.addHistogram(&settled)
		first := one.next.Load()
		for second := first; second < first+openColumns; second++ {
			c := one.column(second)
			if c == nil {
				continue
			}
			var h Histogram
			c.addTo(&h)
			sum := h.Sum
			for bucket, n := range h.Counts {
				if n != 0 {
					m.AddSecond(second, bucket, n, sum, h.Max)
					sum = 0
				}
			}
		}
	}
	return m
}
