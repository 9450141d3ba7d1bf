package heat_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/gotherm/gotherm/pkg/heat"
)

func TestSeriesThatDifferOnlyInOtherDimensionsAreAddedUp(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 100})
	sweep := heat.Key{POM: "gc.stw", Service: "shop", Node: heat.NodeKey(0), Reason: "sweep termination"}
	mark := heat.Key{POM: "gc.stw", Service: "shop", Node: heat.NodeKey(1), Reason: "mark termination"}
	h.Matrix(sweep).Add(noon, 20, 1, 100, 100)
	h.Matrix(mark).Add(noon, 20, 2, 200, 100)
	h.Matrix(mark).Add(noon.Add(time.Second), 30, 4, 800, 200)
	h.Matrix(heat.Key{POM: "sched.latency", Service: "shop"}).Add(noon, 20, 7, 7, 1)

	get := func(groupBy []string, matchers ...heat.Matcher) []heat.Series {
		t.Helper()
		s, err := h.Query(heat.Request{POM: "gc.stw", From: noon, To: noon.Add(4 * time.Second), Step: 2 * time.Second, GroupBy: groupBy, Matchers: matchers})
		if err != nil {
			t.Fatal(err)
		}
		for i := range s {
			for j := range s[i].Columns {
				s[i].Columns[j].Start = s[i].Columns[j].Start.UTC()
			}
		}
		return s
	}
	want := []heat.Series{{
		Labels:  map[string]string{"service": "shop"},
		Columns: []heat.Column{{Start: noon, Buckets: []uint32{20, 30}, Counts: []uint64{3, 4}, Sum: 1100, Max: 200}},
	}}
	if diff := cmp.Diff(want, get([]string{"service"})); diff != "" {
		t.Error(diff)
	}
	byNode := get([]string{"node"})
	if len(byNode) != 2 || byNode[0].Labels["node"] != "0" || byNode[1].Labels["node"] != "1" {
		t.Errorf("by node: %v", byNode)
	}
	if got := get(nil, heat.Matcher{Dimension: "reason", Values: []string{"sweep termination"}}); len(got) != 1 || got[0].Columns[0].Counts[0] != 1 {
		t.Errorf("sweep termination alone: %v", got)
	}
	if got := get(nil, heat.Matcher{Dimension: "reason", Values: []string{"none such"}}); len(got) != 0 {
		t.Errorf("a reason that never was: %v", got)
	}
}

func TestAMalformedRequestIsToldWhichFieldAndWhy(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 100})
	good := heat.Request{POM: "gc.stw", From: noon, To: noon.Add(time.Minute), Step: time.Second}
	for want, spoil := range map[string]func(*heat.Request){
		"step is 100ms":            func(r *heat.Request) { r.Step = 100 * time.Millisecond },
		"step is 1.5s":             func(r *heat.Request) { r.Step = 1500 * time.Millisecond },
		"is not after start":       func(r *heat.Request) { r.To = r.From },
		`group_by has "colour"`:    func(r *heat.Request) { r.GroupBy = []string{"colour"} },
		`has dimension "altitude"`: func(r *heat.Request) { r.Matchers = []heat.Matcher{{Dimension: "altitude"}} },
	} {
		r := good
		spoil(&r)
		if _, err := h.Query(r); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want an error with %q", err, want)
		}
	}
}

func TestAFullHeadCountsUnderTheProcessWithoutFinerDimensions(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 2})
	for _, f := range []string{"a", "b", "c", "d"} {
		h.Matrix(heat.Key{POM: "goroutine.create", Process: "1-1", Function: f}).Add(noon, 0, 1, 1, 1)
	}
	if got := h.Total("goroutine.create"); got != 4 {
		t.Errorf("total is %d, want 4", got)
	}
	if got := len(h.Keys("goroutine.create", nil)); got != 3 {
		t.Errorf("%d series, want two functions and one for the rest", got)
	}
}

func TestAForgottenSeriesStillCounts(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10})
	k := heat.Key{POM: "gc.stw", Process: "1-1"}
	h.Matrix(k).Add(noon, 1, 9, 9, 1)
	nobody := func(heat.Key) bool { return false }
	h.Advance(noon.Add(time.Minute))
	h.Forget(nobody)
	if len(h.Keys("gc.stw", nil)) != 1 {
		t.Error("forgotten while it has hits in the last hour")
	}
	h.Advance(noon.Add(2 * time.Hour))
	h.Forget(nobody)
	if len(h.Keys("gc.stw", nil)) != 0 {
		t.Error("not forgotten after two hours")
	}
	if got := h.Total("gc.stw"); got != 9 {
		t.Errorf("total is %d, want 9", got)
	}
}

