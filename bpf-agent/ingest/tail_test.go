package ingest

import (
	"context"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// run reads the kernel as the agent does, until the test ends.
func (a *agent) run() {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.ingest.Run(ctx) }()
	a.t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			a.t.Errorf("run: %v", err)
		}
	})
}

func (a *agent) tail(pom string, rate int, matchers ...heat.Matcher) *Tail {
	a.t.Helper()
	tail, err := a.ingest.Tail(pom, matchers, rate)
	if err != nil {
		a.t.Fatal(err)
	}
	a.t.Cleanup(tail.Close)
	return tail
}

// tailed is what came of a tail.
type tailed struct{ hits, events, weighed, batches uint64 }

// follow reads a tail until it has so many hits, and checks each batch.
func (a *agent) follow(tail *Tail, want uint64, check func(*Event)) tailed {
	a.t.Helper()
	var got tailed
	var to time.Time
	late := time.After(20 * time.Second)
	for got.hits < want {
		select {
		case b := <-tail.Batches():
			if !to.IsZero() && !b.From.Equal(to) {
				a.t.Errorf("a batch begins at %s, the one before ended at %s", b.From, to)
			}
			to = b.To
			if most := float64(tail.rate) * max(1, b.To.Sub(b.From).Seconds()); float64(len(b.Events)) > most {
				a.t.Errorf("%d events in %s, at most %d a second", len(b.Events), b.To.Sub(b.From), tail.rate)
			}
			for i := range b.Events {
				check(&b.Events[i])
				if i > 0 && b.Events[i].Time.Before(b.Events[i-1].Time) {
					a.t.Errorf("event %d is of before the one before it", i)
				}
			}
			got.batches++
			got.hits += b.Hits + b.LostHits
			got.events += uint64(len(b.Events))
			if len(b.Events) > 0 {
				got.weighed += b.Hits
			}
		case <-late:
			a.t.Fatalf("waited in vain for %d hits: %+v", want, got)
		}
	}
	if got.hits != want {
		a.t.Errorf("the tail has %d hits, there were %d", got.hits, want)
	}
	return got
}

func TestATailHasEachHitOnceHoweverFewTheRingCarries(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	pid := program.PID()
	a := watch(t, probe.Options{}, pid)
	a.attach(pid, "sched.latency.exact", time.Minute)
	a.rateLimit(pid, time.Millisecond)
	program.Ask("stats")
	program.Freeze()
	a.flush()
	before := a.accounting("sched.latency.exact").Hits
	process := a.status(pid).Process

	tail := a.tail("sched.latency.exact", 2_000)
	nobody := a.tail("sched.latency.exact", 2_000, heat.Matcher{Dimension: "process", Values: []string{"1-1"}})
	a.run()
	// The first batch says that the tail has begun.
	if b := <-tail.Batches(); b.Hits != 0 {
		t.Errorf("the first batch of a frozen process has %d hits", b.Hits)
	}
	program.Thaw()
	for range 10 {
		program.Ask("switch 500")
	}
	program.Freeze()
	defer program.Thaw()
	hits := a.accounting("sched.latency.exact").Hits - before
	functions := map[string]int{}
	got := a.follow(tail, hits, func(e *Event) {
		functions[e.StartFunction]++
		if e.Key.Process != process.ID || e.Key.POM != "sched.latency.exact" || e.Key.Function != e.StartFunction {
			t.Errorf("an event is of %+v, started with %q", e.Key, e.StartFunction)
		}
		if since := time.Since(e.Time); since < 0 || since > time.Minute || e.Value == 0 {
			t.Errorf("an event of %d ns was %s ago", e.Value, since)
		}
	})
	t.Logf("%+v, of functions %v", got, functions)
	if got.events == 0 || got.events > hits/2 {
		t.Errorf("%d events of %d hits: want few", got.events, hits)
	}
	if len(functions) < 2 {
		t.Errorf("all events are of the functions %v", functions)
	}
	for len(nobody.Batches()) > 0 {
		if b := <-nobody.Batches(); b.Hits != 0 || len(b.Events) != 0 {
			t.Errorf("a process that is not has %d hits", b.Hits)
		}
	}
	a.checkConserved("sched.latency.exact")
}

