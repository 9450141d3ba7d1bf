package heat

import (
	"slices"
	"unique"
)

// past is all heat that is sealed; immutable, so that who reads it sees one
// state of it. Time that has no hits has no block.
type past struct {
	// first is the first second that is remembered, next the first that is not sealed.
	first, next int64
	minutes     []*block // ascending
	seconds     []*block // ascending, of one minute that is not complete
}

// with returns the past after a second more; b is nil when there were no hits in it.
// It says whether a minute was completed.
func (p *past) with(second int64, b *block) (after *past, minute bool) {
	after = &past{max(p.first, second+1-HeadColumns), second + 1, p.minutes, p.seconds}
	if len(p.seconds) > 0 && p.seconds[0].start != floorTo(second, blockSeconds) {
		// A new slice, so that what is forgotten is not held by an old one.
		after.minutes = append(make([]*block, 0, len(p.minutes)+1), p.minutes...)
		after.minutes = append(after.minutes, joined(p.seconds))
		after.seconds = nil
		minute = true
	}
	for len(after.minutes) > 0 && after.minutes[0].start+blockSeconds <= after.first {
		after.minutes = slices.Clone(after.minutes[1:])
	}
	if b != nil {
		// Readers of p see no further than its length.
		after.seconds = append(after.seconds, b)
	}
	return after, minute
}

// blocks calls f with those blocks that may have seconds of [from, to), ascending.
func (p *past) blocks(from, to int64, f func(*block)) {
	for _, blocks := range [][]*block{p.minutes, p.seconds} {
		for _, b := range blocks {
			if b.start < to && b.start+blockSeconds > from {
				f(b)
			}
		}
	}
}

// holding is what blocks take of memory, with the keys that they share.
type holding struct {
	bytes int
	keys  map[unique.Handle[Key]]int // in how many blocks
}

func (h *holding) add(b *block) {
	h.bytes += b.bytes()
	for _, k := range b.keys {
		if h.keys[k]++; h.keys[k] == 1 {
			h.bytes += keyBytes
		}
	}
}

func (h *holding) remove(b *block) {
	h.bytes -= b.bytes()
	for _, k := range b.keys {
		if h.keys[k]--; h.keys[k] == 0 {
			h.bytes -= keyBytes
			delete(h.keys, k)
		}
	}
}

func (p *past) holding() *holding {
	h := &holding{keys: map[unique.Handle[Key]]int{}}
	for _, blocks := range [][]*block{p.minutes, p.seconds} {
		for _, b := range blocks {
			h.add(b)
		}
	}
	return h
}

// within returns a past that takes at most so many bytes, if that can be. The
// oldest minutes lose their finer dimensions first, all of them; then, oldest
// first, their processes; and only then are they forgotten. Until then every
// hit stays in its second.
func (p *past) within(limit int) *past {
	held := p.holding()
	if held.bytes <= limit {
		return p
	}
	after := *p
	after.minutes = slices.Clone(p.minutes)
	for keep := keptProcess; keep < keptNothing; keep++ {
		for i, b := range after.minutes {
			if held.bytes <= limit {
				return &after
			}
			if b.kept < keep {
				after.minutes[i] = b.folded(keep)
				held.remove(b)
				held.add(after.minutes[i])
			}
		}
	}
	for held.bytes > limit && len(after.minutes) > 0 {
		oldest := after.minutes[0]
		held.remove(oldest)
		after.first = oldest.start + blockSeconds
		after.minutes = slices.Clone(after.minutes[1:])
	}
	return &after
}
