package heat

import "sync/atomic"

// groupCells is how many neighbouring cells of an open column are made at
// once: the values of a second lie in a few octaves mostly.
const groupCells = 16

type cellGroup [groupCells]atomic.Uint64

// openColumn is a column that is added to.
type openColumn struct {
	groups [(NumBuckets + groupCells - 1) / groupCells]atomic.Pointer[cellGroup]
	sum    atomic.Uint64
	max    atomic.Uint64
}

func (c *openColumn) add(bucket int, n, sum, greatest uint64) {
	slot := &c.groups[bucket/groupCells]
	g := slot.Load()
	if g == nil {
		// Another writer may be faster: then its group is the one.
		slot.CompareAndSwap(nil, &cellGroup{})
		g = slot.Load()
	}
	g[bucket%groupCells].Add(n)
	c.sum.Add(sum)
	for {
		old := c.max.Load()
		if greatest <= old || c.max.CompareAndSwap(old, greatest) {
			return
		}
	}
}

// addHistogram adds all that h has.
func (c *openColumn) addHistogram(h *Histogram) {
	sum := h.Sum
	for bucket, n := range h.Counts {
		if n != 0 {
			c.add(bucket, n, sum, h.Max)
			sum = 0
		}
	}
}

// isEmpty says that it has no hits.
func (c *openColumn) isEmpty() bool {
	for i := range c.groups {
		if g := c.groups[i].Load(); g != nil {
			for j := range g {
				if g[j].Load() != 0 {
					return false
				}
			}
		}
	}
	return true
}

// addTo adds its hits to h.
func (c *openColumn) addTo(h *Histogram) {
	hit := false
	for i := range c.groups {
		if g := c.groups[i].Load(); g != nil {
			for j := range g {
				if n := g[j].Load(); n != 0 {
					h.Counts[i*groupCells+j] += n
					hit = true
				}
			}
		}
	}
	if hit {
		h.Sum += c.sum.Load()
		h.Max = max(h.Max, c.max.Load())
	}
}

// empty moves its hits to h, which must be empty, and says whether there were any.
func (c *openColumn) empty(h *Histogram) (hit bool) {
	for i := range c.groups {
		if g := c.groups[i].Load(); g != nil {
			for j := range g {
				if g[j].Load() != 0 {
					h.Counts[i*groupCells+j] = g[j].Swap(0)
					hit = true
				}
			}
		}
	}
	if hit {
		h.Sum, h.Max = c.sum.Swap(0), c.max.Swap(0)
	}
	return hit
}

// bytes is what it takes of memory.
func (c *openColumn) bytes() (n int) {
	n = 8*len(c.groups) + 16
	for i := range c.groups {
		if c.groups[i].Load() != nil {
			n += 8 * groupCells
		}
	}
	return n
}

// seal writes a column as it rests; it must have hits. A cell takes two bits at
// least, and five in what is usual:
//
//	cells | bucket (8 bits), count | distance, count | … | sum | max | to the next byte
func seal(w *bitWriter, h *Histogram) {
	cells := uint64(0)
	for _, n := range h.Counts {
		if n != 0 {
			cells++
		}
	}
	w.small(cells)
	previous := -1
	for bucket, n := range h.Counts {
		if n == 0 {
			continue
		}
		if previous < 0 {
			w.put(uint64(bucket), 8)
		} else {
			w.small(uint64(bucket - previous))
		}
		w.small(n)
		previous = bucket
	}
	w.large(h.Sum)
	w.large(h.Max)
	w.align()
}

// unseal adds the next column of r to h.
func unseal(r *bitReader, h *Histogram) {
	cells := r.small()
	bucket := r.take(8)
	h.Counts[bucket] += r.small()
	for ; cells > 1; cells-- {
		bucket += r.small()
		h.Counts[bucket] += r.small()
	}
	h.Sum += r.large()
	h.Max = max(h.Max, r.large())
	r.align()
}
