package difference_test

import (
	"errors"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
	"pgregory.net/rapid"
)

func span(from, to int) difference.Span { return difference.Span{From: after(from), To: after(to)} }

func TestBlocksAreAsLongAsLeavesEightOfEachArm(t *testing.T) {
	for _, c := range []struct {
		name                string
		baseline, candidate difference.Span
		block               time.Duration
		paired              bool
	}{
		{"four minutes after four", span(0, 240), span(240, 480), 30 * time.Second, false},
		{"eighty seconds", span(0, 80), span(80, 160), 10 * time.Second, false},
		{"just enough", span(0, 40), span(40, 80), 5 * time.Second, false},
		{"hours", span(0, 7200), span(7200, 14400), 5 * time.Minute, false},
		{"the shorter arm decides", span(0, 7200), span(7200, 7300), 10 * time.Second, false},
		{"a canary beside the old version", span(0, 3600), span(3000, 3600), time.Minute, true},
		{"a roll-out that overlaps by a minute", span(0, 3660), span(3600, 7200), 5 * time.Minute, false},
		{"the same time", span(0, 240), span(0, 240), 30 * time.Second, true},
	} {
		plan, err := difference.NewPlan(c.baseline, c.candidate, 5*time.Second)
		if err != nil || plan.Block != c.block || plan.Paired != c.paired {
			t.Errorf("%s: blocks of %s, paired %t, error %v; want %s, %t", c.name, plan.Block, plan.Paired, err, c.block, c.paired)
		}
	}
}

func TestTooFewBlocksSayHowLongToWait(t *testing.T) {
	_, err := difference.NewPlan(span(0, 3600), span(3600, 3630), 5*time.Second)
	var refusal difference.Refusal
	if !errors.As(err, &refusal) || !strings.Contains(err.Error(), "the candidate has 6 of 5 s, and 8 are needed, which take 40 s of hits: wait for 10 s more") {
		t.Errorf("error is %v", err)
	}
	if _, err := difference.NewPlan(span(0, 3600), span(3600, 7200), 10*time.Minute); err == nil || !strings.Contains(err.Error(), "has 6 of 10 min") {
		t.Errorf("columns wider than any block: %v", err)
	}
}

func TestEachHitOfASpanIsInOneBlock(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		length := rapid.IntRange(80, 4000).Draw(t, "length")
		columns := (&program{random: rand.New(rand.NewPCG(1, 2)), rate: 3, median: 1e6, deviation: 1, shared: still(), own: still()}).run(0, length+60, 5, nil)
		plan, err := difference.NewPlan(span(0, length/5*5), span(0, length/5*5), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		var want, got heat.Histogram
		for _, c := range columns {
			if c.Start.Before(plan.Candidate.To) {
				want.Add(c.Histogram())
			}
		}
		for _, b := range plan.Cut(plan.Candidate, columns, nil) {
			got.Add(&b.Hits)
			if b.Of != float64(b.Hits.Count()) {
				t.Fatalf("a block of %d hits counts them against %g", b.Hits.Count(), b.Of)
			}
		}
		if got != want {
			t.Fatalf("%d hits in blocks of %s, %d in the span", got.Count(), plan.Block, want.Count())
		}
	})
}

func TestTheSameDataGetTheSameAnswer(t *testing.T) {
	r := run{baseline: 240, candidate: 240, step: 5, rate: 60}
	one, other := r.compare(t, 7, slower(3)), r.compare(t, 7, slower(3))
	if one.P != other.P || one.Distance != other.Distance || !slices.Equal(one.Segments[0].Q[:0], other.Segments[0].Q[:0]) {
		t.Errorf("p is %g and %g, distance %g and %g", one.P, other.P, one.Distance, other.Distance)
	}
}

