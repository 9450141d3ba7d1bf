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

// newestMinutes is how many minutes keep all dimensions for as long as they can.
const newestMinutes = 5

// within returns a past that takes at most so many bytes, if that can be. They
// lose functions, labels, routes, CPUs and depths first, the oldest before the
// others; then nodes and reasons; then processes; and only then are they forgotten.
// The newest minutes, which are looked at most, lose nothing that older ones can
// spare. Until it is forgotten every hit stays in its second.
func (p *past) within(limit int) *past {
	held := p.holding()
	if held.bytes <= limit {
		return p
	}
	after := *p
	after.minutes = slices.Clone(p.minutes)
	all := len(after.minutes)
	older := max(0, all-newestMinutes)
	for _, step := range []struct {
		from, to int
		keep     kept
	}{
		{0, older, keptPlaces}, {0, older, keptProcess},
		{older, all, keptPlaces}, {older, all, keptProcess},
		{0, all, keptRelease},
	} {
		for i := step.from; i < step.to; i++ {
			if held.bytes <= limit {
				return &after
			}
			if b := after.minutes[i]; b.kept < step.keep {
				after.minutes[i] = b.folded(step.keep)
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
