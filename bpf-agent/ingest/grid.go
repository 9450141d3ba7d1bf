package ingest

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// gridMemory is how long the grid of a process that is gone is kept: as long
// as a heat.Grid remembers.
const gridMemory = 30 * time.Minute

// All grids share some memory: beyond it, the oldest slices of any are forgotten
// early. Those of processes that are gone may have a part of it only; beyond
// that, what is gone the longest is forgotten early.
const (
	gridBytes = 4 << 20
	goneBytes = gridBytes / 4
	// gridStruct is what a grid takes that has no slices.
	gridStruct = 256
)

// grids holds the goroutine grid of each point of each process. The loop of
// Run adds; mu guards only which grids there are.
type grids struct {
	mu  sync.Mutex
	all map[gridKey]*grid
}

type gridKey struct {
	pom     string
	process *goproc.Process
}

type grid struct {
	heat.Grid
	// gone is when the process was first seen to be gone.
	gone time.Time
}

func (g *grids) of(pom string, p *goproc.Process) *heat.Grid {
	g.mu.Lock()
	defer g.mu.Unlock()
	key := gridKey{pom, p}
	if g.all[key] == nil {
		if g.all == nil {
			g.all = map[gridKey]*grid{}
		}
		g.all[key] = &grid{}
	}
	return &g.all[key].Grid
}

func (g *grids) advance(now time.Time) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, one := range g.all {
		one.Advance(now)
	}
}

func (g *grids) forget(now time.Time, alive map[*goproc.Process]bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	held, ofGone := 0, 0
	var gone []gridKey
	for key, one := range g.all {
		held += one.Bytes()
		switch {
		case alive[key.process]:
			one.gone = time.Time{}
			continue
		case one.gone.IsZero():
			one.gone = now
		}
		gone = append(gone, key)
		ofGone += one.Bytes() + gridStruct
	}
	slices.SortFunc(gone, func(a, b gridKey) int { return g.all[a].gone.Compare(g.all[b].gone) })
	for _, key := range gone {
		one := g.all[key]
		if ofGone > goneBytes || now.Sub(one.gone) > gridMemory {
			ofGone -= one.Bytes() + gridStruct
			held -= one.Bytes()
			delete(g.all, key)
		}
	}
	g.shrink(held)
}

// shrink forgets the oldest slices while there are too many.
func (g *grids) shrink(held int) {
	if held <= gridBytes {
		return
	}
	all := slices.Collect(maps.Values(g.all))
	for held > gridBytes {
		oldest := slices.MinFunc(all, func(a, b *grid) int { return a.Oldest().Compare(b.Oldest()) })
		before := oldest.Bytes()
		if !oldest.Shrink() {
			// It has one slice, or none: the others are as old.
			all = slices.DeleteFunc(all, func(one *grid) bool { return one == oldest })
			if len(all) == 0 {
				return
			}
			continue
		}
		held -= before - oldest.Bytes()
	}
}

// Grid is the goroutine grid of a point of one process. It is made of carried
// events only; Hits is how many there were in all.
type Grid struct {
	Process       *goproc.Process
	Cells         []heat.Cell
	Carried, Hits uint64
}

// Cells returns the goroutine grids of the processes that match, in the order
// of their ids, of the 5-second slices that begin in [from, to) and are complete.
func (i *Ingest) Cells(pom string, match func(*goproc.Process) bool, from, to time.Time, side int) ([]Grid, error) {
	point, err := probe.PointNumber(pom)
	if err != nil {
		return nil, err
	}
	if !probe.Catalogue[point].Goroutines {
		return nil, fmt.Errorf("measurement point %q has no goroutine grid: its events name no goroutine", pom)
	}
	i.grids.mu.Lock()
	chosen := maps.Clone(i.grids.all)
	i.grids.mu.Unlock()
	maps.DeleteFunc(chosen, func(key gridKey, _ *grid) bool { return key.pom != pom || !match(key.process) })
	var answer []Grid
	for _, key := range slices.SortedFunc(maps.Keys(chosen), func(a, b gridKey) int { return cmp.Compare(a.process.ID, b.process.ID) }) {
		cells, err := chosen[key].Cells(from, to, side)
		if err != nil {
			return nil, err
		}
		hits, err := i.hits(pom, key.process.ID, from, to)
		if err != nil {
			return nil, err
		}
		g := Grid{Process: key.process, Cells: cells, Hits: hits}
		for _, c := range cells {
			g.Carried += c.Count
		}
		answer = append(answer, g)
	}
	return answer, nil
}

// hits counts the hits of a point of a process in the slices of a grid that
// begin in [from, to) and are complete.
func (i *Ingest) hits(pom, process string, from, to time.Time) (n uint64, err error) {
	from = from.Truncate(heat.GridSlice)
	to = to.Add(heat.GridSlice - 1).Truncate(heat.GridSlice)
	if complete := time.Now().Truncate(heat.GridSlice); to.After(complete) {
		to = complete
	}
	if !from.Before(to) {
		return 0, nil
	}
	series, err := i.head.Query(heat.Request{
		POM:      pom,
		Matchers: []heat.Matcher{{Dimension: "process", Values: []string{process}}},
		From:     from, To: to, Step: time.Second,
	})
	if err != nil {
		return 0, err
	}
	for _, s := range series {
		for _, c := range s.Columns {
			n += c.Histogram().Count()
		}
	}
	return n, nil
}
