package ingest

import (
	"bytes"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// What is seen of each garbage collection is held against what the target's
// runtime prints of it: GODEBUG=gctrace=1.

// collection is one as the runtime prints it.
type collection struct {
	mark printed
	// cycle is all three phases.
	cycle [3]printed
	// In MiB, as printed: marked heap, and goal.
	marked, goal uint64
}

// printed is a duration that the runtime has cut to some digits.
type printed struct{ least, most time.Duration }

// Time of its own that a stop of the world takes before it says when it began:
// the runtime prints the time before, and hands over the time after.
const stopSlack = 100 * time.Microsecond

func (p printed) fits(seen time.Duration) bool {
	return seen >= p.least-stopSlack && seen <= p.most+stopSlack
}

var traceLine = regexp.MustCompile(`(?m)^gc \d+ @\S+s \d+%: ([\d.]+)\+([\d.]+)\+([\d.]+) ms clock, .* ms cpu, \d+->\d+->(\d+) MB, (\d+) MB goal`)

func parseTrace(t *testing.T, text string) (all []collection) {
	t.Helper()
	for _, m := range traceLine.FindAllStringSubmatch(text, -1) {
		var c collection
		for i := range c.cycle {
			ms, err := strconv.ParseFloat(m[i+1], 64)
			if err != nil {
				t.Fatal(err)
			}
			unit := time.Millisecond
			_, decimals, _ := strings.Cut(m[i+1], ".")
			for range decimals {
				unit /= 10
			}
			least := time.Duration(ms * float64(time.Millisecond))
			c.cycle[i] = printed{least, least + unit}
		}
		c.mark = c.cycle[1]
		for i, into := range []*uint64{&c.marked, &c.goal} {
			n, err := strconv.ParseUint(m[i+4], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			*into = n
		}
		all = append(all, c)
	}
	return all
}

// whole is an event as a long one, without extras where it has none.
func whole(e *bpf.KernelEvent, extra *extras) bpf.KernelLongEvent {
	l := bpf.KernelLongEvent{Event: *e}
	if extra != nil {
		l.Extra = *extra
	}
	return l
}

// eventsInRing returns what nobody has read yet, and leaves it there.
func (a *agent) eventsInRing() (events []bpf.KernelLongEvent) {
	a.t.Helper()
	r, err := openRing(a.kernel.Events)
	if err != nil {
		a.t.Fatal(err)
	}
	begin := r.position()
	if err := r.read(r.end(), func(record []byte) {
		e, extra, err := decode(record)
		if err != nil {
			a.t.Error(err)
			return
		}
		events = append(events, whole(e, extra))
	}); err != nil {
		a.t.Error(err)
	}
	atomic.StoreUint64(r.consumed, begin)
	if err := r.close(); err != nil {
		a.t.Error(err)
	}
	return events
}

func TestCollectionsAreThoseThatTheRuntimeTraces(t *testing.T) {
	for _, b := range builds() {
		t.Run(b.name, func(t *testing.T) {
			var trace bytes.Buffer
			program := target.StartTo(t, &trace, target.Build(t, b.release, b.flags...), "GODEBUG=gctrace=1")
			a := watch(t, probe.Options{}, program.PID())
			before := program.Ask("stats")
			after := program.Ask("collect 30")
			program.Freeze()
			var marks, cycles, begins, ends []bpf.KernelLongEvent
			for _, e := range a.eventsInRing() {
				switch bpf.KernelPoint(e.Event.Key.Point) {
				case bpf.KernelPointGC_MARK:
					marks = append(marks, e)
				case bpf.KernelPointGC_CYCLE:
					cycles = append(cycles, e)
				case bpf.KernelPointGC_STW:
					switch probe.Catalogue[e.Event.Key.Point].Reason(nil, e.Event.Key.Reason) {
					case "sweep termination":
						begins = append(begins, e)
					case "mark termination":
						ends = append(ends, e)
					}
				}
			}
			a.flush()
			for _, pom := range []string{"gc.cycle", "gc.mark"} {
				a.checkConserved(pom)
			}
			program.Thaw()
			// The runtime says what a collection was before the next may begin, and not sooner.
			program.Ask("collect 1")
			program.Stop()

			collections := parseTrace(t, trace.String())
			n := int(after.NumGC - before.NumGC)
			if len(marks) != n || len(cycles) != n {
				t.Fatalf("%d cycles and %d marks, NumGC has grown by %d", len(cycles), len(marks), n)
			}
			if int64(len(collections)) < after.NumGC {
				t.Fatalf("the runtime says of %d collections, NumGC was %d", len(collections), after.NumGC)
			}
			// The first were before the program was watched.
			collections = collections[before.NumGC:after.NumGC]
			var within int
			for i, c := range collections {
				whole := printed{}
				for _, phase := range c.cycle {
					whole.least += phase.least
					whole.most += phase.most
				}
				if c.mark.fits(time.Duration(marks[i].Event.Value)) && whole.fits(time.Duration(cycles[i].Event.Value)) {
					within++
				} else {
					t.Logf("collection %d: mark %s, cycle %s; the runtime says %v, %v", i, time.Duration(marks[i].Event.Value), time.Duration(cycles[i].Event.Value), c.mark, whole)
				}
				if live := cycles[i].Extra[1] >> 20; live != c.marked {
					t.Errorf("collection %d: the heap is %d MiB at its end, the runtime marked %d MiB", i, live, c.marked)
				}
				if goal := begins[len(begins)-n+i].Extra[2] >> 20; goal != c.goal {
					t.Errorf("collection %d: the goal was %d MiB, the runtime had %d MiB", i, goal, c.goal)
				}
				if begin := begins[len(begins)-n+i]; begin.Extra[3] > begin.Extra[2] || begin.Extra[1] < begin.Extra[3] {
					t.Errorf("collection %d: began at a heap of %d, triggered at %d, for a goal of %d", i, begin.Extra[1], begin.Extra[3], begin.Extra[2])
				}
				if end := ends[len(ends)-n+i]; end.Extra[3] < end.Extra[1] || end.Extra[3] > end.Extra[2] {
					t.Errorf("collection %d: ended at a heap of %d, with the next trigger at %d and the next goal at %d", i, end.Extra[1], end.Extra[3], end.Extra[2])
				}
			}
			// A thread that loses its CPU between two readings of the clock makes the two differ.
			if within < n*9/10 {
				t.Errorf("%d of %d collections took as long as the runtime says", within, n)
			}
		})
	}
}
