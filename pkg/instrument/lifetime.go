package instrument

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"sync"
	"time"
)

// Lifetime is how long goroutines live, by the place that starts them: a
// [Profiler] and [StreamingProfiler] of those that are started by [Lifetime.Go].
type Lifetime struct {
	streaming
	mu    sync.Mutex
	sites map[callers]*site
	began time.Time
}

// callers are the program counters of a stack, as deep as it is kept.
type callers [32]uintptr

// site is a place that starts goroutines.
type site struct {
	started, ended uint64
	lived          time.Duration // by those that have ended
	// startedAt adds up when those that live were started, after Lifetime.began:
	// their age is as many times now, less this.
	startedAt time.Duration
}

// NewLifetime returns one without goroutines.
func NewLifetime() *Lifetime {
	return &Lifetime{sites: map[callers]*site{}, began: time.Now()}
}

// Go runs f on a goroutine of its own, and notes when it starts and when it ends.
func (l *Lifetime) Go(f func()) {
	var stack callers
	runtime.Callers(2, stack[:])
	l.mu.Lock()
	s := l.sites[stack]
	if s == nil {
		s = &site{}
		l.sites[stack] = s
	}
	at := time.Since(l.began)
	s.started++
	s.startedAt += at
	l.mu.Unlock()
	go func() {
		defer func() {
			l.mu.Lock()
			s.ended++
			s.lived += time.Since(l.began) - at
			s.startedAt -= at
			l.mu.Unlock()
		}()
		f()
	}()
}

// life is what there is of a place, in values of the profile.
type life struct {
	stack         callers
	ended, lived  int64
	living, older int64
}

func (l *Lifetime) lives() (all []life) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Since(l.began)
	for stack, s := range l.sites {
		living := int64(s.started - s.ended)
		all = append(all, life{stack, int64(s.ended), int64(s.lived), living, living*int64(now) - int64(s.startedAt)})
	}
	slices.SortFunc(all, func(a, b life) int { return slices.Compare(a.stack[:], b.stack[:]) })
	return all
}

func (c *callers) frames() []Frame {
	depth := slices.Index(c[:], 0)
	if depth < 0 {
		depth = len(c)
	}
	return Frames(c[:depth])
}

// Profile is of [Profiler]. Its values are, of goroutines that have ended,
// ended/count and lifetime/nanoseconds, and of those that live, living/count and
// age/nanoseconds.
func (l *Lifetime) Profile() (*Profile, error) {
	p := &Profile{
		Types: []ValueType{{"ended", "count"}, {"lifetime", "nanoseconds"}, {"living", "count"}, {"age", "nanoseconds"}},
		Time:  l.began, Duration: time.Since(l.began),
	}
	for _, s := range l.lives() {
		p.Samples = append(p.Samples, Sample{Stack: s.stack.frames(), Values: []int64{s.ended, s.lived, s.living, s.older}})
	}
	return p, nil
}

// Start is of [StreamingProfiler]. A chunk is a line of JSON with what has ended
// since the chunk before, and what lives at its end, of each function that starts
// goroutines and where there is any:
//
//	{"from":"…","to":"…","sites":[{"function":"main.serve","ended":12,"lifetime_ns":340000,"living":3,"age_ns":7000}]}
func (l *Lifetime) Start(ctx context.Context, ch chan<- []byte) error {
	type functionLife struct {
		Function string `json:"function"`
		Ended    int64  `json:"ended"`
		Lived    int64  `json:"lifetime_ns"`
		Living   int64  `json:"living"`
		Age      int64  `json:"age_ns"`
	}
	names := map[callers]string{}
	look := func() map[string]functionLife {
		found := map[string]functionLife{}
		for _, s := range l.lives() {
			name, known := names[s.stack]
			if !known {
				if frames := s.stack.frames(); len(frames) > 0 {
					name = frames[0].Function
				}
				names[s.stack] = name
			}
			f := found[name]
			found[name] = functionLife{name, f.Ended + s.ended, f.Lived + s.lived, f.Living + s.living, f.Age + s.older}
		}
		return found
	}
	from, sent := time.Now(), look()
	return l.start(ctx, ch, func() []byte {
		to, now := time.Now(), look()
		sites := []functionLife{}
		for name, f := range now {
			f.Ended -= sent[name].Ended
			f.Lived -= sent[name].Lived
			if f.Ended > 0 || f.Living > 0 {
				sites = append(sites, f)
			}
		}
		slices.SortFunc(sites, func(a, b functionLife) int { return cmp.Compare(a.Function, b.Function) })
		chunk := jsonLine(struct {
			From  time.Time      `json:"from"`
			To    time.Time      `json:"to"`
			Sites []functionLife `json:"sites"`
		}{from, to, sites})
		from, sent = to, now
		return chunk
	})
}
