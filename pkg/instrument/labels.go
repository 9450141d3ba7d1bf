package instrument

import (
	"context"
	"maps"
	"runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
)

// maxSets is how many sets of labels are kept. What varies more has its sets
// made anew each time, which costs time and nothing else.
const maxSets = 1024

// attributePrefix begins the label of a stage's attribute: stage.partition. In
// the order of keys, attributes then follow their stage.
const attributePrefix = LabelStage + "."

// label is one more label: that of an attribute has the prefix yet to come,
// which takes no memory while it is looked up.
type label struct {
	attribute  bool
	key, value string
}

func (l label) name() string {
	if l.attribute {
		return attributePrefix + l.key
	}
	return l.key
}

// set is a set of pprof labels. The same labels are made once, and then found
// from the set that they are added to: without a lock, and without garbage.
//
//	none ─stage=map─▶ {stage=map} ─stage.partition=3─▶ {stage=map, stage.partition=3}
type set struct {
	pairs []string        // key, value, key, value
	ctx   context.Context // the background with these labels
	kept  bool            // is one of [maxSets]
	// With one more label, and with one more attribute.
	labels, attributes atomic.Pointer[following]
}

// following are sets by the key and the value that they have more: a map by
// strings is faster than one by both together. It is replaced, and never changed.
type following map[string]map[string]*set

func (s *set) following(l label) *atomic.Pointer[following] {
	if l.attribute {
		return &s.attributes
	}
	return &s.labels
}

var none = &set{ctx: context.Background(), kept: true}

var kept = struct {
	sync.Mutex
	sets map[string]*set
}{sets: map[string]*set{"": none}}

func newSet(pairs []string) *set {
	return &set{pairs: pairs, ctx: pprof.WithLabels(context.Background(), pprof.Labels(pairs...))}
}

// with returns the set with one more label, or another value of one it has.
func (s *set) with(l label) *set {
	next := s.following(l)
	if known := next.Load(); known != nil {
		if found := (*known)[l.key][l.value]; found != nil {
			return found
		}
	}
	if !s.kept {
		return newSet(s.plus(l))
	}
	// What is kept must not keep a caller's larger string from being collected.
	l.key, l.value = strings.Clone(l.key), strings.Clone(l.value)
	pairs := s.plus(l)
	var id []byte
	for _, text := range pairs {
		id = strconv.AppendQuote(id, text)
	}
	kept.Lock()
	defer kept.Unlock()
	found := kept.sets[string(id)]
	if found == nil {
		found = newSet(pairs)
		if len(kept.sets) >= maxSets {
			return found
		}
		found.kept = true
		kept.sets[string(id)] = found
	}
	known := following{}
	if old := next.Load(); old != nil {
		known = maps.Clone(*old)
	}
	values := maps.Clone(known[l.key])
	if values == nil {
		values = map[string]*set{}
	}
	values[l.value] = found
	known[l.key] = values
	next.Store(&known)
	return found
}

// once is with for a label that will not come again.
func (s *set) once(key, value string) *set {
	return newSet(s.plus(label{key: key, value: value}))
}

func (s *set) plus(l label) []string {
	pairs := append(make([]string, 0, len(s.pairs)+2), s.pairs...)
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == l.name() {
			pairs[i+1] = l.value
			return pairs
		}
	}
	return append(pairs, l.name(), l.value)
}

func (s *set) has(key, value string) bool {
	for i := 0; i < len(s.pairs); i += 2 {
		if s.pairs[i] == key {
			return s.pairs[i+1] == value
		}
	}
	return false
}

// setOf is the set of a context's labels, whoever put them there.
func setOf(ctx context.Context) *set {
	if c, ok := ctx.(*labelled); ok {
		return c.set
	}
	n := 0
	pprof.ForLabels(ctx, func(string, string) bool {
		n++
		return true
	})
	if n == 0 {
		return none
	}
	if s, ok := ctx.Value(setKey{}).(*set); ok && 2*n == len(s.pairs) {
		same := true
		pprof.ForLabels(ctx, func(key, value string) bool {
			same = s.has(key, value)
			return same
		})
		if same {
			return s
		}
	}
	var pairs []string
	pprof.ForLabels(ctx, func(key, value string) bool {
		pairs = append(pairs, key, value)
		return true
	})
	return newSet(pairs)
}

type setKey struct{}

// labelled is a context with the labels of a set instead of its own. For
// package pprof it is as if WithLabels had made it.
type labelled struct {
	context.Context
	set *set
}

func (c *labelled) Value(key any) any {
	if key == (setKey{}) {
		return c.set
	}
	if v := c.set.ctx.Value(key); v != nil {
		return v
	}
	return c.Context.Value(key)
}
