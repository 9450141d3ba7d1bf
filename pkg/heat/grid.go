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
	namedGoroutines = 2048
	// gridEntries is how many goroutines and cells all slices hold; beyond it
	// the oldest slices are forgotten early, but never the newest.
	gridEntries = 32768
)

// Grid is the goroutine grid of one POM of one process. One goroutine may Add,
// Advance and Shrink; any number may read the finished slices meanwhile, without a lock.
type Grid struct {
	// finished slices, ascending, of the last half hour; what it points to never changes.
	finished atomic.Pointer[[]*gridSlice]
	// What follows is seen by the writer only. The open slice is published by Advance.
	open    *openSlice
	entries int
	bytes   int
}

// openSlice is the slice that is written.
type openSlice struct {
	start int64
	named map[Goroutine]gridHeat
	rest  map[uint32]gridHeat // by cell at GridSide
}

type gridHeat struct{ count, sum uint64 }

func (h gridHeat) plus(o gridHeat) gridHeat { return gridHeat{h.count + o.count, h.sum + o.sum} }

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
	s := packGridSlice(g.open)
	g.open = nil
	kept := make([]*gridSlice, 0, gridSlices)
	for _, old := range g.slices() {
		if old.start > s.start-gridSlices*sliceSeconds && old.start != s.start {
			kept = append(kept, old)
		}
	}
	at, _ := slices.BinarySearchFunc(kept, s.start, func(x *gridSlice, start int64) int { return cmp.Compare(x.start, start) })
	g.keep(slices.Insert(kept, at, s))
	for g.entries > gridEntries && g.Shrink() {
	}
}

// Shrink forgets the oldest slice, unless it is the only one: then it says false.
func (g *Grid) Shrink() bool {
	kept := g.slices()
	if len(kept) < 2 {
		return false
	}
	g.keep(slices.Clone(kept[1:]))
	return true
}

// Oldest is when the oldest slice begins; zero when there is none.
func (g *Grid) Oldest() time.Time {
	if kept := g.slices(); len(kept) > 0 {
		return time.Unix(kept[0].start, 0)
	}
	return time.Time{}
}

func (g *Grid) slices() []*gridSlice {
	if kept := g.finished.Load(); kept != nil {
		return *kept
	}
	return nil
}

// keep replaces the finished slices.
func (g *Grid) keep(kept []*gridSlice) {
	kept = slices.Clip(kept)
	g.entries, g.bytes = 0, 0
	for _, s := range kept {
		g.entries += s.entries
		g.bytes += s.bytes()
	}
	g.finished.Store(&kept)
}

// Entries is how many goroutines and cells the finished slices hold. It is for
// the writer, as Bytes is.
func (g *Grid) Entries() int { return g.entries }

// Bytes is what the finished slices take of memory.
func (g *Grid) Bytes() int { return g.bytes }

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
	for _, s := range g.slices() {
		if s.start < floorTo(from.Unix(), sliceSeconds) || s.start >= to.Unix() {
			continue
		}
		s.each(
			func(who Goroutine, h gridHeat) { total[who] = total[who].plus(h) },
			func(cell uint32, h gridHeat) { rest[cell] = rest[cell].plus(h) },
		)
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
