package heat_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/gotherm/gotherm/pkg/heat"
)

// plain is a head as one would write it without a thought for memory.
type plain map[heat.Key]map[int64]*heat.Histogram

func (p plain) add(k heat.Key, second int64, bucket int, n, sum, greatest uint64) {
	if p[k] == nil {
		p[k] = map[int64]*heat.Histogram{}
	}
	if p[k][second] == nil {
		p[k][second] = &heat.Histogram{}
	}
	h := p[k][second]
	h.Counts[bucket] += n
	h.Sum += sum
	h.Max = max(h.Max, greatest)
}

// columns is what a head must answer for one group, of the keys that are wanted.
func (p plain) columns(wanted func(heat.Key) bool, from, to, step int64) (columns []heat.Column) {
	sums := map[int64]*heat.Histogram{}
	for k, seconds := range p {
		for second, h := range seconds {
			if wanted(k) && second >= from && second < to {
				start := second - second%step
				if sums[start] == nil {
					sums[start] = &heat.Histogram{}
				}
				sums[start].Add(h)
			}
		}
	}
	for start, h := range sums {
		columns = append(columns, heat.NewColumn(time.Unix(start, 0), h))
	}
	slices.SortFunc(columns, func(a, b heat.Column) int { return a.Start.Compare(b.Start) })
	return columns
}

// Whatever comes in, minutes at rest say what a plain table says, to the second
// and the bucket: packed, and folded too.
func TestThePastSaysWhatAPlainTableSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		limit := rapid.SampledFrom([]int{0, 60_000}).Draw(t, "limit")
		h := heat.NewHead(noon, heat.Limits{Bytes: limit})
		table := plain{}
		seconds := rapid.IntRange(1, 400).Draw(t, "seconds")
		functions := rapid.IntRange(1, 12).Draw(t, "functions")
		seed := rapid.Uint64().Draw(t, "seed")
		random := rand.New(rand.NewPCG(seed, 1))
		for i := range seconds {
			at := noon.Add(time.Duration(i) * time.Second)
			h.Advance(at)
			if random.IntN(20) > 0 { // or it comes late
				h.Pack()
			}
			for range random.IntN(6) {
				k := heat.Key{POM: "sched.latency", Process: fmt.Sprint(random.IntN(3)), Service: "shop", Function: fmt.Sprint("f", random.IntN(functions))}
				bucket, n := random.IntN(heat.NumBuckets), random.Uint64()>>(24+random.UintN(40))+1
				sum, greatest := random.Uint64()>>random.UintN(64), random.Uint64()>>random.UintN(64)
				h.Matrix(k).Add(at, bucket, n, sum, greatest)
				table.add(k, at.Unix(), bucket, n, sum, greatest)
			}
		}
		step := rapid.SampledFrom([]int64{1, 7, 15, 60, 90}).Draw(t, "step")
		from := noon.Unix() + rapid.Int64Range(-10, int64(seconds)).Draw(t, "from")
		to := from + rapid.Int64Range(1, int64(seconds)+20).Draw(t, "to")
		request := heat.Request{POM: "sched.latency", From: time.Unix(from, 0), To: time.Unix(to, 0), Step: time.Duration(step) * time.Second}
		from, to = max(from-from%step, h.Oldest().Unix()), to+(step-to%step)%step
		all, err := h.Query(request)
		if err != nil {
			t.Fatal(err)
		}
		var got []heat.Column
		for _, s := range all {
			got = append(got, s.Columns...)
		}
		if diff := cmp.Diff(table.columns(func(heat.Key) bool { return true }, from, to, step), got); diff != "" {
			t.Fatal(diff)
		}
		if limit != 0 && h.Holding().OfRelease > 0 {
			return
		}
		request.GroupBy = []string{"process"}
		byProcess, err := h.Query(request)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range byProcess {
			want := table.columns(func(k heat.Key) bool { return k.Process == s.Labels["process"] }, from, to, step)
			if diff := cmp.Diff(want, s.Columns); diff != "" {
				t.Fatalf("process %s: %s", s.Labels["process"], diff)
			}
		}
	})
}

