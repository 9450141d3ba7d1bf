// Package difference compares the heat of two arms, a baseline and a candidate:
// which cells differ by more than chance, drift and a least effect explain. It
// is pure: blocks in, numbers out. docs/comparison.md tells how it is read.
//
//	two spans ─▶ [NewPlan] ─▶ [Plan.Cut] both arms into blocks ─▶ [Question.Compare]
//	          a Comparison for each series ─▶ [Adjust] all of them ─▶ q of each cell
package difference

import (
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// Block is what an arm did in one block of time.
type Block struct {
	Hits heat.Histogram
	// Of is what hits are counted against: all hits, requests, or seconds.
	Of float64
}

// Cut cuts columns of one arm into the blocks of its span. of says what the hits
// of a time are counted against, in the columns that begin at its keys, seconds
// since 1970; nil stands for the hits themselves. Each hit in the span is in one block.
func (p Plan) Cut(span Span, columns []heat.Column, of map[int64]float64) []Block {
	blocks := make([]Block, p.count(span))
	for _, c := range columns {
		if i := p.index(span, c.Start); i >= 0 {
			h := c.Histogram()
			blocks[i].Hits.Add(h)
			if of == nil {
				blocks[i].Of += float64(h.Count())
			}
		}
	}
	for second, n := range of {
		if i := p.index(span, time.Unix(second, 0)); i >= 0 {
			blocks[i].Of += n
		}
	}
	return blocks
}

// Question is what is asked of two arms.
type Question struct {
	Plan
	// Shares says that hits are counted against hits, so that a column has 1 in all.
	Shares bool
	// Valued says that hits have values; without, all are in bucket 0, and only how many there are can differ.
	Valued bool
	// Drift is assumed of values, and of how many hits there are where those are not Shares.
	Drift Drift
}

// Comparison is what came of a question about one series.
type Comparison struct {
	// Segments of the candidate's span: each has enough blocks for a test of its own.
	Segments []Segment
	// Baseline and Candidate are all hits that were compared.
	Baseline, Candidate heat.Histogram
	// BaselineBlocks and CandidateBlocks are those with hits.
	BaselineBlocks, CandidateBlocks int
	// Distance between the arms as ln, with the sign of the mean shift; P that it
	// is no more than drift and chance explain. See [Question.distance].
	Distance, P float64
	// Detectable is the least shift of all values, as ln, that would most likely have coloured a cell.
	Detectable float64
}

// Segment is a part of the candidate's time, compared with the baseline. What is
// by bucket is hits per Of.
type Segment struct {
	// Span is the candidate's.
	Span
	Baseline, Candidate Spread
	// P of each bucket that was tested; NaN for those with too few hits to differ.
	P Spread
	// Q is P adjusted for all the cells there are, and Significant what is under
	// [Level] and more than the least effect: see [Adjust].
	Q           Spread
	Significant [heat.NumBuckets]bool
	// Shift is the shift of values, as ln, that was allowed for; Rate that of how many hits there are.
	Shift, Rate float64
}

// Compare compares two arms, cut by the question's plan. The error is a [Refusal].
func (q Question) Compare(baseline, candidate []Block) (*Comparison, error) {
	b, c, starts := q.filled(baseline, candidate)
	for _, side := range []struct {
		name  string
		found int
	}{{"the candidate", len(c)}, {"the baseline", len(b)}} {
		switch {
		case side.found == 0:
			return nil, Refusal(fmt.Sprintf("no hits: %s has none in the time that is compared", side.name))
		case side.found < MinBlocks:
			return nil, Refusal(fmt.Sprintf("too few blocks: %s has hits in %d of %s, and %d are needed: wait for %s more, or choose a longer window",
				side.name, side.found, Spell(q.Block), MinBlocks, Spell(time.Duration(MinBlocks-side.found)*q.Block)))
		}
	}
	result := &Comparison{BaselineBlocks: len(b), CandidateBlocks: len(c)}
	for i := range b {
		result.Baseline.Add(&b[i].Hits)
	}
	for i := range c {
		result.Candidate.Add(&c[i].Hits)
	}
	if q.Valued && (result.Baseline.Count() == 0 || result.Candidate.Count() == 0) {
		return nil, Refusal("no hits: one side was watched and had none, so there are no values to compare")
	}
	n := max(1, len(c)/(2*MinBlocks))
	for i := range n {
		first, next := i*len(c)/n, (i+1)*len(c)/n
		against := b
		if q.Paired {
			against = b[first:next]
		}
		span := Span{starts[first], q.Candidate.To}
		if next < len(c) {
			span.To = starts[next]
		}
		s := q.segment(q.gap(span), against, c[first:next])
		s.Span = span
		result.Segments = append(result.Segments, s.Segment)
		if i == 0 || s.detectable < result.Detectable {
			result.Detectable = s.detectable
		}
	}
	result.Segments[0].From = q.Candidate.From
	result.Distance, result.P = q.distance(b, c)
	return result, nil
}

// gap is the time between the baseline and a part of the candidate; 0 where they overlap.
func (q Question) gap(part Span) time.Duration {
	return max(part.From.Sub(q.Baseline.To), q.Baseline.From.Sub(part.To), 0)
}

// filled keeps the blocks that have something to be counted against; of pairs,
// those where both do. starts are those of the candidate's blocks.
func (q Question) filled(baseline, candidate []Block) (b, c []Block, starts []time.Time) {
	empty := func(x Block) bool { return x.Of == 0 }
	for i, x := range candidate {
		if empty(x) || q.Paired && empty(baseline[i]) {
			continue
		}
		if q.Paired {
			b = append(b, baseline[i])
		}
		c = append(c, x)
		starts = append(starts, q.Candidate.From.Add(time.Duration(i)*q.Block))
	}
	if !q.Paired {
		b = slices.DeleteFunc(slices.Clone(baseline), empty)
	}
	return b, c, starts
}

// In returns the segment that a time is in; nil outside of all.
func (c *Comparison) In(t time.Time) *Segment {
	for i := range c.Segments {
		if s := &c.Segments[i]; !t.Before(s.From) && t.Before(s.To) {
			return s
		}
	}
	return nil
}

// Tests counts the buckets that were tested, and those that differ, in all segments.
func (c *Comparison) Tests() (cells, significant int) {
	for i := range c.Segments {
		for b, p := range c.Segments[i].P {
			if !math.IsNaN(p) {
				cells++
			}
			if c.Segments[i].Significant[b] {
				significant++
			}
		}
	}
	return cells, significant
}
