package datasource

import (
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestColumnsAreNiceAlignedAndNoMoreThanAskedFor(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		from := time.UnixMilli(rapid.Int64Range(0, 4e12).Draw(t, "from"))
		length := time.Duration(rapid.Int64Range(1, int64(maxRange/time.Millisecond)).Draw(t, "length")) * time.Millisecond
		interval := time.Duration(rapid.Int64Range(0, int64(24*time.Hour)).Draw(t, "interval"))
		columns := rapid.IntRange(9, maxColumns).Draw(t, "columns") // a week has up to 8 days begun
		to := from.Add(length)
		s := step(from, to, interval, columns)
		if !slices.Contains(niceSteps, s) || s < interval {
			t.Fatalf("step is %s for an interval of %s", s, interval)
		}
		start, end := aligned(from, to, s)
		if start.After(from) || end.Before(to) || start.Unix()%int64(s/time.Second) != 0 || end.Unix()%int64(s/time.Second) != 0 {
			t.Fatalf("columns of %s from %s to %s do not cover %s to %s", s, start, end, from, to)
		}
		if n := int(end.Sub(start) / s); n > columns {
			t.Fatalf("%d columns of %s, at most %d were asked for", n, s, columns)
		}
	})
}

func TestPanelsOfDifferentRangesAgreeOnWhereColumnsBegin(t *testing.T) {
	now := time.Unix(1_795_000_003, 0)
	start, _ := aligned(now.Add(-time.Hour), now, 15*time.Second)
	other, _ := aligned(now.Add(-10*time.Minute), now, 15*time.Second)
	if other.Sub(start)%(15*time.Second) != 0 {
		t.Errorf("columns begin at %s and %s", start, other)
	}
}

func TestBeforeTheEpochFloorsDownToo(t *testing.T) {
	if got := floor(time.Unix(-1, 0), time.Minute); got.Unix() != -60 {
		t.Errorf("floor of -1 s is %d s", got.Unix())
	}
}
