package stages

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"time"

	"golang.org/x/exp/trace"

	"github.com/gotherm/gotherm/pkg/heat"
)

// defaultPeriod is the CPU time of a sample at the usual 100 in a second.
const defaultPeriod = 10 * time.Millisecond

// attributePrefix begins the category of a log that is a stage's attribute, as
// pkg/instrument writes it.
const attributePrefix = "stage."

// maxHeap is more than a heap can have.
const maxHeap = 1 << 48

// Fuse reads an execution trace, of Go 1.22 or later, to its end. One that is
// cut off or broken is an error, and so is one that exceeds a limit.
func Fuse(r io.Reader, limits Limits) (*Report, error) {
	f := &fusion{books: newBooks(limits)}
	f.goroutines = goroutines{f.books, map[trace.GoID]*goroutine{}, 0}
	if err := f.read(r); err != nil {
		return nil, fmt.Errorf("read execution trace: %w", err)
	}
	f.books.close()
	return f.report(), nil
}

type fusion struct {
	books      *books
	goroutines goroutines
	events     uint64
	first      trace.Time
	now        time.Duration // since the first
	began      time.Time
	// heap is the greatest size since the last collection; marked says that a
	// collection is setting it anew.
	heap           uint64
	known, marking bool
}

func (f *fusion) read(from io.Reader) (err error) {
	limits := f.books.limits
	source := newLimited(from, limits)
	// The trace's reader takes bad input for its own mistake in places.
	defer func() {
		if broken := recover(); broken != nil {
			err = fmt.Errorf("it is broken after %d events: %s", f.events, firstLine(broken))
		}
		if source.err != nil {
			err = source.err
		}
	}()
	whole, err := checkHeader(source)
	if err != nil {
		return err
	}
	reader, err := trace.NewReader(whole)
	if err != nil {
		return errors.New(firstLine(err))
	}
	told := false
	for {
		e, err := reader.ReadEvent()
		if err == io.EOF {
			// The trace's reader takes one that ends after a batch of tables for whole.
			if !told {
				return errors.New("it is cut off before its first event")
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("after %d events: %s", f.events, firstLine(err))
		}
		f.events++
		if f.events == 1 {
			f.first = e.Time()
		}
		f.now = time.Duration(e.Time() - f.first)
		if f.now < 0 || f.now > limits.Length {
			return fmt.Errorf("event %d is %s after the first, at most %s", f.events, f.now, limits.Length)
		}
		if e.Kind() == trace.EventSync {
			source.begin()
		} else {
			told = true
		}
		if err := f.take(e); err != nil {
			return err
		}
	}
}

// firstLine is an error of the trace's reader without the state that it was in.
func firstLine(of any) string {
	const most = 200
	line, _, _ := strings.Cut(fmt.Sprint(of), "\n")
	line = strings.TrimRight(strings.ToValidUTF8(line, "\uFFFD"), " :")
	if len(line) > most {
		return strings.ToValidUTF8(line[:most], "") + "…"
	}
	return line
}

// take books an event.
func (f *fusion) take(e trace.Event) error {
	switch e.Kind() {
	case trace.EventSync:
		if clock := e.Sync().ClockSnapshot; clock != nil && f.began.IsZero() {
			f.began = clock.Wall.Add(time.Duration(f.first - clock.Trace))
		}
	case trace.EventStackSample:
		return f.use(e.Goroutine(), Usage{Samples: 1})
	case trace.EventMetric:
		return f.metric(e)
	case trace.EventRangeBegin, trace.EventRangeEnd:
		return f.span(e)
	case trace.EventStateTransition:
		return f.transition(e.Goroutine(), e.StateTransition())
	case trace.EventRegionBegin:
		return f.goroutines.begin(e.Goroutine(), e.Region().Type, f.now)
	case trace.EventRegionEnd:
		return f.goroutines.end(e.Goroutine(), e.Region().Type, f.now)
	case trace.EventTaskBegin:
		return f.goroutines.opened()
	case trace.EventTaskEnd:
		f.goroutines.open--
	case trace.EventLog:
		log := e.Log()
		if log.Category == labelStage {
			return f.goroutines.end(e.Goroutine(), log.Message, f.now)
		}
		if key, ok := strings.CutPrefix(log.Category, attributePrefix); ok {
			return f.goroutines.attribute(e.Goroutine(), key, log.Message)
		}
	}
	return nil
}

func (f *fusion) use(id trace.GoID, u Usage) error {
	s, err := f.goroutines.scope(id)
	if err != nil {
		return err
	}
	return f.books.book(s, f.now, u)
}

// metric books the growth of the heap. Messages of threads at the same time come
// in any order, and a thread gives back what it took too much: only what is more
// than the most so far is new.
func (f *fusion) metric(e trace.Event) error {
	m := e.Metric()
	if m.Name != "/memory/classes/heap/objects:bytes" {
		return nil
	}
	size := m.Value.Uint64()
	if size > maxHeap {
		return fmt.Errorf("event %d says that the heap has %d bytes, at most %d", f.events, size, uint64(maxHeap))
	}
	grown := f.known && !f.marking && size > f.heap
	before := f.heap
	if grown || !f.known || f.marking {
		f.heap, f.known = size, true
	}
	if !grown {
		return nil
	}
	return f.use(e.Goroutine(), Usage{Allocated: size - before})
}

// span follows collections.
func (f *fusion) span(e trace.Event) error {
	begins := e.Kind() == trace.EventRangeBegin
	switch e.Range().Name {
	case "GC concurrent mark phase":
		if begins {
			return f.use(e.Goroutine(), Usage{Collections: 1})
		}
	case "stop-the-world (GC mark termination)":
		f.marking = begins
	}
	return nil
}

// transition follows goroutines from start to end.
func (f *fusion) transition(executing trace.GoID, t trace.StateTransition) error {
	if t.Resource.Kind != trace.ResourceGoroutine {
		return nil
	}
	from, to := t.Goroutine()
	switch {
	case from == trace.GoNotExist:
		return f.goroutines.start(executing, t.Resource.Goroutine(), t.Stack)
	case to == trace.GoNotExist:
		f.goroutines.gone(t.Resource.Goroutine())
	}
	return nil
}

func (f *fusion) report() *Report {
	r := &Report{
		Began: f.began, Length: f.now, Events: f.events, Width: f.books.width, Period: defaultPeriod, Stages: []Stage{},
	}
	n := int((r.Length + r.Width - 1) / r.Width)
	r.Columns = padded(f.books.columns, n)
	for _, u := range r.Columns {
		r.Total.Add(u)
	}
	for _, a := range f.books.accounts {
		s := Stage{Name: a.name, Usage: a.Usage, Goroutines: a.goroutines, Durations: durations(&a.durations), Columns: padded(a.columns, n)}
		for _, p := range a.partitions {
			if p.durations.Count() == 0 && p.Usage == (Usage{}) {
				continue // there was another attribute to come
			}
			s.Partitions = append(s.Partitions, Partition{Name: p.name, Usage: p.Usage, Durations: durations(&p.durations)})
		}
		compare(s.Partitions)
		r.Stages = append(r.Stages, s)
	}
	slices.SortFunc(r.Stages, func(a, b Stage) int {
		return cmp.Or(
			boolCompare(a.Name == Outside, b.Name == Outside),
			cmp.Compare(b.Samples, a.Samples), cmp.Compare(b.Allocated, a.Allocated), cmp.Compare(a.Name, b.Name))
	})
	return r
}

func boolCompare(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

func padded(columns []Usage, n int) []Usage {
	return append(columns, make([]Usage, max(0, n-len(columns)))...)
}

func durations(h *heat.Histogram) Durations {
	d := Durations{N: h.Count(), Total: time.Duration(min(h.Sum, math.MaxInt64))}
	if d.N > 0 {
		d.P50, d.P99 = time.Duration(h.Quantile(0.5)), time.Duration(h.Quantile(0.99))
	}
	return d
}

// Partitions that take so many times as long as the median are outliers, where
// there are so many that a median says something.
const (
	outlierTimes  = 3
	minPartitions = 3
)

// compare puts the longest first, and says how they compare with the median.
func compare(partitions []Partition) {
	slices.SortFunc(partitions, func(a, b Partition) int {
		return cmp.Or(cmp.Compare(b.Total, a.Total), cmp.Compare(a.Name, b.Name))
	})
	if len(partitions) == 0 {
		return
	}
	median := (partitions[(len(partitions)-1)/2].Total + partitions[len(partitions)/2].Total) / 2
	if median == 0 {
		return
	}
	for i := range partitions {
		p := &partitions[i]
		p.Times = float64(p.Total) / float64(median)
		p.Outlier = len(partitions) >= minPartitions && p.Times >= outlierTimes
	}
}
