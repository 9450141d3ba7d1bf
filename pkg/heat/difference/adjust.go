package difference

import (
	"cmp"
	"math"
	"slices"
)

// Level is the share of falsely coloured cells, among those that are coloured,
// that is put up with.
const Level = 0.05

// Adjust works out q of each cell of all comparisons that are shown together,
// and which cells are significant: those with q under [Level] that differ by the
// least effect. q is p adjusted as Benjamini and Hochberg do (J. R. Stat. Soc. B
// 57, 1995): the least level at which the cell is still among those called
// different.
func Adjust(comparisons []*Comparison) {
	type cell struct {
		segment *Segment
		bucket  int
	}
	var cells []cell
	for _, c := range comparisons {
		for i := range c.Segments {
			for bucket, p := range c.Segments[i].P {
				if !math.IsNaN(p) {
					cells = append(cells, cell{&c.Segments[i], bucket})
				}
			}
		}
	}
	slices.SortStableFunc(cells, func(x, y cell) int { return cmp.Compare(x.segment.P[x.bucket], y.segment.P[y.bucket]) })
	least := 1.0
	for rank := len(cells); rank > 0; rank-- {
		s, bucket := cells[rank-1].segment, cells[rank-1].bucket
		least = min(least, s.P[bucket]*float64(len(cells))/float64(rank))
		s.Q[bucket] = least
		apart := math.Abs(s.Candidate[bucket] - s.Baseline[bucket])
		s.Significant[bucket] = least < Level && apart >= leastPart*s.Baseline.sum()
	}
}