// handTail is a tail that the test itself gives events.
func handTail(rate int) (*Tail, *series) {
	i := &Ingest{}
	tail, err := i.Tail("sched.latency", nil, rate)
	if err != nil {
		panic(err)
	}
	return tail, &series{key: heat.Key{POM: "sched.latency", Process: "7-70"}}
}

func (t *Tail) give(s *series, values ...uint64) {
	for _, v := range values {
		t.ingest.tailEvent(&bpf.KernelEvent{Value: v, Goid: 1}, nil, s, int64(v))
	}
}

func TestEachEventOfABatchHasTheSameChance(t *testing.T) {
	const rate, offered, rounds = 1000, 5000, 400
	tail, s := handTail(rate)
	now := time.Unix(1_800_000_000, 0)
	tail.end(now)
	var tenths [10]int
	for range rounds {
		for v := range uint64(offered) {
			tail.give(s, v)
		}
		tail.ingest.tailCounted(&s.key, 7)
		now = now.Add(100 * time.Millisecond)
		tail.end(now)
		b := <-tail.Batches()
		if len(b.Events) != rate/10 || b.Hits != offered+7 {
			t.Fatalf("%d events of %d hits, want %d of %d", len(b.Events), b.Hits, rate/10, offered+7)
		}
		seen := map[uint64]bool{}
		for _, e := range b.Events {
			seen[e.Value] = true
			tenths[e.Value*10/offered]++
		}
		if len(seen) != len(b.Events) {
			t.Fatalf("of %d events %d differ", len(b.Events), len(seen))
		}
	}
	// Six standard deviations of a binomial: once in 10^8 runs.
	const mean, width = rounds * rate / 100, 6 * 60
	for i, n := range tenths {
		if n < mean-width || n > mean+width {
			t.Errorf("%d events are of tenth %d of the batches, want %d +- %d", n, i, mean, width)
		}
	}
}

func TestAReaderThatIsSlowLosesBatchesAndIsToldOfWhatWasInThem(t *testing.T) {
	tail, s := handTail(1000)
	now := time.Unix(1_800_000_000, 0)
	tail.end(now)
	const batches = tailBatches + 3
	for range batches {
		tail.give(s, 1, 2, 3)
		tail.ingest.tailCounted(&s.key, 100)
		now = now.Add(100 * time.Millisecond)
		tail.end(now) // does not wait
	}
	var hits, lost uint64
	for range tailBatches {
		hits += (<-tail.Batches()).Hits
	}
	tail.give(s, 1)
	tail.end(now.Add(100 * time.Millisecond))
	last := <-tail.Batches()
	hits, lost = hits+last.Hits, last.LostHits
	if last.LostBatches != 3 || hits != tailBatches*103+1 || lost != 3*103 {
		t.Errorf("%d hits came, and %d batches of %d hits were lost, want %d, 3 and %d", hits, last.LostBatches, lost, tailBatches*103+1, 3*103)
	}
}

func TestABatchWaitsForAnEventForASecond(t *testing.T) {
	tail, s := handTail(5)
	now := time.Unix(1_800_000_000, 0)
	after := func(d time.Duration) int {
		now = now.Add(d)
		tail.end(now)
		return len(tail.Batches())
	}
	after(0)
	tail.ingest.tailCounted(&s.key, 10)
	if n := after(900 * time.Millisecond); n != 0 {
		t.Errorf("%d batches without an event", n)
	}
	tail.give(s, 1)
	if n := after(10 * time.Millisecond); n != 1 {
		t.Fatalf("%d batches when there is an event, want 1", n)
	}
	if b := <-tail.Batches(); b.Hits != 11 || len(b.Events) != 1 {
		t.Errorf("%d events of %d hits, want 1 of 11", len(b.Events), b.Hits)
	}
	// Five a second: the next may come after 200 ms.
	tail.give(s, 1, 2, 3)
	if n := after(100 * time.Millisecond); n != 0 {
		t.Errorf("%d batches before an event is due", n)
	}
	if n := after(100 * time.Millisecond); n != 1 {
		t.Errorf("%d batches when an event is due, want 1", n)
	}
	if b := <-tail.Batches(); b.Hits != 3 || len(b.Events) != 1 {
		t.Errorf("%d events of %d hits, want 1 of 3", len(b.Events), b.Hits)
	}
	tail.ingest.tailCounted(&s.key, 10)
	if n := after(time.Second); n != 1 {
		t.Errorf("%d batches after a second without an event, want 1", n)
	}
}
