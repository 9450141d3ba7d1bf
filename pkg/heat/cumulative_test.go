package heat_test

import (
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

func TestWhatIsCumulativeOutlivesItsColumns(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10})
	k := heat.Key{POM: "gc.stw", Process: "1-1"}
	h.Matrix(k).Add(noon, 20, 3, 2100, 700)
	h.Advance(noon.Add(3 * time.Hour))
	h.Matrix(k).Add(noon.Add(3*time.Hour), 30, 1, 1500, 1500)
	var got []heat.Histogram
	h.Cumulative("gc.stw", func(of heat.Key, sum *heat.Histogram) {
		if of != k {
			t.Errorf("got a series %v", of)
		}
		got = append(got, *sum)
	})
	if len(got) != 1 || got[0].Counts[20] != 3 || got[0].Counts[30] != 1 || got[0].Sum != 3600 || got[0].Max != 1500 {
		t.Errorf("got %v", got)
	}
}

// A counter that is seen to go down is taken for a restart, and counted twice.
func TestACumulativeCountNeverGoesDownWhileColumnsAreSealedAndEvicted(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{})
	m := h.Matrix(stw)
	stop := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		now := noon
		for {
			select {
			case <-stop:
				return
			default:
			}
			// A jump of an hour evicts all there is.
			now = now.Add(time.Hour)
			m.Add(now, 7, 5, 50, 10)
			h.Advance(now)
		}
	})
	var last uint64
	for i := 0; i < 2_000 || last < 500; i++ { // until the writer has had its turns too
		n := m.Cumulative().Counts[7]
		if n < last {
			t.Errorf("count was %d and is %d", last, n)
			break
		}
		last = n
	}
	close(stop)
	wg.Wait()
}

func TestWhatIsBeforeSealedNeverChanges(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10})
	k := heat.Key{POM: "gc.stw"}
	h.Matrix(k).Add(noon, 1, 1, 1, 1)
	h.Advance(noon.Add(20 * time.Second))
	sealed := h.Sealed()
	if !sealed.After(noon) || !sealed.Before(noon.Add(20*time.Second)) {
		t.Fatalf("sealed until %s", sealed.UTC())
	}
	// Hits for seconds long past, to a series that was there and to one that is new.
	h.Matrix(k).Add(noon, 1, 5, 5, 1)
	h.Matrix(heat.Key{POM: "gc.stw", Process: "2-2"}).Add(noon, 1, 5, 5, 1)
	got, err := h.Query(heat.Request{POM: "gc.stw", From: noon, To: sealed, Step: time.Second})
	if err != nil || len(got) != 1 || len(got[0].Columns) != 1 || got[0].Columns[0].Counts[0] != 1 {
		t.Errorf("got %v, %v, want the one hit that came in time", got, err)
	}
}

func TestValuesAreThoseHitInTheRange(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10})
	h.Matrix(heat.Key{POM: "gc.stw", Service: "shop", Reason: "mark termination"}).Add(noon, 1, 1, 1, 1)
	h.Matrix(heat.Key{POM: "gc.stw", Service: "shop", Reason: "read mem stats"}).Add(noon.Add(3*time.Second), 1, 1, 1, 1)
	h.Matrix(heat.Key{POM: "gc.stw", Service: "till", Reason: "GOMAXPROCS"}).Add(noon, 1, 1, 1, 1)
	shop := []heat.Matcher{{Dimension: "service", Values: []string{"shop"}}}
	for _, c := range []struct {
		name     string
		matchers []heat.Matcher
		for_     time.Duration
		want     []string
	}{
		{"all", nil, time.Minute, []string{"GOMAXPROCS", "mark termination", "read mem stats"}},
		{"the first two seconds", nil, 2 * time.Second, []string{"GOMAXPROCS", "mark termination"}},
		{"shop", shop, time.Minute, []string{"mark termination", "read mem stats"}},
	} {
		if got := h.Values("gc.stw", "reason", c.matchers, noon, noon.Add(c.for_)); !slices.Equal(got, c.want) {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := h.Values("gc.stw", "function", nil, noon, noon.Add(time.Minute)); len(got) != 0 {
		t.Errorf("function: %q, want none", got)
	}
}