func TestAShiftOfAllValuesIsTheDistance(t *testing.T) {
	for _, buckets := range []int{1, 3, 8} {
		blocks := func(shift int) (blocks []difference.Block) {
			for i := range 8 {
				var b difference.Block
				for bucket := 100; bucket < 110; bucket++ {
					b.Hits.Counts[bucket+shift] = uint64(100 + i + bucket%3)
				}
				b.Of = float64(b.Hits.Count())
				blocks = append(blocks, b)
			}
			return blocks
		}
		plan, err := difference.NewPlan(span(0, 240), span(240, 480), 5*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		q := difference.Question{Plan: plan, Shares: true, Valued: true, Drift: difference.LatencyDrift}
		want := float64(buckets) * math.Ln2 / 8
		slower, err := q.Compare(blocks(0), blocks(buckets))
		if err != nil {
			t.Fatal(err)
		}
		quicker, err := q.Compare(blocks(buckets), blocks(0))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(slower.Distance-want) > 1e-9 || math.Abs(quicker.Distance+want) > 1e-9 {
			t.Errorf("%d buckets slower: distance %g, and back %g, want %g", buckets, slower.Distance, quicker.Distance, want)
		}
		// A bucket, 9 %, is no more than drift makes of four minutes; eight are double the time.
		if explained := slower.P > 0.5; explained != (buckets < 3) {
			t.Errorf("%d buckets slower: p is %g", buckets, slower.P)
		}
	}
}

func TestNoHitsAreRefused(t *testing.T) {
	plan, err := difference.NewPlan(span(0, 240), span(240, 480), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	q := difference.Question{Plan: plan, Shares: true, Valued: true}
	full := make([]difference.Block, 8)
	for i := range full {
		full[i].Hits.Counts[100], full[i].Of = 10, 10
	}
	for says, c := range map[string][2][]difference.Block{
		"no hits: the candidate has none":                                            {full, make([]difference.Block, 8)},
		"no hits: the baseline has none":                                             {make([]difference.Block, 8), full},
		"the candidate has hits in 5 of 30 s, and 8 are needed: wait for 1 min 30 s": {full, append(slices.Clone(full[:5]), make([]difference.Block, 3)...)},
	} {
		if _, err := q.Compare(c[0], c[1]); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error is %v, want %q", err, says)
		}
	}
	// Seconds were watched, but nothing was hit in them.
	silent := slices.Clone(full)
	for i := range silent {
		silent[i].Hits = heat.Histogram{}
	}
	q.Shares = false
	if _, err := q.Compare(full, silent); err == nil || !strings.Contains(err.Error(), "no hits") {
		t.Errorf("error is %v", err)
	}
}

func TestRatesOfHitsAreHeldAgainstDriftOfRates(t *testing.T) {
	plan, err := difference.NewPlan(span(0, 1200), span(1200, 2400), 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	q := difference.Question{Plan: plan, Drift: difference.LatencyDrift}
	random := rand.New(rand.NewPCG(3, 4))
	blocks := func(mean float64) (blocks []difference.Block) {
		for range 10 {
			var b difference.Block
			b.Of = q.Block.Seconds()
			b.Hits.Counts[0] = uint64(mean*b.Of + math.Sqrt(mean*b.Of)*random.NormFloat64())
			blocks = append(blocks, b)
		}
		return blocks
	}
	for _, c := range []struct {
		candidate float64
		differs   bool
	}{{20, false}, {22, false}, {12, true}, {40, true}} {
		result, err := q.Compare(blocks(20), blocks(c.candidate))
		if err != nil {
			t.Fatal(err)
		}
		difference.Adjust([]*difference.Comparison{result})
		if _, n := result.Tests(); (n == 1) != c.differs || math.Abs(result.Distance-math.Log(c.candidate/20)) > 0.1 || (result.P < 0.05) != c.differs {
			t.Errorf("20 and %g hits per second: %d cells differ, distance %.3f, p %.3f", c.candidate, n, result.Distance, result.P)
		}
	}
}

// TestAdjustIsBenjaminiAndHochbergs holds q against the procedure itself: at any
// level, cells with q up to it are those that the procedure rejects.
func TestAdjustIsBenjaminiAndHochbergs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ps := rapid.SliceOfN(rapid.Float64Range(0, 1), 1, 400).Draw(t, "p")
		var comparisons []*difference.Comparison
		at := func(i int) (*difference.Segment, int) { return &comparisons[i/100].Segments[i/50%2], i % 50 }
		for range (len(ps)-1)/100 + 1 {
			c := &difference.Comparison{Segments: make([]difference.Segment, 2)}
			for i := range c.Segments {
				for bucket := range c.Segments[i].P {
					c.Segments[i].P[bucket] = math.NaN()
				}
			}
			comparisons = append(comparisons, c)
		}
		for i, p := range ps {
			s, bucket := at(i)
			s.P[bucket] = p
		}
		difference.Adjust(comparisons)
		level := rapid.Float64Range(0, 1).Draw(t, "level")
		sorted := slices.Sorted(slices.Values(ps))
		rejected := 0
		for k, p := range sorted {
			if p <= level*float64(k+1)/float64(len(ps)) {
				rejected = k + 1
			}
		}
		found := 0
		for i := range ps {
			if s, bucket := at(i); s.Q[bucket] <= level {
				found++
			}
		}
		// Ties at the edge of rounding may fall either way.
		if found != rejected && math.Abs(sorted[min(found, rejected)]*float64(len(ps))/float64(max(found, rejected))-level) > 1e-9 {
			t.Fatalf("%d cells with q up to %g, the procedure rejects %d", found, level, rejected)
		}
	})
}
