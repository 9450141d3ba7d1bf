package ingest

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

const (
	// tailPeriod is how often counters are read while there is a tail, and so how
	// often it has a batch, where that is cheap: see [Ingest.sweep].
	tailPeriod = 100 * time.Millisecond
	// tailPatience is how long a batch waits for an event.
	tailPatience = time.Second
	// tailBatches is how many batches wait for a reader before the next is lost.
	tailBatches = 10
)

// Tail is the hits of a point that pass matchers, as they come.
//
// The ring carries some hits as events, and the others are counted; what was
// counted is known when the counters are swept. So a batch ends with a sweep,
// and has all hits that were learnt of since the sweep before:
//
//	ring ──▶ event event event ┐
//	                           ├ sweep: batch of 3 events, 3 + 40 hits
//	counters ─────────────▶ 40 ┘
//
// Each hit is in the hits of one batch, whether or not an event shows it. Which
// hits the ring carries is a matter of pace: see gotherm.h. Which of these
// become events, where they are too many, is a matter of chance, the same for
// each of a batch. All fields below rate belong to who holds the ingest's mu.
type Tail struct {
	ingest   *Ingest
	pom      string
	matchers []heat.Matcher
	batches  chan Batch
	// rate is how many events there may be in a second.
	rate int

	// from is where the batch begins; zero before the first sweep, which reads
	// what was counted before there was a tail.
	from time.Time
	hits uint64
	// carried is how many of the hits the ring has carried. kept is a sample of
	// these, of rate at most.
	carried uint64
	kept    []Event

	lostBatches, lostHits uint64
}

// Event is one hit that the ring has carried.
type Event struct {
	// Key is shared by the events of a series, and not to be changed.
	Key   *heat.Key
	Time  time.Time
	Value uint64
	heat.Goroutine
	// Extra is what else the point's events carry.
	Extra [4]uint64
}

// Batch is what came in a while.
type Batch struct {
	From, To time.Time
	// Hits are all that were learnt of. Each event stands for Hits / len(Events) of them.
	Hits uint64
	// Events are in order of time.
	Events []Event
	// LostBatches is how many were made since the one before and lost, for the
	// reader was slow; LostHits is their hits.
	LostBatches, LostHits uint64
}

// Tail begins a tail of at most so many events a second. Who reads its
// batches must close it.
func (i *Ingest) Tail(pom string, matchers []heat.Matcher, rate int) (*Tail, error) {
	if _, err := probe.PointNumber(pom); err != nil {
		return nil, err
	}
	t := &Tail{ingest: i, pom: pom, matchers: matchers, rate: rate, batches: make(chan Batch, tailBatches)}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.tails = append(i.tails, t)
	i.tailsChanged++
	return t, nil
}

// Batches come ten times a second, or as often as there is an event, but at
// least once a second. A reader that is slow loses some: see [Batch].
func (t *Tail) Batches() <-chan Batch { return t.batches }

// Close ends the tail. Closing twice is safe.
func (t *Tail) Close() {
	t.ingest.mu.Lock()
	defer t.ingest.mu.Unlock()
	t.ingest.tails = slices.DeleteFunc(t.ingest.tails, func(one *Tail) bool { return one == t })
	t.ingest.tailsChanged++
	t.kept = nil // series may know the tail for longer
}

// tailsOf returns the tails that a series is in.
func (i *Ingest) tailsOf(s *series) []*Tail {
	if s.tailsChanged != i.tailsChanged {
		s.tailsChanged, s.tails = i.tailsChanged, nil
		for _, t := range i.tails {
			if t.has(&s.key) {
				s.tails = append(s.tails, t)
			}
		}
	}
	return s.tails
}

func (t *Tail) has(key *heat.Key) bool { return t.pom == key.POM && key.Matches(t.matchers) }

// tailEvent gives an event of a series to its tails.
func (i *Ingest) tailEvent(e *bpf.KernelEvent, extra *extras, s *series, wall int64) {
	for _, t := range i.tailsOf(s) {
		if place := t.place(); place != nil {
			*place = Event{Key: &s.key, Time: time.Unix(0, wall), Value: e.Value, Goroutine: i.goroutine(e, s)}
			if extra != nil {
				place.Extra = *extra
			}
		}
	}
}

// place counts an event, and returns where to keep it; nil when chance is
// against it. What is kept is a uniform sample at any time (Algorithm R:
// Vitter, Random Sampling with a Reservoir, ACM TOMS 11, 1985).
func (t *Tail) place() *Event {
	if t.from.IsZero() {
		return nil
	}
	t.hits++
	t.carried++
	if len(t.kept) < t.rate {
		t.kept = append(t.kept, Event{})
		return &t.kept[len(t.kept)-1]
	}
	if at := rand.Uint64N(t.carried); at < uint64(len(t.kept)) {
		return &t.kept[at]
	}
	return nil
}

// tailCounted gives n counted hits to the tails that the key is in.
func (i *Ingest) tailCounted(key *heat.Key, n uint64) {
	for _, t := range i.tails {
		if !t.from.IsZero() && t.has(key) {
			t.hits += n
		}
	}
}

// endBatches ends the batches of all tails; all counters have just been read.
func (i *Ingest) endBatches(now time.Time) {
	for _, t := range i.tails {
		t.end(now)
	}
}

func (t *Tail) end(now time.Time) {
	if t.from.IsZero() {
		t.from = now
		return
	}
	took := now.Sub(t.from)
	allowed := min(len(t.kept), int(float64(t.rate)*took.Seconds()))
	if allowed == 0 && took < tailPatience {
		return
	}
	b := Batch{From: t.from, To: now, Hits: t.hits, Events: sample(t.kept, allowed), LostBatches: t.lostBatches, LostHits: t.lostHits}
	slices.SortFunc(b.Events, func(x, y Event) int { return x.Time.Compare(y.Time) })
	t.from, t.hits, t.carried = now, 0, 0
	t.kept = make([]Event, 0, min(t.rate, 2*allowed))
	select {
	case t.batches <- b:
		t.lostBatches, t.lostHits = 0, 0
	default:
		t.lostBatches++
		t.lostHits += b.Hits
	}
}

// sample returns n of the events, each set of n as likely as any other. It changes their order.
func sample(events []Event, n int) []Event {
	if n == len(events) {
		return events
	}
	for i := range n {
		j := i + rand.IntN(len(events)-i)
		events[i], events[j] = events[j], events[i]
	}
	return slices.Clone(events[:n])
}
