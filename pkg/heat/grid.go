package heat

import (
	"cmp"
	"fmt"
	"slices"
	"sync/atomic"
	"time"
)

// The goroutine grid folds a goroutine id to a cell of a square, by its hash.
// The hash's highest bits choose the cell, so a finer grid folds exactly into a
// coarser one: a cell of side 256 is the 4x4 cells of side 1024 that it covers.
//
//	hash  63........54 53........44 43...............0
//	      x (10 bits)  y (10 bits)  not used
const (
	gridBits = 10
	// GridSide is the finest side; cells are kept at this side and folded on demand.
	GridSide = 1 << gridBits
	// sliceSeconds is how much time one slice of a grid covers.
	sliceSeconds = 5
	// GridSlice is that time as a duration; slices begin at its multiples.
	GridSlice = sliceSeconds * time.Second
	// gridSlices is how many slices are remembered: half an hour.
	gridSlices = 360
	// hottest is how many goroutines of a cell an answer names.
	hottest = 4
)

// GoroutineHash returns the FNV-1a 64 hash of a goroutine id as eight bytes,
// least significant first.
func GoroutineHash(goid uint64) uint64 {
	hash := uint64(14695981039346656037)
	for range 8 {
		hash ^= goid & 0xff
		hash *= 1099511628211
		goid >>= 8
	}
	return hash
}

// Goroutine names one goroutine in a process, as it was when it was hit: its
// label may change, and then it has heat under each.
type Goroutine struct {
	ID            uint64
	StartFunction string
	// Label is its pprof label, "key=value"; "" when it has none.
	Label string
}

// A grid's memory is bounded, whatever a process does: a program that starts a
// million goroutines must not fill its observer.
const (
	// namedGoroutines is how many goroutines of a slice are known by name. Hits
	// of others count for their cell only.
	namedGoroutines = 4096
	// gridEntries is how many goroutines and cells all slices hold; beyond it
	// the oldest slices are forgotten early, but never the newest.
	gridEntries = 32768
)

// Grid is the goroutine grid of one POM of one process. One goroutine may Add
// and Advance; any number may read the finished slices meanwhile, without a lock.
type Grid struct {
	slices [gridSlices]atomic.Pointer[gridSlice]
	// What follows is seen by the writer only. The open slice is published by Advance.
	open    *openSlice
	entries int
	oldest  int64 // start of a slice before which there is none
}

// openSlice is the slice that is written.
type openSlice struct {
	start int64
	named map[Goroutine]gridHeat
	rest  map[uint32]gridHeat // by cell at GridSide
}

// gridSlice is the heat of sliceSeconds; immutable.
type gridSlice struct {
	start int64
	named []gridGoroutine
	rest  []gridCell
}

type gridGoroutine struct {
	Goroutine
	gridHeat
}

type gridCell struct {
	cell uint32
	gridHeat
}

type gridHeat struct{ count, sum uint64 }

func (h gridHeat) plus(o gridHeat) gridHeat { return gridHeat{h.count + o.count, h.sum + o.sum} }

func (s *gridSlice) entries() int { return len(s.named) + len(s.rest) }

// Add adds a hit of a goroutine at t. A t before the open slice counts in the open slice.
func (g *Grid) Add(t time.Time, who Goroutine, value uint64) {
	start := floorTo(t.Unix(), sliceSeconds)
	if g.open != nil && start > g.open.start {
		g.publish()
	}
	if g.open == nil {
		g.open = &openSlice{start: start, named: map[Goroutine]gridHeat{}}
	}
	one := gridHeat{1, value}
	if h, ok := g.open.named[who]; ok || len(g.open.named) < namedGoroutines {
		g.open.named[who] = h.plus(one)
		return
	}
	if g.open.rest == nil {
		g.open.rest = map[uint32]gridHeat{}
	}
	x, y := Fold(who.ID, GridSide)
	cell := y<<gridBits | x
	g.open.rest[cell] = g.open.rest[cell].plus(one)
}

// Advance publishes the open slice when its time is over.
func (g *Grid) Advance(now time.Time) {
	if g.open != nil && now.Unix() >= g.open.start+sliceSeconds {
		g.publish()
	}
}

