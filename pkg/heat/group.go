package heat

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unique"
)

// groups sort what a head has by what a request groups by.
type groups struct {
	request    *Request
	step       int64
	first, end int64 // seconds that are asked for
	byKey      map[unique.Handle[Key]]*group
	byID       map[string]*group
}

// group is a series of the answer, and where its hits are.
type group struct {
	labels   map[string]string
	entries  []blockEntry // ascending by block
	matrices []*Matrix
}

type blockEntry struct {
	*block
	i int
}

// of returns the group of a key; nil when it was not asked for.
func (g *groups) of(key unique.Handle[Key]) *group {
	if of, known := g.byKey[key]; known {
		return of
	}
	var of *group
	if k := key.Value(); k.POM == g.request.POM && k.Matches(g.request.Matchers) {
		labels := make(map[string]string, len(g.request.GroupBy))
		var id strings.Builder
		for _, d := range g.request.GroupBy {
			v := k.Value(d)
			fmt.Fprintf(&id, "%q,", v)
			labels[d] = v
		}
		if of = g.byID[id.String()]; of == nil {
			of = &group{labels: labels}
			g.byID[id.String()] = of
		}
	}
	g.byKey[key] = of
	return of
}

// take notes what is asked for of a block.
func (g *groups) take(b *block) {
	for i, k := range b.keys {
		if of := g.of(k); of != nil {
			of.entries = append(of.entries, blockEntry{b, i})
		}
	}
}

// answer adds up the columns of each group, in the order of their labels; next
// is the first second that was not sealed.
func (g *groups) answer(next int64) []Series {
	var result []Series
	sums := columnSums{step: g.step, sums: map[int64]*Histogram{}}
	wanted := func(second int64) *Histogram {
		if second < g.first || second >= g.end {
			return nil
		}
		return sums.of(second)
	}
	for _, id := range slices.Sorted(maps.Keys(g.byID)) {
		of := g.byID[id]
		for i, e := range of.entries {
			if i > 0 && e.start != of.entries[i-1].start {
				sums.finish(e.start)
			}
			e.each(e.i, wanted)
		}
		for second := max(next, g.first); second < g.end; second++ {
			for _, m := range of.matrices {
				if c := m.column(second); c != nil && !c.isEmpty() {
					c.addTo(sums.of(second))
				}
			}
		}
		sums.finish(g.end + g.step)
		result = append(result, Series{Labels: of.labels, Columns: sums.columns})
		sums.columns = nil
	}
	return result
}

// columnSums add up columns of step seconds. No more of them are dense at a
// time than a block has.
type columnSums struct {
	step    int64
	sums    map[int64]*Histogram // by start
	spare   []*Histogram
	columns []Column // that are complete
}

// of returns the sum that a second belongs to.
func (c *columnSums) of(second int64) *Histogram {
	start := floorTo(second, c.step)
	sum := c.sums[start]
	if sum == nil {
		if n := len(c.spare); n > 0 {
			sum, c.spare = c.spare[n-1], c.spare[:n-1]
			*sum = Histogram{}
		} else {
			sum = &Histogram{}
		}
		c.sums[start] = sum
	}
	return sum
}

// finish completes the columns that end at a second or before.
func (c *columnSums) finish(second int64) {
	for _, start := range slices.Sorted(maps.Keys(c.sums)) {
		if start+c.step > second {
			return
		}
		if column := NewColumn(time.Unix(start, 0), c.sums[start]); column.Buckets != nil {
			c.columns = append(c.columns, column)
		}
		c.spare = append(c.spare, c.sums[start])
		delete(c.sums, start)
	}
}