// A head that is full says less of the hits of older minutes, and forgets no
// hit; of those that are new it says all.
func TestAFullHeadFoldsItsOldestMinutes(t *testing.T) {
	const limit, minutes = 300_000, 20
	h := heat.NewHead(noon, heat.Limits{Bytes: limit})
	hits := uint64(0)
	var holding heat.Holding
	at := noon
	for second := range minutes * 60 {
		at = noon.Add(time.Duration(second) * time.Second)
		h.Advance(at)
		h.Pack()
		for process := range 5 {
			for function := range 10 {
				k := heat.Key{POM: "goroutine.create", Process: fmt.Sprint(process), Service: "shop", Node: heat.NodeKey(process % 2), Function: fmt.Sprint(function)}
				h.Matrix(k).Add(at, 10+function, 1, 100, 100)
				hits++
			}
		}
		if second%60 == 0 {
			// A minute more may be there, which is packed with the next second.
			if holding = h.Holding(); holding.Bytes > limit*5/4 {
				t.Fatalf("%d bytes after %d s, at most %d", holding.Bytes, second, limit)
			}
		}
	}
	if holding.Fine == 0 || holding.OfPlaces == 0 || holding.Fine+holding.OfPlaces+holding.OfProcess+holding.OfRelease < minutes-2 {
		t.Errorf("holds %+v of %d minutes: some must be fine, some folded, none missing", holding, minutes)
	}
	count := func(matchers ...heat.Matcher) (n uint64) {
		series, err := h.Query(heat.Request{POM: "goroutine.create", From: noon, To: at.Add(time.Second), Step: time.Minute, Matchers: matchers})
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range series {
			for _, c := range s.Columns {
				n += c.Histogram().Count()
			}
		}
		return n
	}
	if got := count(); got != hits {
		t.Errorf("%d hits are in the past, want %d", got, hits)
	}
	ofFunction := count(heat.Matcher{Dimension: "function", Values: []string{"3"}})
	if got := count(heat.Matcher{Dimension: "node", Values: []string{"1"}}); got <= 4*ofFunction {
		t.Errorf("%d hits have node 1, and %d function 3, of four times as many: functions must go before nodes", got, ofFunction)
	}
	if ofFunction == 0 || ofFunction >= hits/10 {
		t.Errorf("%d hits have function 3, of %d: only the newer must have", ofFunction, hits/10)
	}
}

// Processes without number: what can't be said of each is said of all, and what
// is forgotten at last is the oldest.
func TestAHeadThatIsTooSmallForgetsTheOldestMinutes(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Series: 10, Bytes: 100_000})
	at := noon
	for second := range 30 * 60 {
		at = noon.Add(time.Duration(second) * time.Second)
		h.Advance(at)
		h.Pack()
		for pom := range 8 {
			h.Matrix(heat.Key{POM: fmt.Sprint("pom ", pom), Process: fmt.Sprint(second), Service: "job"}).Add(at, rand.IntN(heat.NumBuckets), 1, 5, 5)
		}
		if second%5 == 0 {
			h.Forget(func(k heat.Key) bool { return k.Process == fmt.Sprint(second) })
		}
	}
	holding := h.Holding()
	if holding.OfRelease == 0 || holding.Bytes > 250_000 {
		t.Errorf("holds %+v", holding)
	}
	if oldest := h.Oldest(); !oldest.After(noon) || oldest.After(at.Add(-2*time.Minute)) {
		t.Errorf("remembers from %s on, after half an hour", oldest.UTC())
	}
	for pom := range 8 {
		if got := h.Total(fmt.Sprint("pom ", pom)); got != 30*60 {
			t.Errorf("point %d has %d hits, want %d", pom, got, 30*60)
		}
	}
	series, err := h.Query(heat.Request{POM: "pom 3", From: h.Oldest(), To: at.Add(time.Second), Step: time.Second})
	if err != nil || len(series) != 1 || len(series[0].Columns) != int(at.Add(time.Second).Sub(h.Oldest())/time.Second) {
		t.Errorf("not every second since %s has its hit: %v", h.Oldest().UTC(), err)
	}
}

// Packing goes on beside the sealing of what comes in.
func TestNothingIsLostWhileMinutesArePacked(t *testing.T) {
	h := heat.NewHead(noon, heat.Limits{Bytes: 30_000})
	var wg sync.WaitGroup
	done := make(chan struct{})
	wg.Go(func() {
		for {
			select {
			case <-done:
				return
			default:
				h.Pack()
			}
		}
	})
	const seconds = 3000
	for second := range seconds {
		at := noon.Add(time.Duration(second) * time.Second)
		h.Advance(at)
		h.Matrix(heat.Key{POM: "gc.stw", Process: fmt.Sprint(second % 7)}).Add(at, second%100, 1, 1, 1)
	}
	close(done)
	wg.Wait()
	h.Pack()
	first := max(0, int(h.Oldest().Sub(noon)/time.Second))
	if got := sum(t, h, noon, noon.Add(seconds*time.Second)).Count(); got != uint64(seconds-first) {
		t.Errorf("%d hits since second %d, want %d; %+v", got, first, seconds-first, h.Holding())
	}
	if h.Holding().Fine+h.Holding().OfPlaces+h.Holding().OfProcess+h.Holding().OfRelease == 0 {
		t.Errorf("packed to %+v: nothing was proved", h.Holding())
	}
}
