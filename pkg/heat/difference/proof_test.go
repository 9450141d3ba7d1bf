package difference_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
)

// The two proofs of the difference: data that only drift are all grey, and what
// was planted is coloured where it is and nowhere else. In full, as name value lines:
//
//	go test -run '^$' -bench Difference -benchtime 1x ./pkg/heat/difference

// run is how long two arms ran, one after the other or together.
type run struct {
	name string
	// baseline and candidate in seconds, in columns of step seconds.
	baseline, candidate, step int
	together                  bool
	// rate of requests in a second.
	rate float64
	// wilder is how many times as much it drifts as is assumed, less one.
	wilder float64
}

var runs = []run{
	{"20s_after_20s", 20, 20, 1, false, 200, 0},
	{"20s_together", 20, 20, 1, true, 200, 0},
	{"80s_after_80s", 80, 80, 5, false, 60, 0},
	{"4m_after_4m", 240, 240, 5, false, 60, 0},
	{"4m_together", 240, 240, 5, true, 60, 0},
	{"4m_after_30m", 1800, 240, 5, false, 60, 0},
	{"10m_after_10m", 600, 600, 10, false, 60, 0},
	{"20m_together", 1200, 1200, 10, true, 60, 0},
	{"30m_after_30m", 1800, 1800, 10, false, 60, 0},
	{"60m_after_60m", 3600, 3600, 10, false, 60, 0},
	{"60m_together", 3600, 3600, 10, true, 60, 0},
	{"160m_after_160m", 9600, 9600, 60, false, 20, 0},
	{"few_20m_after_20m", 1200, 1200, 10, false, 2, 0},
	{"many_4m_after_4m", 240, 240, 5, false, 3000, 0},
	{"many_30m_after_30m", 1800, 1800, 10, false, 1000, 0},
}

