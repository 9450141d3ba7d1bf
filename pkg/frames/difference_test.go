package frames_test

import (
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
)

// released is a comparison of four minutes of v1 with the four minutes of v2
// after them; slow of a hundred requests of v2 take 12 ms, where none of v1 do.
func released(t *testing.T, about frames.Subject, slow int) frames.Compared {
	t.Helper()
	const each = 30 * time.Second
	columns := func(from time.Time, slow int) (columns []heat.Column) {
		for i := range 8 {
			var h heat.Histogram
			for n := range 200 {
				took := time.Duration(n%5+4+i%2) * 200 * time.Microsecond
				if n%100 < slow {
					took = 12 * time.Millisecond
				}
				h.Observe(uint64(took))
			}
			columns = append(columns, heat.NewColumn(from.Add(time.Duration(i)*each), &h))
		}
		return columns
	}
	began := noon.Add(8 * each)
	plan, err := difference.NewPlan(difference.Span{From: noon, To: began}, difference.Span{From: began, To: began.Add(8 * each)}, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	c := frames.Compared{
		Per: frames.PerShare, Labels: map[string]string{"route": "GET /"}, Plan: plan, Columns: columns(began, slow),
		Baseline:  frames.Side{Label: "v1", Version: "v1", GoVersions: []string{"go1.26.1"}, From: noon.UnixMilli(), To: began.UnixMilli()},
		Candidate: frames.Side{Label: "v2", Version: "v2", From: began.UnixMilli(), To: began.Add(8 * each).UnixMilli()},
	}
	q := difference.Question{Plan: plan, Shares: true, Valued: about.Unit != frames.UnitCount, Drift: difference.LatencyDrift}
	if c.Result, err = q.Compare(plan.Cut(plan.Baseline, columns(noon, 0), nil), plan.Cut(plan.Candidate, c.Columns, nil)); err != nil {
		t.Fatal(err)
	}
	difference.Adjust([]*difference.Comparison{c.Result})
	return c
}

var halfMinutes = frames.Subject{POM: "http.request", Unit: "ns", Step: 30 * time.Second}

func TestGoldenDifference(t *testing.T) {
	golden(t, "difference", frames.Difference(halfMinutes, released(t, halfMinutes, 5)))
}

func TestGoldenRefusedDifference(t *testing.T) {
	c := released(t, halfMinutes, 0)
	c.Result, c.Refused = nil, "too few blocks"
	golden(t, "difference_refused", frames.Difference(halfMinutes, c))
}

func TestWordsSayWhatChangedAndHowSureThatIs(t *testing.T) {
	said := func(about frames.Subject, slow int, change func(*frames.Compared)) string {
		c := released(t, about, slow)
		if change != nil {
			change(&c)
		}
		f := frames.Difference(about, c)
		words := frames.WordsOf(f)
		if !strings.HasSuffix(words, ".") || strings.Contains(words, "NaN") {
			t.Errorf("words are %q", words)
		}
		return words
	}
	sized := halfMinutes
	sized.Unit = frames.UnitBytes
	for _, c := range []struct {
		name  string
		words string
		parts []string
	}{
		{"a slow few", said(halfMinutes, 5, nil), []string{
			"p50 was 1.27 ms and is 1.4 ms, p99 rose from 1.8 ms to 11.8 ms; hits between 11 ms and 12 ms took a share of 5 points more; 1 of 7 cells differs (q < 0.05, 8 and 8 blocks of 30 s)"}},
		{"nothing", said(halfMinutes, 0, nil), []string{"p50 stayed at 1.27 ms, p99 stayed at 1.8 ms; no difference was found: 0 of 6 cells differ", "% greater would most likely have been found."}},
		{"bytes", said(sized, 5, nil), []string{"p99 rose from 1.72 MiB to 11.3 MiB", "hits between 10.5 MiB and 11.5 MiB"}},
		{"pairs", said(halfMinutes, 5, func(c *frames.Compared) { c.Plan.Paired = true }), []string{"8 pairs of blocks of 30 s"}},
		{"per second", said(halfMinutes, 5, func(c *frames.Compared) { c.Per = frames.PerSecond }), []string{"came 0.05 per second more"}},
	} {
		for _, part := range c.parts {
			if !strings.Contains(c.words, part) {
				t.Errorf("%s: %q, want %q in it", c.name, c.words, part)
			}
		}
	}
}
