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
	minutes     []*block // ascending, packed
	seconds     []*block // ascending, after all minutes
}

// with returns the past after a second more; b is nil when there were no hits in it.
func (p *past) with(second int64, b *block) *past {
	after := &past{max(p.first, second+1-HeadColumns), second + 1, p.minutes, p.seconds}
	if b != nil {
		// Readers of p see no further than its length.
		after.seconds = append(after.seconds, b)
	}
	after.forget()
	return after
}

// forget drops what is before first. New slices are made, so that what is
// forgotten is not held by an old one.
func (p *past) forget() {
	for _, blocks := range []*[]*block{&p.minutes, &p.seconds} {
		gone := 0
		for gone < len(*blocks) && (*blocks)[gone].start+blockSeconds <= p.first {
			gone++
		}
		if gone > 0 {
			*blocks = slices.Clone((*blocks)[gone:])
		}
	}
}

// complete returns those seconds that are of the first minute that is over.
func (p *past) complete() []*block {
	if len(p.seconds) == 0 || p.seconds[0].start+blockSeconds > p.next {
		return nil
	}
	n := 0
	for n < len(p.seconds) && p.seconds[n].start == p.seconds[0].start {
		n++
	}
	return p.seconds[:n]
}

// packed returns a past with its complete minutes packed.
func (p *past) packed() *past {
	after := *p
	for seconds := p.complete(); seconds != nil; seconds = after.complete() {
		after.minutes = append(slices.Clip(after.minutes), joined(seconds))
		after.seconds = after.seconds[len(seconds):]
	}
	after.seconds = slices.Clone(after.seconds)
	return &after
}

// since returns a past that was made of an earlier one with what was sealed
// since then.
func (p *past) since(earlier, now *past) *past {
	after := *p
	after.first, after.next = max(p.first, now.first), now.next
	sealed := now.seconds
	if n := len(earlier.seconds); n > 0 {
		sealed = sealed[slices.Index(sealed, earlier.seconds[n-1])+1:]
	}
	after.seconds = append(after.seconds, sealed...)
	after.forget()
	return &after
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
