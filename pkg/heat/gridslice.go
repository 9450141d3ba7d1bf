package heat

import (
	"cmp"
	"encoding/binary"
	"maps"
	"slices"
	"unique"
)

// gridSlice is the heat of sliceSeconds at rest; immutable. What is in a goroutine's
// name is kept once for all that share it, and the rest as varints, by which a
// goroutine takes some ten bytes, where a map of them takes a hundred:
//
//	goroutines by id:  distance of ids | number of the name | count | sum
//	cells, ascending:  distance | count | sum
type gridSlice struct {
	start   int64
	entries int
	names   []unique.Handle[goroutineName]
	named   []byte
	rest    []byte
}

// packGridSlice takes what an open slice has.
func packGridSlice(open *openSlice) *gridSlice {
	s := &gridSlice{start: open.start, entries: len(open.named) + len(open.rest)}
	numbers := map[goroutineName]uint64{}
	whos := slices.SortedFunc(maps.Keys(open.named), func(a, b Goroutine) int { return cmp.Compare(a.ID, b.ID) })
	previous := uint64(0)
	for _, who := range whos {
		name := goroutineName{who.StartFunction, who.Label}
		number, known := numbers[name]
		if !known {
			number = uint64(len(s.names))
			numbers[name] = number
			s.names = append(s.names, unique.Make(name))
		}
		s.named = binary.AppendUvarint(s.named, who.ID-previous)
		s.named = binary.AppendUvarint(s.named, number)
		s.named = open.named[who].append(s.named)
		previous = who.ID
	}
	at := uint32(0)
	for _, cell := range slices.Sorted(maps.Keys(open.rest)) {
		s.rest = binary.AppendUvarint(s.rest, uint64(cell-at))
		s.rest = open.rest[cell].append(s.rest)
		at = cell
	}
	s.named, s.rest, s.names = slices.Clip(slices.Clone(s.named)), slices.Clip(slices.Clone(s.rest)), slices.Clip(s.names)
	return s
}

func (h gridHeat) append(b []byte) []byte {
	return binary.AppendUvarint(binary.AppendUvarint(b, h.count), h.sum)
}

// each calls named with each goroutine, and rest with each cell of others.
func (s *gridSlice) each(named func(Goroutine, gridHeat), rest func(uint32, gridHeat)) {
	id := uint64(0)
	for v := (varints)(s.named); len(v) > 0; {
		id += v.next()
		name := s.names[v.next()].Value()
		named(Goroutine{id, name.startFunction, name.label}, gridHeat{v.next(), v.next()})
	}
	cell := uint32(0)
	for v := (varints)(s.rest); len(v) > 0; {
		cell += uint32(v.next())
		rest(cell, gridHeat{v.next(), v.next()})
	}
}

// bytes is what it takes of memory.
func (s *gridSlice) bytes() int { return 96 + 8*cap(s.names) + cap(s.named) + cap(s.rest) }

// varints reads one after the other what binary.AppendUvarint wrote.
type varints []byte

func (v *varints) next() uint64 {
	n, size := binary.Uvarint(*v)
	*v = (*v)[size:]
	return n
}
