package instrument

import (
	"cmp"
	"context"
	"encoding/json"
	"math/bits"
	"slices"
	"sync"
	"sync/atomic"
	"time"
)

// MaxMethods is how many methods a [RPCLatency] tells apart. More share [OtherMethods].
const MaxMethods = 1000

// OtherMethods stands for the methods past [MaxMethods].
const OtherMethods = "(other)"

// RPCLatency is how long calls took, by method: a [Profiler] and [StreamingProfiler].
// Each call is counted, in the bucket of its latency; there are eight in each
// power of two of nanoseconds, so that a bound is at most an eighth off.
//
// In the profile a method is a frame, and each of its buckets another within:
// the flame graph of calls/count is the distribution, that of latency/nanoseconds
// says where the time went.
type RPCLatency struct {
	streaming
	mu      sync.RWMutex
	methods map[string]*latencies
	began   time.Time
}

// NewRPCLatency returns one without calls.
func NewRPCLatency() *RPCLatency {
	return &RPCLatency{methods: map[string]*latencies{}, began: time.Now()}
}

// latencies counts the calls of a method.
type latencies struct {
	calls, sum [latencyBuckets]atomic.Uint64
}

// Eight buckets in each power of two, by the three bits below the highest. The
// first eight hold one nanosecond each.
const latencyBuckets = 8 * 62

func latencyBucket(ns uint64) int {
	if ns < 8 {
		return int(ns)
	}
	octave := bits.Len64(ns) - 3
	return octave*8 + int(ns>>(octave-1)&7)
}

// latencyUpper is the greatest latency in a bucket, in nanoseconds.
func latencyUpper(bucket int) uint64 {
	if bucket < 8 {
		return uint64(bucket)
	}
	octave := bucket / 8
	return (uint64(bucket%8+8)+1)<<(octave-1) - 1
}

// Observe counts a call that took so long.
func (l *RPCLatency) Observe(method string, latency time.Duration) {
	ns := uint64(max(latency, 0))
	m := l.method(method)
	bucket := latencyBucket(ns)
	// Who reads the calls first has at least their sum.
	m.sum[bucket].Add(ns)
	m.calls[bucket].Add(1)
}

func (l *RPCLatency) method(name string) *latencies {
	l.mu.RLock()
	m := l.methods[name]
	l.mu.RUnlock()
	if m != nil {
		return m
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.methods[name]; m != nil {
		return m
	}
	if len(l.methods) >= MaxMethods {
		name = OtherMethods
	}
	if l.methods[name] == nil {
		l.methods[name] = &latencies{}
	}
	return l.methods[name]
}

// latencyCell is what a bucket of a method holds.
type latencyCell struct {
	Method string `json:"method"`
	// UpTo is the bucket's upper bound, in nanoseconds.
	UpTo  uint64 `json:"up_to_ns"`
	Calls uint64 `json:"calls"`
	Sum   uint64 `json:"sum_ns"`
}

// cells returns what there is now, in order.
func (l *RPCLatency) cells() (all []latencyCell) {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for name, m := range l.methods {
		for bucket := range m.calls {
			if calls := m.calls[bucket].Load(); calls > 0 {
				all = append(all, latencyCell{name, latencyUpper(bucket), calls, m.sum[bucket].Load()})
			}
		}
	}
	slices.SortFunc(all, func(a, b latencyCell) int {
		return cmp.Or(cmp.Compare(a.Method, b.Method), cmp.Compare(a.UpTo, b.UpTo))
	})
	return all
}

// Profile is of [Profiler]. Its values are calls/count and latency/nanoseconds.
func (l *RPCLatency) Profile() (*Profile, error) {
	p := &Profile{
		Types: []ValueType{{"calls", "count"}, {"latency", "nanoseconds"}},
		Time:  l.began, Duration: time.Since(l.began),
	}
	for _, c := range l.cells() {
		p.Samples = append(p.Samples, Sample{
			Stack:  []Frame{{Function: "up to " + time.Duration(c.UpTo).String()}, {Function: c.Method}},
			Values: []int64{int64(c.Calls), int64(c.Sum)},
			Labels: []Label{{Key: "method", Text: c.Method}, {Key: "up_to", Number: int64(c.UpTo), Unit: "nanoseconds"}},
		})
	}
	return p, nil
}

// Start is of [StreamingProfiler]. A chunk is a line of JSON with what was added
// since the chunk before:
//
//	{"from":"…","to":"…","cells":[{"method":"GET /cart","up_to_ns":1048575,"calls":12,"sum_ns":11730000}]}
func (l *RPCLatency) Start(ctx context.Context, ch chan<- []byte) error {
	type place struct {
		method string
		upTo   uint64
	}
	from, sent := time.Now(), map[place]latencyCell{}
	for _, c := range l.cells() {
		sent[place{c.Method, c.UpTo}] = c
	}
	return l.start(ctx, ch, func() []byte {
		to, cells := time.Now(), []latencyCell{}
		for _, c := range l.cells() {
			at := place{c.Method, c.UpTo}
			before := sent[at]
			if c.Calls == before.Calls {
				continue
			}
			sent[at] = c
			c.Calls -= before.Calls
			c.Sum -= before.Sum
			cells = append(cells, c)
		}
		chunk := jsonLine(struct {
			From  time.Time     `json:"from"`
			To    time.Time     `json:"to"`
			Cells []latencyCell `json:"cells"`
		}{from, to, cells})
		from = to
		return chunk
	})
}

// jsonLine encodes what is made of times, numbers and texts, which can't fail.
func jsonLine(v any) []byte {
	line, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return append(line, '\n')
}
