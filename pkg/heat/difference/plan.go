package difference

import (
	"fmt"
	"time"
)

// MinBlocks is how many blocks of time each side of a test has at least. Signs
// of 8 pairs can be flipped in 256 ways, so p can be as little as 0.008.
const MinBlocks = 8

// blockLengths are what blocks may be, the longest that leaves enough of them
// first: the longer a block, the less it has in common with its neighbours.
var blockLengths = []time.Duration{5 * time.Minute, 2 * time.Minute, time.Minute, 30 * time.Second, 20 * time.Second, 10 * time.Second, 5 * time.Second, 2 * time.Second}

// Span is a range of time, [From, To).
type Span struct{ From, To time.Time }

// Length returns how long it is; 0 where it ends before it begins.
func (s Span) Length() time.Duration { return max(s.To.Sub(s.From), 0) }

// Overlap returns what two spans have in common.
func (s Span) Overlap(other Span) Span {
	if other.From.After(s.From) {
		s.From = other.From
	}
	if other.To.Before(s.To) {
		s.To = other.To
	}
	return s
}

// Plan says how two arms are cut into blocks of time.
//
//	one after the other:  baseline  |--|--|--|--|--|--|--|--|-|
//	                      candidate                            |--|--|--|--|--|--|--|--|
//
//	at the same time:     baseline  ...----|--|--|--|--|--|--|--|--|
//	                      candidate        |--|--|--|--|--|--|--|--|
//
// Where the arms ran at the same time for half of the candidate's time or more,
// blocks are pairs: what troubles both at once is then no difference. Else all
// blocks of one arm stand against all of the other.
type Plan struct {
	// Block is how long a block is. The last of a span has what is left over as well.
	Block time.Duration
	// Paired says that both spans are the same.
	Paired              bool
	Baseline, Candidate Span
}

// NewPlan cuts two spans, whose bounds and blocks are whole numbers of steps.
// The error is a [Refusal] where that does not make [MinBlocks] of each.
func NewPlan(baseline, candidate Span, step time.Duration) (Plan, error) {
	p := Plan{Baseline: baseline, Candidate: candidate}
	if both := baseline.Overlap(candidate); both.Length() >= candidate.Length()/2 && blockLength(both.Length(), step) > 0 {
		p.Paired, p.Baseline, p.Candidate = true, both, both
	}
	shorter := min(p.Baseline.Length(), p.Candidate.Length())
	p.Block = blockLength(shorter, step)
	if p.Block == 0 {
		return p, p.tooShort(step)
	}
	return p, nil
}

// blockLength returns the longest block of which a span holds enough; 0 where it holds too few of any.
func blockLength(span, step time.Duration) time.Duration {
	for _, block := range blockLengths {
		if block%step == 0 && span/block >= MinBlocks {
			return block
		}
	}
	return 0
}

// shortest returns the least block that is made of whole steps.
func shortest(step time.Duration) time.Duration {
	for i := len(blockLengths) - 1; i >= 0; i-- {
		if blockLengths[i]%step == 0 {
			return blockLengths[i]
		}
	}
	return step
}

func (p Plan) tooShort(step time.Duration) error {
	block := shortest(step)
	need := MinBlocks * block
	for _, side := range []struct {
		name string
		span Span
	}{{"the candidate", p.Candidate}, {"the baseline", p.Baseline}} {
		if length := side.span.Length(); length < need {
			return Refusal(fmt.Sprintf("too few blocks: %s has %d of %s, and %d are needed, which take %s of hits: wait for %s more, or choose a window that long",
				side.name, length/block, Spell(block), MinBlocks, Spell(need), Spell(need-length)))
		}
	}
	return nil
}

// count returns how many blocks a span is cut into.
func (p Plan) count(s Span) int { return int(s.Length() / p.Block) }

// index returns the block of a span that a time falls in; -1 outside of the span.
func (p Plan) index(s Span, t time.Time) int {
	if t.Before(s.From) || !t.Before(s.To) {
		return -1
	}
	return min(int(t.Sub(s.From)/p.Block), p.count(s)-1)
}

// Refusal is why two arms can't be compared: an error whose text is for the
// person who asked.
type Refusal string

func (r Refusal) Error() string { return string(r) }

// Spell writes a whole number of seconds as people do: "30 s", "5 min", "1 h 20 min".
func Spell(d time.Duration) string {
	d = d.Round(time.Second)
	hours, minutes, seconds := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	text := ""
	for _, part := range []struct {
		n    int
		unit string
	}{{hours, "h"}, {minutes, "min"}, {seconds, "s"}} {
		if part.n > 0 {
			text += fmt.Sprintf(" %d %s", part.n, part.unit)
		}
	}
	if text == "" {
		return "0 s"
	}
	return text[1:]
}
