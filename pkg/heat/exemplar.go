package heat

import (
	"cmp"
	"slices"
	"sync"
	"time"
	"unique"
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
	// exemplarTen is how long hits share their exemplars, in seconds, and
	// exemplarMinute for how long they do once they are older than exemplarFine.
	exemplarTen    = 10
	exemplarMinute = 60
	exemplarFine   = 5 * 60
	// exemplarMemory is for how long exemplars are remembered.
	exemplarMemory = 30 * 60
	// exemplarsPerTime is how many of the greatest are kept of each time.
	exemplarsPerTime = 4
)

// Exemplars keep the greatest hits of a measurement point of one process: four
// of each ten seconds of the last five minutes, and of each minute of the half
// hour. The zero value is ready for use, by any number of goroutines.
type Exemplars struct {
	mu sync.Mutex
	// times is ascending; a time that has no hit is not there.
	times []exemplarTime
}

type exemplarTime struct {
	begin int64
	kept  []keptExemplar // ascending by value
}

// keptExemplar is an exemplar at rest: what many share is kept once.
type keptExemplar struct {
	key   unique.Handle[Key]
	name  unique.Handle[goroutineName]
	nanos int64
	id    uint64
	value uint64
	extra [4]uint64
}

// goroutineName is what goroutines share.
type goroutineName struct{ startFunction, label string }

func (x *keptExemplar) exemplar() Exemplar {
	name := x.name.Value()
	return Exemplar{
		Key: x.key.Value(), Time: time.Unix(0, x.nanos), Value: x.value, Extra: x.extra,
		Goroutine: Goroutine{x.id, name.startFunction, name.label},
	}
}

// Add keeps a hit when it is among the greatest of its time. Make is called
// only then: what it returns need not be made for the others.
func (e *Exemplars) Add(t time.Time, value uint64, make func() Exemplar) {
	e.mu.Lock()
	defer e.mu.Unlock()
	at := e.at(t.Unix())
	if at == nil || len(at.kept) == exemplarsPerTime && value <= at.kept[0].value {
		return
	}
	made := make()
	at.add(keptExemplar{
		key: unique.Make(made.Key), name: unique.Make(goroutineName{made.StartFunction, made.Label}),
		nanos: t.UnixNano(), id: made.ID, value: value, extra: made.Extra,
	})
}

// add keeps x, at the cost of the least where there is no room.
func (at *exemplarTime) add(x keptExemplar) {
	if len(at.kept) == exemplarsPerTime {
		if x.value <= at.kept[0].value {
			return
		}
		at.kept = slices.Delete(at.kept, 0, 1)
	}
	i, _ := slices.BinarySearchFunc(at.kept, x.value, func(k keptExemplar, v uint64) int { return cmp.Compare(k.value, v) })
	at.kept = slices.Insert(at.kept, i, x)
}

// at returns the time that a second belongs to; nil when it is forgotten.
func (e *Exemplars) at(second int64) *exemplarTime {
	newest := second
	if n := len(e.times); n > 0 {
		last := &e.times[n-1]
		if last.begin <= second && second < last.begin+exemplarTen {
			return last // as most are
		}
		newest = max(newest, last.begin)
	}
	if second <= newest-exemplarMemory {
		return nil
	}
	begin := floorTo(second, exemplarTen)
	if second < fineExemplars(newest) {
		begin = floorTo(second, exemplarMinute)
	}
	i, found := slices.BinarySearchFunc(e.times, begin, func(x exemplarTime, begin int64) int { return cmp.Compare(x.begin, begin) })
	if !found {
		e.times = slices.Insert(e.times, i, exemplarTime{begin: begin})
		if i == len(e.times)-1 {
			e.age(begin)
			i = len(e.times) - 1
		}
	}
	return &e.times[i]
}

// fineExemplars is the second from which on ten seconds share their exemplars,
// when newest is the newest.
func fineExemplars(newest int64) int64 { return floorTo(newest-exemplarFine, exemplarMinute) }

// age forgets what is too old, and makes minutes of what is less so.
func (e *Exemplars) age(newest int64) {
	var aged []exemplarTime
	for _, t := range e.times {
		if t.begin <= newest-exemplarMemory {
			continue
		}
		if t.begin < fineExemplars(newest) {
			t.begin = floorTo(t.begin, exemplarMinute)
			if n := len(aged); n > 0 && aged[n-1].begin == t.begin {
				for _, x := range t.kept {
					aged[n-1].add(x)
				}
				continue
			}
		}
		aged = append(aged, t)
	}
	e.times = aged
}

// In returns the exemplars of [from, to) that keep says, in order of time.
func (e *Exemplars) In(from, to time.Time, keep func(*Exemplar) bool) []Exemplar {
	e.mu.Lock()
	defer e.mu.Unlock()
	var found []Exemplar
	for i := range e.times {
		for j := range e.times[i].kept {
			x := e.times[i].kept[j].exemplar()
			if !x.Time.Before(from) && x.Time.Before(to) && keep(&x) {
				found = append(found, x)
			}
		}
	}
	slices.SortFunc(found, func(a, b Exemplar) int { return a.Time.Compare(b.Time) })
	return found
}

// Kept is how many there are.
func (e *Exemplars) Kept() (n int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	for i := range e.times {
		n += len(e.times[i].kept)
	}
	return n
}

// Newest is when the newest time begins that has any; zero when none has.
func (e *Exemplars) Newest() time.Time {
	e.mu.Lock()
	defer e.mu.Unlock()
	if len(e.times) == 0 {
		return time.Time{}
	}
	return time.Unix(e.times[len(e.times)-1].begin, 0)
}
