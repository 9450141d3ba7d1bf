package render

import (
	"image"
	"image/color"
	"math"
)

// Cells become pixels as in src/renderer: ramp.ts gives each its level, and
// draw.ts each pixel the colour of the hottest cell that it shows.

// levelOn tells the level of n hits between the fewest and the most that a
// filled cell has: 1 (coldest) to steps (hottest), even in the logarithm; 0 for no hit.
func levelOn(fewest, most uint64, steps int) func(n uint64) uint8 {
	low := math.Log(float64(fewest))
	span := math.Log(float64(most)) - low
	return func(n uint64) uint8 {
		switch {
		case n == 0:
			return 0
		case n >= most:
			return uint8(steps)
		case n <= fewest:
			return 1
		}
		heat := (math.Log(float64(n)) - low) / span
		return uint8(1 + min(steps-1, int(heat*float64(steps))))
	}
}

// span is which cells a pixel of one axis shows, both included; none when first is negative.
type span struct{ first, last int }

// spansOf lays n cells on pixels: cell i lies between edge(i) and edge(i+1),
// whichever is less. Edges fall on whole pixels. A cell that is visible at all
// has at least one, and shares it when it must.
func spansOf(n, pixels int, edge func(i int) float64) []span {
	spans := make([]span, pixels)
	for i := range spans {
		spans[i] = span{-1, -1}
	}
	for cell := range n {
		from, to := edge(cell), edge(cell+1)
		from, to = min(from, to), max(from, to)
		if from >= float64(pixels) || to <= 0 {
			continue
		}
		// As Math.round does: half goes up.
		start, end := max(0, int(math.Floor(from+0.5))), min(pixels, int(math.Floor(to+0.5)))
		if end <= start {
			// Less than a pixel: it is in the pixel of its middle.
			start = min(pixels-1, max(0, int((from+to)/2)))
			end = start + 1
		}
		for pixel := start; pixel < end; pixel++ {
			s := &spans[pixel]
			if s.first < 0 {
				s.first = cell
			}
			s.first, s.last = min(s.first, cell), max(s.last, cell)
		}
	}
	return spans
}

// grid holds hits by column and row; the cell (column, row) is counts[column*rows+row].
type grid struct {
	columns, rows int
	counts        []uint64
}

func newGrid(columns, rows int) grid { return grid{columns, rows, make([]uint64, columns*rows)} }

// draw fills a rectangle of the picture with the pixels of the grid. Where no cell is hit, the picture stays as it is.
func (g grid) draw(to *image.RGBA, area image.Rectangle, x, y []span, level func(uint64) uint8, colours []color.RGBA) {
	levels := make([]uint8, len(g.counts))
	for i, n := range g.counts {
		levels[i] = level(n)
	}
	for py, rows := range y {
		for px, columns := range x {
			if rows.first < 0 || columns.first < 0 {
				continue
			}
			var hottest uint8
			for column := columns.first; column <= columns.last; column++ {
				for row := rows.first; row <= rows.last; row++ {
					hottest = max(hottest, levels[column*g.rows+row])
				}
			}
			if hottest > 0 {
				to.SetRGBA(area.Min.X+px, area.Min.Y+py, colours[hottest-1])
			}
		}
	}
}