// compare has a program run twice, the second time with a change planted, and compares.
func (r run) compare(t testing.TB, seed uint64, change plant) *difference.Comparison {
	random := func(n uint64) *rand.Rand { return rand.New(rand.NewPCG(seed, n)) }
	shared := newDrift(random(1), 0.10*(1+r.wilder))
	arm := func(n uint64) *program {
		return &program{random: random(n), rate: r.rate, median: 1.2e6, deviation: 0.8, shared: shared, own: newDrift(random(n+1), 0.05*(1+r.wilder))}
	}
	began := r.baseline
	if r.together {
		began = 0
	}
	before, since := arm(2).run(0, r.baseline, r.step, nil), arm(4).run(began, began+r.candidate, r.step, change)
	plan, err := difference.NewPlan(
		difference.Span{From: after(0), To: after(r.baseline)},
		difference.Span{From: after(began), To: after(began + r.candidate)}, time.Duration(r.step)*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	q := difference.Question{Plan: plan, Shares: true, Valued: true, Drift: difference.LatencyDrift}
	c, err := q.Compare(plan.Cut(plan.Baseline, before, nil), plan.Cut(plan.Candidate, since, nil))
	if err != nil {
		t.Fatal(err)
	}
	difference.Adjust([]*difference.Comparison{c})
	return c
}

// grey returns the shares of drifting sets without a planted change in which no
// cell is coloured, and in which the distance has p under 0.05.
func (r run) grey(t testing.TB, sets int) (grey, far float64) {
	for seed := range sets {
		c := r.compare(t, uint64(seed), nil)
		if _, coloured := c.Tests(); coloured == 0 {
			grey += 1 / float64(sets)
		}
		if c.P < 0.05 {
			far += 1 / float64(sets)
		}
	}
	return grey, far
}

// bump is the octave that four of a hundred requests are moved to: 9.7 to 19.5 ms,
// where one in 250 is without it.
var bump = struct{ first, last int }{heat.Bucket(10e6), heat.Bucket(10e6) + 7}

// found returns the shares of cells that are coloured, where four of a hundred
// requests were moved to and elsewhere; and of sets in which the bump is found at all.
func (r run) found(t testing.TB, sets int) (there, elsewhere, found float64) {
	var planted, other int
	for seed := range sets {
		c := r.compare(t, uint64(seed), moves(0.04, bump.first, bump.last))
		seen := false
		for i := range c.Segments {
			s := &c.Segments[i]
			for bucket, p := range s.P {
				switch {
				case bucket >= bump.first && bucket <= bump.last:
					planted++
					if s.Significant[bucket] && s.Candidate[bucket] > s.Baseline[bucket] {
						there++
						seen = true
					}
				case p == p: // tested
					other++
					if s.Significant[bucket] {
						elsewhere++
					}
				}
			}
		}
		if seen {
			found += 1 / float64(sets)
		}
	}
	return there / float64(planted), elsewhere / float64(other), found
}

func TestDriftAloneColoursNothing(t *testing.T) {
	for _, r := range []run{runs[0], runs[3], runs[4]} {
		if grey, _ := r.grey(t, 40); grey < 0.95 {
			t.Errorf("%s: %.3f of 40 drifting sets are all grey, want 0.95", r.name, grey)
		}
	}
}

func TestWhatWasPlantedIsColouredWhereItIsAndNowhereElse(t *testing.T) {
	for _, r := range runs[3:5] {
		there, elsewhere, found := r.found(t, 20)
		if found < 0.95 || there < 0.8 || elsewhere > 0.005 {
			t.Errorf("%s: planted in 20 sets and found in %.2f of them, in %.2f of its cells, and in %.4f of all others", r.name, found, there, elsewhere)
		}
	}
}

func TestAChangeAfterHalfTheTimeIsColouredFromThereOn(t *testing.T) {
	r := run{baseline: 3600, candidate: 10800, step: 60, rate: 20}
	half := r.baseline + r.candidate/2
	c := r.compare(t, 1, func(second int, s *shares) {
		if second >= half {
			moves(0.04, bump.first, bump.last)(second, s)
		}
	})
	if len(c.Segments) != 2 {
		t.Fatalf("%d segments of 36 blocks", len(c.Segments))
	}
	for i, want := range []bool{false, true} {
		if got := c.Segments[i].Significant[bump.first+3]; got != want {
			t.Errorf("segment %d is coloured: %t, want %t", i, got, want)
		}
	}
}

func TestASlowerProgramIsColouredAboveAndBelow(t *testing.T) {
	r := run{baseline: 1200, candidate: 1200, step: 10, together: true, rate: 60}
	c := r.compare(t, 1, slower(5))
	s := &c.Segments[0]
	var more, less []int
	for bucket, coloured := range s.Significant {
		switch {
		case coloured && s.Candidate[bucket] > s.Baseline[bucket]:
			more = append(more, bucket)
		case coloured:
			less = append(less, bucket)
		}
	}
	if len(more) < 3 || len(less) < 3 || less[len(less)-1] > more[0] {
		t.Errorf("buckets %v have more and %v less: slower requests leave the lower for the higher", more, less)
	}
	// Five buckets are ln 1.54.
	if c.Distance < 0.35 || c.Distance > 0.52 || c.P > 0.02 {
		t.Errorf("distance is %.3f, p %.3f", c.Distance, c.P)
	}
}

func BenchmarkDifferenceOfDrift(b *testing.B) {
	for b.Loop() {
		least, most := 1.0, 0.0
		for _, r := range runs {
			grey, far := r.grey(b, 100)
			fmt.Printf("aa_grey_share_%s %.2f\n", r.name, grey)
			least, most = min(least, grey), max(most, far)
		}
		// What drifts twice as much as is assumed is not promised, only told.
		wild := 1.0
		for _, r := range runs {
			r.wilder = 1
			grey, _ := r.grey(b, 100)
			fmt.Printf("aa_wild_grey_share_%s %.2f\n", r.name, grey)
			wild = min(wild, grey)
		}
		b.ReportMetric(wild, "aa_wild_grey_share")
		fmt.Printf("aa_wild_grey_share %.2f\n", wild)
		fmt.Printf("aa_grey_share %.2f\naa_distance_share %.2f\n", least, most)
		b.ReportMetric(least, "aa_grey_share")
		b.ReportMetric(most, "aa_distance_share")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDifferenceDetectable plants the shift that a comparison without a
// difference says it would most likely have found, and looks whether it is.
func BenchmarkDifferenceDetectable(b *testing.B) {
	for b.Loop() {
		least := 1.0
		for _, r := range runs {
			found := 0.0
			const sets = 100
			for seed := range uint64(sets) {
				said := r.compare(b, seed, nil).Detectable
				c := r.compare(b, seed+1000, slower(int(math.Ceil(said/(math.Ln2/8)))))
				if _, coloured := c.Tests(); coloured > 0 {
					found += 1.0 / sets
				}
			}
			fmt.Printf("detectable_found_share_%s %.2f\n", r.name, found)
			least = min(least, found)
		}
		fmt.Printf("detectable_found_share %.2f\n", least)
		b.ReportMetric(least, "detectable_found_share")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkDifferencePlanted leaves out of its worst share what is too little to
// find four of a hundred requests in: under four minutes, and 2 requests a second.
func BenchmarkDifferencePlanted(b *testing.B) {
	for b.Loop() {
		least, most := 1.0, 0.0
		for _, r := range runs {
			there, elsewhere, found := r.found(b, 100)
			fmt.Printf("planted_found_share_%s %.3f\nplanted_set_share_%s %.2f\nplanted_elsewhere_share_%s %.5f\n", r.name, there, r.name, found, r.name, elsewhere)
			if r.candidate >= 240 && r.rate >= 20 {
				least = min(least, there)
			}
			most = max(most, elsewhere)
		}
		fmt.Printf("planted_found_share %.3f\nplanted_elsewhere_share %.5f\n", least, most)
		b.ReportMetric(least, "planted_found_share")
		b.ReportMetric(most, "planted_elsewhere_share")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkCompare compares twelve blocks with twelve: segments, and a thousand
// permutations for the distance.
func BenchmarkCompare(b *testing.B) {
	r := run{baseline: 3600, candidate: 3600, step: 10, rate: 60}
	program := func(n uint64) *program {
		random := rand.New(rand.NewPCG(1, n))
		return &program{random: random, rate: r.rate, median: 1.2e6, deviation: 0.8, shared: newDrift(random, 0.1), own: newDrift(random, 0.05)}
	}
	plan, err := difference.NewPlan(difference.Span{From: after(0), To: after(3600)}, difference.Span{From: after(3600), To: after(7200)}, 10*time.Second)
	if err != nil {
		b.Fatal(err)
	}
	before := plan.Cut(plan.Baseline, program(1).run(0, 3600, 10, nil), nil)
	since := plan.Cut(plan.Candidate, program(2).run(3600, 7200, 10, nil), nil)
	q := difference.Question{Plan: plan, Shares: true, Valued: true, Drift: difference.LatencyDrift}
	for b.Loop() {
		if _, err := q.Compare(before, since); err != nil {
			b.Fatal(err)
		}
	}
}
