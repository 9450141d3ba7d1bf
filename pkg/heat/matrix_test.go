package heat_test

import (
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// sum is all that a head has in [from, to) of the point that these tests hit.
func sum(t testing.TB, h *heat.Head, from, to time.Time) *heat.Histogram {
	t.Helper()
	series, err := h.Query(heat.Request{POM: "gc.stw", From: from, To: to, Step: time.Second})
	if err != nil {
		t.Fatal(err)
	}
	all := &heat.Histogram{}
	for _, s := range series {
		for _, c := range s.Columns {
			all.Add(c.Histogram())
		}
	}
	return all
}

var stw = heat.Key{POM: "gc.stw", Service: "shop"}

func TestAHitIsSeenInItsSecondBeforeAndAfterTheColumnIsSealed(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{})
	h.Matrix(stw).Add(noon, 10, 3, 600, 250)
	for _, now := range []time.Time{noon, noon.Add(3 * time.Second), noon.Add(10 * time.Second), noon.Add(59 * time.Minute)} {
		h.Advance(now)
		if got := sum(t, h, noon, noon.Add(time.Second)); got.Counts[10] != 3 || got.Sum != 600 || got.Max != 250 {
			t.Errorf("at %s: count %d, sum %d, max %d, want 3, 600, 250", now, got.Counts[10], got.Sum, got.Max)
		}
	}
	h.Advance(noon.Add(2 * time.Hour))
	if got := sum(t, h, noon, noon.Add(time.Second)).Count(); got != 0 {
		t.Errorf("after two hours the second still has %d hits", got)
	}
	if got := h.Total("gc.stw"); got != 3 {
		t.Errorf("total is %d, want 3: forgetting a column does not uncount it", got)
	}
}

func TestALateHitFallsInTheOldestOpenSecond(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{})
	m := h.Matrix(stw)
	h.Advance(noon.Add(time.Minute))
	m.Add(noon, 1, 1, 1, 1)
	oldest := noon.Add(56 * time.Second)
	if got := sum(t, h, oldest, oldest.Add(time.Second)).Count(); got != 1 {
		t.Errorf("oldest open second has %d hits, want 1", got)
	}
}

func TestASleepOfDaysKeepsTheTotal(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{})
	m := h.Matrix(stw)
	m.Add(noon, 1, 5, 5, 1)
	h.Advance(noon.Add(72 * time.Hour))
	m.Add(noon.Add(72*time.Hour), 1, 2, 2, 1)
	h.Advance(noon.Add(73 * time.Hour))
	if got := h.Total("gc.stw"); got != 7 {
		t.Errorf("total is %d, want 7", got)
	}
	if got := sum(t, h, noon.Add(72*time.Hour), noon.Add(73*time.Hour)).Count(); got != 2 {
		t.Errorf("%d hits are in the hour after waking, want 2", got)
	}
}

func TestNoHitIsLostWhileColumnsAreSealedUnderTheWriters(t *testing.T) {
	const writers, each = 4, 50_000
	h := heat.NewHead(noon, heat.Limits{})
	m := h.Matrix(stw)
	var wg sync.WaitGroup
	for range writers {
		wg.Go(func() {
			for i := range each {
				// Seconds before, in and after what is open.
				at := noon.Add(time.Duration(i/50+rand.IntN(20)-10) * time.Second)
				m.Add(at, rand.IntN(heat.NumBuckets), 1, 1, 1)
			}
		})
	}
	done := make(chan struct{})
	go func() { wg.Wait(); close(done) }()
	now := noon
	for running := true; running; {
		select {
		case <-done:
			running = false
		default:
		}
		now = now.Add(time.Second)
		h.Advance(now)
	}
	if got := m.Total(); got != writers*each {
		t.Errorf("total is %d, want %d", got, writers*each)
	}
}

func BenchmarkMatrixAdd(b *testing.B) {
	m := heat.NewMatrix(noon)
	b.RunParallel(func(pb *testing.PB) {
		for i := uint64(0); pb.Next(); i++ {
			m.Add(noon, heat.Bucket(i&0xfffff), 1, i, i)
		}
	})
}

// Most series are hit in few seconds: B/op is what one takes.
func BenchmarkSeriesThatIsHitOnce(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		m := heat.NewMatrix(noon)
		m.Add(noon, 100, 1, 1000, 1000)
	}
}
