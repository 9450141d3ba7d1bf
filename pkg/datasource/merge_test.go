package datasource

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gotherm/gotherm/pkg/heat"
	"pgregory.net/rapid"
)

func anyHeat(t *rapid.T) (h heatOf, hits, sum uint64) {
	h.unit = "ns"
	for node := range rapid.IntRange(0, 3).Draw(t, "nodes") {
		s := heat.Series{Labels: map[string]string{"node": fmt.Sprint(node)}}
		for second := range rapid.IntRange(0, 5).Draw(t, "seconds") {
			var one heat.Histogram
			for _, v := range rapid.SliceOfN(rapid.Uint64Range(0, 1e12), 0, 8).Draw(t, "values") {
				one.Observe(v)
				hits, sum = hits+1, sum+v
			}
			s.Columns = append(s.Columns, heat.NewColumn(time.Unix(int64(second), 0), &one))
		}
		h.series = append(h.series, s)
	}
	return h, hits, sum
}

func TestMergingLosesAndInventsNothingAndLeavesItsInputs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var parts []heatOf
		var hits, sum uint64
		for range rapid.IntRange(1, 4).Draw(t, "agents") {
			p, n, s := anyHeat(t)
			parts, hits, sum = append(parts, p), hits+n, sum+s
		}
		before := fmt.Sprint(parts)
		merged, err := merge(parts)
		if err != nil {
			t.Fatal(err)
		}
		if after := fmt.Sprint(parts); after != before {
			t.Fatalf("merging changed its input:\n%s", cmp.Diff(before, after))
		}
		var gotHits, gotSum uint64
		seen := map[string]bool{}
		for _, s := range merged.series {
			if key := labelKey(s.Labels); seen[key] {
				t.Fatalf("series %s is there twice", key)
			} else {
				seen[key] = true
			}
			for i, c := range s.Columns {
				if i > 0 && !c.Start.After(s.Columns[i-1].Start) {
					t.Fatal("columns do not ascend")
				}
				gotHits, gotSum = gotHits+c.Histogram().Count(), gotSum+c.Sum
			}
		}
		if gotHits != hits || gotSum != sum {
			t.Fatalf("%d hits of %d ns went in, %d of %d came out", hits, sum, gotHits, gotSum)
		}
	})
}

func TestAgentsThatDisagreeOnTheUnitAreNotAddedUp(t *testing.T) {
	if _, err := merge([]heatOf{{unit: "ns"}, {unit: "1"}}); err == nil {
		t.Error("nanoseconds were added to counts")
	}
}
