package goproc

import (
	"fmt"
)

// layout is what one minor version of Go has on amd64, as measured with DWARF
// on builds of its patch releases. It is a check, never the source: offsets are
// read from each binary, and a binary that disagrees is not what we know.
// (src/runtime/runtime2.go: g, m, p, schedt)
type layout struct {
	gm, gGoid, gWaitreason, gStartpc, gLabels uint32
	mCurg, mP, pID                            uint32
	timeToRun                                 uint64 // in schedt
}

// layouts has the versions that can be watched; past its ends we refuse.
var layouts = map[int]layout{
	23: {48, 160, 184, 304, 352, 192, 208, 0, 320},
	24: {48, 160, 184, 304, 352, 192, 208, 0, 320},
	25: {48, 152, 176, 296, 344, 184, 200, 0, 344},
	26: {48, 152, 176, 304, 352, 184, 208, 0, 360},
}

// oldest and newest of layouts.
const minMinor, maxMinor = 23, 26

// field is a field whose offset is wanted, by struct and name.
type field struct {
	of, name string
	offset   func(*Offsets) *uint32
	known    func(layout) uint32
}

var fields = []field{
	{"g", "m", func(o *Offsets) *uint32 { return &o.GM }, func(l layout) uint32 { return l.gm }},
	{"g", "goid", func(o *Offsets) *uint32 { return &o.GGoid }, func(l layout) uint32 { return l.gGoid }},
	{"g", "waitreason", func(o *Offsets) *uint32 { return &o.GWaitReason }, func(l layout) uint32 { return l.gWaitreason }},
	{"g", "startpc", func(o *Offsets) *uint32 { return &o.GStartpc }, func(l layout) uint32 { return l.gStartpc }},
	{"g", "labels", func(o *Offsets) *uint32 { return &o.GLabels }, func(l layout) uint32 { return l.gLabels }},
	{"m", "curg", func(o *Offsets) *uint32 { return &o.MCurg }, func(l layout) uint32 { return l.mCurg }},
	{"m", "p", func(o *Offsets) *uint32 { return &o.MP }, func(l layout) uint32 { return l.mP }},
	{"p", "id", func(o *Offsets) *uint32 { return &o.PID }, func(l layout) uint32 { return l.pID }},
}

// readOffsets reads the offsets of struct fields from type descriptors, and
// has them checked by the table and, where there is one, by DWARF.
func readOffsets(m *image, mod *module, minor int) (Offsets, error) {
	t, err := readTypes(m, mod)
	if err != nil {
		return Offsets{}, fmt.Errorf("reading type descriptors: %w", err)
	}
	links, err := m.bytes(mod.typelinks, mod.typelinksCount*4)
	if err != nil {
		return Offsets{}, fmt.Errorf("reading typelinks: %w", err)
	}
	structs, err := t.structs(links, "g", "m", "p")
	if err != nil {
		return Offsets{}, fmt.Errorf("reading type descriptors: %w", err)
	}
	witness := dwarfStructs(m.elf, "g", "m", "p")
	var o Offsets
	for _, f := range fields {
		offset, ok := structs[f.of][f.name]
		if !ok {
			return Offsets{}, fmt.Errorf("runtime.%s has no field %s", f.of, f.name)
		}
		if known := uint64(f.known(layouts[minor])); offset != known {
			return Offsets{}, fmt.Errorf("runtime.%s.%s is at %d by its type descriptor, at %d in every Go 1.%d known", f.of, f.name, offset, known, minor)
		}
		if seen, ok := witness[f.of][f.name]; ok && seen != offset {
			return Offsets{}, fmt.Errorf("runtime.%s.%s is at %d by its type descriptor, at %d by DWARF", f.of, f.name, offset, seen)
		}
		*f.offset(&o) = uint32(offset)
	}
	return o, nil
}