func TestARangeOfTenYearsWalksOnlyWhatIsKept(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10})
	h.Matrix(heat.Key{POM: "gc.stw"}).Add(noon, 1, 1, 1, 1)
	h.Advance(noon.Add(10 * time.Second))
	s, err := h.Query(heat.Request{POM: "gc.stw", From: noon.AddDate(-10, 0, 0), To: noon.AddDate(10, 0, 0), Step: time.Second})
	if err != nil || len(s) != 1 || len(s[0].Columns) != 1 {
		t.Errorf("got %v, %v", s, err)
	}
}

// The hits of a process that has ended make room for those of one that lives.
func TestACrowdedHeadFoldsWhatHasEnded(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 8})
	key := func(process, function string) heat.Key {
		return heat.Key{POM: "goroutine.create", Process: process, Service: "shop", Function: function}
	}
	now := noon
	hit := func(k heat.Key, n uint64) { h.Matrix(k).Add(now, 10, n, 100*n, 150) }
	for range 3 {
		for i, f := range []string{"a", "b", "c", "d"} {
			hit(key("old", f), uint64(1+i))
		}
		now = now.Add(10 * time.Second)
		h.Advance(now)
	}
	for _, f := range []string{"a", "b", "c"} {
		hit(key("older", f), 1) // is hit later than old
	}
	hit(key("alive", "a"), 1)
	if h.Crowded() {
		t.Fatal("crowded with 8 of 8 series")
	}
	hit(key("alive", "b"), 5)
	if !h.Crowded() {
		t.Fatal("not crowded when a series was turned away")
	}
	before := columns(t, h, nil)
	if !h.Forget(func(k heat.Key) bool { return k.Process == "alive" }) {
		t.Fatal("nothing was folded")
	}
	if diff := cmp.Diff(before, columns(t, h, nil)); diff != "" {
		t.Errorf("columns have changed: %s", diff)
	}
	if got, want := h.Total("goroutine.create"), uint64(3*10+3+6); got != want {
		t.Errorf("total is %d, want %d", got, want)
	}
	functions := func(process string) []string {
		return h.Values("goroutine.create", "function", []heat.Matcher{{Dimension: "process", Values: []string{process}}}, noon.Add(-time.Hour), now.Add(time.Hour))
	}
	if got := functions("old"); !cmp.Equal(got, []string{"a", "b", "c", "d"}) {
		t.Errorf("the past knows functions %q of old, must know as many as before", got)
	}
	if got := h.Holding().Series; got > 6 {
		t.Errorf("%d series are left", got)
	}
	hit(key("alive", "b"), 7)
	if got := functions("alive"); !cmp.Equal(got, []string{"a", "b"}) {
		t.Errorf("alive has functions %q, must have room for both", got)
	}
	// Later seconds of what was folded are sealed as others are.
	now = now.Add(20 * time.Second)
	h.Advance(now)
	if got, want := h.Total("goroutine.create"), uint64(3*10+3+6+7); got != want {
		t.Errorf("total is %d after a while, want %d", got, want)
	}
}

// A machine whose processes come and go: each leaves a series, and no more than
// the head has room for are kept.
func TestACrowdedHeadForgetsWhichProcessHasEnded(t *testing.T) {
	const most = 8
	h := heat.NewHead(noon, heat.Limits{Series: most})
	now, hits := noon, uint64(0)
	for i := range 20 * most {
		process := fmt.Sprint(i)
		h.Matrix(heat.Key{POM: "goroutine.create", Process: process, Service: "job", Version: "1"}).Add(now, 10, 1, 100, 100)
		hits++
		now = now.Add(time.Second)
		h.Advance(now)
		h.Forget(func(k heat.Key) bool { return k.Process == process })
		if n := h.Holding().Series; n > most+1 {
			t.Fatalf("%d series after %d processes, at most %d", n, i+1, most+1)
		}
	}
	if got := h.Total("goroutine.create"); got != hits {
		t.Errorf("total is %d, want %d", got, hits)
	}
	sum := uint64(0)
	for _, c := range columns(t, h, nil) {
		sum += c.Histogram().Count()
	}
	if want := uint64(120); sum != want { // of the two minutes that columns asks for
		t.Errorf("the columns have %d hits, want %d", sum, want)
	}
}

// columns is all that a head has, second by second.
func columns(t *testing.T, h *heat.Head, groupBy []string) []heat.Column {
	t.Helper()
	series, err := h.Query(heat.Request{POM: "goroutine.create", From: noon.Add(-time.Minute), To: noon.Add(2 * time.Minute), Step: time.Second, GroupBy: groupBy})
	if err != nil {
		t.Fatal(err)
	}
	return series[0].Columns
}
