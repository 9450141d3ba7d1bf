package frames

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
)

// words says in English what a comparison has found, for the header of a panel:
// figures of both sides, where most has moved, and how sure that is.
func (c Compared) words(about Subject) string {
	cells, significant := c.Result.Tests()
	tested := fmt.Sprintf("%d of %d cells %s (q < %g, %s)", significant, cells, verb(significant, "differs", "differ"), difference.Level, c.blocks())
	if significant == 0 {
		return c.figuresInWords(about) + "; no difference was found: " + tested + ". " + c.couldBeFound(about)
	}
	return c.figuresInWords(about) + "; " + c.mostMoved(about) + "; " + tested + "."
}

func verb(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// blocks is "9 and 8 blocks of 30 s", or "8 pairs of blocks of 30 s".
func (c Compared) blocks() string {
	of := " of " + difference.Spell(c.Plan.Block)
	if c.Plan.Paired {
		return fmt.Sprintf("%d pairs of blocks", c.Result.BaselineBlocks) + of
	}
	return fmt.Sprintf("%d and %d blocks", c.Result.BaselineBlocks, c.Result.CandidateBlocks) + of
}

// figuresInWords is "p50 was 1.2 ms and is 1.3 ms, p99 rose from 3.1 ms to 4.6 ms". A figure
// rose or fell when that is more than drift may do to all values, and when a
// cell that it left, came to or passed differs.
func (c Compared) figuresInWords(about Subject) string {
	shift := 0.0
	var coloured [heat.NumBuckets]bool
	for _, s := range c.Result.Segments {
		shift = max(shift, s.Shift, s.Rate)
		for bucket, differs := range s.Significant {
			coloured[bucket] = coloured[bucket] || differs
		}
	}
	if about.countsHits() {
		n := float64(len(c.Result.Segments))
		before, after := 0.0, 0.0
		for _, s := range c.Result.Segments {
			before, after = before+s.Baseline[0]/n, after+s.Candidate[0]/n
		}
		return "hits " + moved(before, after, coloured[0], func(v float64) string { return significantDigits(v) + " per " + string(c.Per) })
	}
	var said []string
	for _, figure := range []struct {
		name string
		q    float64
	}{{"p50", 0.5}, {"p99", 0.99}} {
		before, after := c.Result.Baseline.Quantile(figure.q), c.Result.Candidate.Quantile(figure.q)
		first, last := heat.Bucket(uint64(min(before, after))), heat.Bucket(uint64(max(before, after)))
		differs := slices.Contains(coloured[first:last+1], true) && math.Abs(math.Log(after/before)) > shift
		said = append(said, figure.name+" "+moved(before, after, differs, about.inWords))
	}
	return strings.Join(said, ", ")
}

func moved(before, after float64, differs bool, spell func(float64) string) string {
	b, a := spell(before), spell(after)
	switch {
	case b == a:
		return "stayed at " + a
	case !differs:
		return "was " + b + " and is " + a
	case after > before:
		return "rose from " + b + " to " + a
	}
	return "fell from " + b + " to " + a
}

// mostMoved is "hits between 1 ms and 2 ms took 4.1 points more": the neighbouring
// cells of one segment that differ, in one direction, by the most together.
func (c Compared) mostMoved(about Subject) string {
	var best struct {
		first, last int
		apart       float64
		segment     *difference.Segment
	}
	for i := range c.Result.Segments {
		s := &c.Result.Segments[i]
		first, apart := 0, 0.0
		for bucket := range s.Significant {
			d := s.Candidate[bucket] - s.Baseline[bucket]
			switch {
			case !s.Significant[bucket]:
				apart = 0
				continue
			case apart == 0 || (d > 0) != (apart > 0):
				first, apart = bucket, 0
			}
			apart += d
			if math.Abs(apart) > math.Abs(best.apart) {
				best.first, best.last, best.apart, best.segment = first, bucket, apart, s
			}
		}
	}
	how := "more"
	if best.apart < 0 {
		how = "less"
	}
	amount := significantDigits(math.Abs(best.apart)) + " per " + string(c.Per)
	took := "came " + amount + " " + how
	if c.Per == PerShare {
		took = fmt.Sprintf("took a share of %s points %s", significantDigits(100*math.Abs(best.apart)), how)
	}
	where := "hits " + about.between(best.first, best.last)
	if about.countsHits() {
		where = "hits"
	}
	if len(c.Result.Segments) > 1 {
		where += fmt.Sprintf(" (%s after its start)", difference.Spell(best.segment.From.Sub(c.Plan.Candidate.From)))
	}
	return where + " " + took
}

// between is "between 1 ms and 2 ms", "up to 119 ns" or "over 128 s".
func (s Subject) between(first, last int) string {
	bound := func(bucket int) string { return s.inWords(float64(heat.UpperNanoseconds(bucket))) }
	switch {
	case first == 0 && last == heat.Overflow:
		return "of all sizes"
	case first == 0:
		return "up to " + bound(last)
	case last == heat.Overflow:
		return "over " + bound(first-1)
	}
	return "between " + bound(first-1) + " and " + bound(last)
}

// couldBeFound says what would have been coloured, so that "nothing" has a size.
func (c Compared) couldBeFound(about Subject) string {
	percent := 100 * math.Expm1(c.Result.Detectable)
	what := "All values"
	if about.countsHits() {
		what = "Hits"
	}
	if percent > 1000 {
		return what + " would have to be over 10 times as great to be told from chance and drift: compare longer windows."
	}
	more := "greater"
	if about.countsHits() {
		more = "more"
	}
	return fmt.Sprintf("%s %.0f %% %s would most likely have been found.", what, math.Ceil(percent), more)
}

var (
	durations = []string{"ns", "µs", "ms", "s"}
	sizes     = []string{"B", "KiB", "MiB", "GiB", "TiB"}
)

// inWords writes a value in the measurement point's unit, with three digits: 1.24 ms, 4.1 KiB.
func (s Subject) inWords(v float64) string {
	units, factor := sizes, 1024.0
	if s.isDuration() {
		units, factor = durations, 1000
	}
	i := 0
	for ; i < len(units)-1 && math.Abs(v) >= factor*0.9995; i++ {
		v /= factor
	}
	return significantDigits(v) + " " + units[i]
}

// significantDigits writes a number with three digits and without an exponent.
func significantDigits(v float64) string {
	text := strconv.FormatFloat(v, 'g', 3, 64)
	if parsed, err := strconv.ParseFloat(text, 64); err == nil {
		return strconv.FormatFloat(parsed, 'f', -1, 64)
	}
	return text
}
