package heat

import (
	"slices"
	"unique"
)

// blockSeconds is how much time a block covers; blocks begin at its multiples.
const blockSeconds = 60

// block is the heat of all series in a minute, or in one second of it, at rest;
// immutable. The columns of one series are together, ascending: the second's
// distance from start in a byte, and then what seal wrote.
type block struct {
	start int64
	keys  []unique.Handle[Key]
	ends  []uint32 // in data, of the columns of each key
	data  []byte   // with bitPadding
	kept  kept
}

// kept says which dimensions a block has kept.
type kept int

const (
	keptAll     kept = iota
	keptPlaces       // process, service and version; node and reason
	keptProcess      // process, service and version
	keptRelease      // service and version
	keptNothing      // is forgotten
)

// of returns what is kept of a key.
func (kept kept) of(k Key) Key {
	switch kept {
	case keptPlaces:
		return k.places()
	case keptProcess:
		return k.coarse()
	case keptRelease:
		return k.ofRelease()
	}
	return k
}

const (
	blockBytes = 112
	entryBytes = 12
	// keyBytes is what the key of a series takes, in the map of series and on
	// its own, with its strings.
	keyBytes = 512
)

// bytes is what it takes of memory.
func (b *block) bytes() int { return blockBytes + entryBytes*cap(b.keys) + cap(b.data) }

// each calls f with the columns of a key; it must return where to add the
// column of a second, or nil when nobody wants it.
func (b *block) each(i int, f func(second int64) *Histogram) {
	begin := uint32(0)
	if i > 0 {
		begin = b.ends[i-1]
	}
	for r := (bitReader{b.data, uint(begin) * 8}); r.at < uint(b.ends[i])*8; {
		h := f(b.start + int64(r.take(8)))
		if h == nil {
			h = &Histogram{}
		}
		unseal(&r, h)
	}
}

// blockBuilder makes a block.
type blockBuilder struct {
	start int64
	keys  []unique.Handle[Key]
	ends  []uint32
	bits  bitWriter
}

// add appends a column of the series whose columns are being added.
func (w *blockBuilder) add(second int64, h *Histogram) {
	w.bits.put(uint64(second-w.start), 8)
	seal(&w.bits, h)
}

// end ends the columns of a series.
func (w *blockBuilder) end(k unique.Handle[Key]) {
	w.keys = append(w.keys, k)
	w.ends = append(w.ends, uint32(len(w.bits.bytes)))
}

// block returns what was added; nil when nothing was.
func (w *blockBuilder) block(kept kept) *block {
	if len(w.keys) == 0 {
		return nil
	}
	data := make([]byte, len(w.bits.bytes)+bitPadding)
	copy(data, w.bits.bytes)
	return &block{w.start, slices.Clone(w.keys), slices.Clone(w.ends), data, kept}
}

// joined makes one block of blocks of the same minute that follow each other.
func joined(blocks []*block) *block {
	type piece struct{ block, entry int }
	pieces := map[unique.Handle[Key]][]piece{}
	var keys []unique.Handle[Key]
	size := 0
	for i, b := range blocks {
		size += len(b.data)
		for j, k := range b.keys {
			if pieces[k] == nil {
				keys = append(keys, k)
			}
			pieces[k] = append(pieces[k], piece{i, j})
		}
	}
	w := blockBuilder{start: blocks[0].start}
	w.bits.bytes = make([]byte, 0, size)
	for _, k := range keys {
		for _, p := range pieces[k] {
			b := blocks[p.block]
			begin := uint32(0)
			if p.entry > 0 {
				begin = b.ends[p.entry-1]
			}
			w.bits.bytes = append(w.bits.bytes, b.data[begin:b.ends[p.entry]]...)
		}
		w.end(k)
	}
	return w.block(blocks[0].kept)
}

// folded returns a block with less dimensions, and the same hits in the same seconds.
func (b *block) folded(kept kept) *block {
	entries := map[unique.Handle[Key]][]int{}
	var keys []unique.Handle[Key]
	for i, k := range b.keys {
		of := unique.Make(kept.of(k.Value()))
		if entries[of] == nil {
			keys = append(keys, of)
		}
		entries[of] = append(entries[of], i)
	}
	w := blockBuilder{start: b.start}
	var sums [blockSeconds]Histogram
	var hit [blockSeconds]bool
	for _, k := range keys {
		for _, i := range entries[k] {
			b.each(i, func(second int64) *Histogram {
				hit[second-b.start] = true
				return &sums[second-b.start]
			})
		}
		for at := range sums {
			if hit[at] {
				w.add(b.start+int64(at), &sums[at])
				sums[at], hit[at] = Histogram{}, false
			}
		}
		w.end(k)
	}
	return w.block(kept)
}
