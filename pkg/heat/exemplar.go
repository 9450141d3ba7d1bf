package heat

import (
	"cmp"
	"slices"
	"sync"
	"time"
)

// Exemplar is one hit with what is known of it: which goroutine, which request.
type Exemplar struct {
	Key   Key
	Time  time.Time
	Value uint64
	Goroutine
	// Extra is what else the measurement point's events carry.
	Extra [4]uint64
}

const (
	// exemplarSlice is how long a time shares its exemplars.
	exemplarSlice = 10 * time.Second
	// exemplarSlices is how many such times are remembered: half an hour.
	exemplarSlices = 180
	// exemplarsPerSlice is how many of the greatest are kept of each.
	exemplarsPerSlice = 4
)

// Exemplars keep the greatest hits of a measurement point of one process, for
// each ten seconds of the last half hour. The zero value is ready for use, by
// any number of goroutines.
type Exemplars struct {
	mu    sync.Mutex
	times [exemplarSlices]exemplarTime
}

type exemplarTime struct {
	slice int64
	// Ascending by value.
	kept []Exemplar
}

// Add keeps a hit when it is among the greatest of its time. Make is called
// only then: what it returns need not be made for the others.
func (e *Exemplars) Add(t time.Time, value uint64, make func() Exemplar) {
	e.mu.Lock()
	defer e.mu.Unlock()
	slice := t.Unix() / int64(exemplarSlice/time.Second)
	at := &e.times[slice%exemplarSlices]
	switch {
	case slice < at.slice:
		return // of a time that is forgotten
	case slice > at.slice:
		at.slice, at.kept = slice, at.kept[:0]
	}
	if len(at.kept) == exemplarsPerSlice {
		if value <= at.kept[0].Value {
			return
		}
		at.kept = slices.Delete(at.kept, 0, 1)
	}
	i, _ := slices.BinarySearchFunc(at.kept, value, func(k Exemplar, v uint64) int { return cmp.Compare(k.Value, v) })
	kept := make()
	kept.Time, kept.Value = t, value
	at.kept = slices.Insert(at.kept, i, kept)
}

// In returns the exemplars of [from, to) that keep says, in order of time.
func (e *Exemplars) In(from, to time.Time, keep func(*Exemplar) bool) []Exemplar {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []Exemplar
	for i := range e.times {
		for j := range e.times[i].kept {
			x := &e.times[i].kept[j]
			if !x.Time.Before(from) && x.Time.Before(to) && keep(x) {
				found = append(found, *x)
			}
		}
	}
	slices.SortFunc(found, func(a, b Exemplar) int { return a.Time.Compare(b.Time) })
	return found
}

// Idle says whether nothing that is still remembered was added.
func (e *Exemplars) Idle(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	oldest := now.Unix()/int64(exemplarSlice/time.Second) - exemplarSlices
	for i := range e.times {
		if e.times[i].slice > oldest && len(e.times[i].kept) > 0 {
			return false
		}
	}
	return true
}