func (g *Grid) publish() {
	s := &gridSlice{start: g.open.start, named: make([]gridGoroutine, 0, len(g.open.named)), rest: make([]gridCell, 0, len(g.open.rest))}
	for who, h := range g.open.named {
		s.named = append(s.named, gridGoroutine{who, h})
	}
	for cell, h := range g.open.rest {
		s.rest = append(s.rest, gridCell{cell, h})
	}
	g.open = nil
	g.put(s.start, s)
	g.oldest = max(g.oldest, s.start-(gridSlices-1)*sliceSeconds)
	for ; g.entries > gridEntries && g.oldest < s.start; g.oldest += sliceSeconds {
		if old := g.at(g.oldest).Load(); old != nil && old.start == g.oldest {
			g.put(g.oldest, nil)
		}
	}
}

func (g *Grid) at(start int64) *atomic.Pointer[gridSlice] {
	return &g.slices[(start/sliceSeconds)%gridSlices]
}

// put replaces the slice of a time.
func (g *Grid) put(start int64, s *gridSlice) {
	if old := g.at(start).Swap(s); old != nil {
		g.entries -= old.entries()
	}
	if s != nil {
		g.entries += s.entries()
	}
}

// Entries is how many goroutines and cells the finished slices hold, which is
// what they take of memory. It is for the writer.
func (g *Grid) Entries() int { return g.entries }

// Cell is one cell of a grid that has hits.
type Cell struct {
	X, Y       uint32
	Count, Sum uint64
	// Hottest are a few of the goroutines in the cell, most hits first: none
	// where only others than the [Grid] knows by name were hit.
	Hottest []CellGoroutine
}

// CellGoroutine is a goroutine and its hits.
type CellGoroutine struct {
	Goroutine
	Count uint64
}

// Cells returns the cells that have hits in the slices that begin in [from,
// to), folded to a side of 256, 512 or 1024, ordered by row and column.
func (g *Grid) Cells(from, to time.Time, side int) ([]Cell, error) {
	if side != 256 && side != 512 && side != 1024 {
		return nil, fmt.Errorf("side is %d, must be 256, 512 or 1024", side)
	}
	total, rest := map[Goroutine]gridHeat{}, map[uint32]gridHeat{}
	for i := range g.slices {
		s := g.slices[i].Load()
		if s == nil || s.start < floorTo(from.Unix(), sliceSeconds) || s.start >= to.Unix() {
			continue
		}
		for _, n := range s.named {
			total[n.Goroutine] = total[n.Goroutine].plus(n.gridHeat)
		}
		for _, c := range s.rest {
			rest[c.cell] = rest[c.cell].plus(c.gridHeat)
		}
	}
	cells := map[[2]uint32]*Cell{}
	add := func(x, y uint32, h gridHeat) *Cell {
		c := cells[[2]uint32{x, y}]
		if c == nil {
			c = &Cell{X: x, Y: y}
			cells[[2]uint32{x, y}] = c
		}
		c.Count += h.count
		c.Sum += h.sum
		return c
	}
	for who, h := range total {
		x, y := Fold(who.ID, side)
		c := add(x, y, h)
		c.Hottest = append(c.Hottest, CellGoroutine{who, h.count})
	}
	shrink := uint32(GridSide / side)
	for cell, h := range rest {
		add(cell&(GridSide-1)/shrink, cell>>gridBits/shrink, h)
	}
	result := make([]Cell, 0, len(cells))
	for _, c := range cells {
		slices.SortFunc(c.Hottest, func(a, b CellGoroutine) int {
			return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.ID, b.ID), cmp.Compare(a.Label, b.Label))
		})
		c.Hottest = slices.Clone(c.Hottest[:min(len(c.Hottest), hottest)])
		result = append(result, *c)
	}
	slices.SortFunc(result, func(a, b Cell) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	return result, nil
}

// Fold returns the cell of a goroutine id in a grid of a side of at most
// [GridSide], which must be a power of two.
func Fold(goid uint64, side int) (x, y uint32) {
	hash := GoroutineHash(goid)
	x, y = uint32(hash>>(64-gridBits)), uint32(hash>>(64-2*gridBits))&(GridSide-1)
	shrink := uint32(GridSide / side)
	return x / shrink, y / shrink
}
