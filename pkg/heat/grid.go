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

// Grid is the goroutine grid of one POM of one process. One goroutine may Add
// and Advance; any number may read the finished slices meanwhile, without a lock.
type Grid struct {
	slices [gridSlices]atomic.Pointer[gridSlice]
	// open is seen by the writer only, until it is published by Advance.
	open *gridSlice
}

// gridSlice is the heat of each goroutine in sliceSeconds; immutable once published.
type gridSlice struct {
	start      int64
	goroutines map[Goroutine]gridHeat
}

type gridHeat struct{ count, sum uint64 }

// Add adds a hit of a goroutine at t. A t before the open slice counts in the open slice.
func (g *Grid) Add(t time.Time, who Goroutine, value uint64) {
	start := floorTo(t.Unix(), sliceSeconds)
	if g.open != nil && start > g.open.start {
		g.publish()
	}
	if g.open == nil {
		g.open = &gridSlice{start: start, goroutines: map[Goroutine]gridHeat{}}
	}
	h := g.open.goroutines[who]
	g.open.goroutines[who] = gridHeat{h.count + 1, h.sum + value}
}

// Advance publishes the open slice when its time is over.
func (g *Grid) Advance(now time.Time) {
	if g.open != nil && now.Unix() >= g.open.start+sliceSeconds {
		g.publish()
	}
}

func (g *Grid) publish() {
	g.slices[(g.open.start/sliceSeconds)%gridSlices].Store(g.open)
	g.open = nil
}

// Cell is one cell of a grid that has hits.
type Cell struct {
	X, Y       uint32
	Count, Sum uint64
	// Hottest are a few of the goroutines in the cell, most hits first.
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
	total := map[Goroutine]gridHeat{}
	for i := range g.slices {
		s := g.slices[i].Load()
		if s == nil || s.start < floorTo(from.Unix(), sliceSeconds) || s.start >= to.Unix() {
			continue
		}
		for who, h := range s.goroutines {
			t := total[who]
			total[who] = gridHeat{t.count + h.count, t.sum + h.sum}
		}
	}
	cells := map[[2]uint32]*Cell{}
	for who, h := range total {
		x, y := Fold(who.ID, side)
		c := cells[[2]uint32{x, y}]
		if c == nil {
			c = &Cell{X: x, Y: y}
			cells[[2]uint32{x, y}] = c
		}
		c.Count += h.count
		c.Sum += h.sum
		c.Hottest = append(c.Hottest, CellGoroutine{who, h.count})
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
