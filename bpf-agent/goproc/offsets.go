package goproc

import (
	"fmt"
	"slices"
)

// layout is what one minor version of Go has on amd64 and arm64, as measured with DWARF
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
	21: {48, 152, 176, 296, 344, 192, 208, 0, 320},
	22: {48, 152, 176, 296, 344, 192, 208, 0, 320},
	23: {48, 160, 184, 304, 352, 192, 208, 0, 320},
	24: {48, 160, 184, 304, 352, 192, 208, 0, 320},
	25: {48, 152, 176, 296, 344, 184, 200, 0, 344},
	26: {48, 152, 176, 304, 352, 184, 208, 0, 360},
	27: {48, 152, 176, 304, 352, 184, 208, 0, 360},
}

// oldest and newest of layouts.
const minMinor, maxMinor = 21, 27

// essential is a field without which no binary is watched, and where each
// version is known to have it.
type essential struct {
	fieldName
	offset func(*Offsets) *uint32
	known  func(layout) uint32
}

var essentials = []essential{
	{fieldName{"runtime.g", "m"}, func(o *Offsets) *uint32 { return &o.GM }, func(l layout) uint32 { return l.gm }},
	{fieldName{"runtime.g", "goid"}, func(o *Offsets) *uint32 { return &o.GGoid }, func(l layout) uint32 { return l.gGoid }},
	{fieldName{"runtime.g", "waitreason"}, func(o *Offsets) *uint32 { return &o.GWaitReason }, func(l layout) uint32 { return l.gWaitreason }},
	{fieldName{"runtime.g", "startpc"}, func(o *Offsets) *uint32 { return &o.GStartpc }, func(l layout) uint32 { return l.gStartpc }},
	{fieldName{"runtime.g", "labels"}, func(o *Offsets) *uint32 { return &o.GLabels }, func(l layout) uint32 { return l.gLabels }},
	{fieldName{"runtime.m", "curg"}, func(o *Offsets) *uint32 { return &o.MCurg }, func(l layout) uint32 { return l.mCurg }},
	{fieldName{"runtime.m", "p"}, func(o *Offsets) *uint32 { return &o.MP }, func(l layout) uint32 { return l.mP }},
	{fieldName{"runtime.p", "id"}, func(o *Offsets) *uint32 { return &o.PID }, func(l layout) uint32 { return l.pID }},
}

// readOffsets reads the offsets of struct fields from type descriptors, and
// has the essential ones checked by the table.
func (b *Binary) readOffsets(m *image, mod *module) error {
	var names []string
	for _, f := range wantedFields {
		if !slices.Contains(names, f.of) {
			names = append(names, f.of)
		}
	}
	structs, err := readTypes(m, mod).structs(names...)
	if err != nil {
		return fmt.Errorf("reading type descriptors: %w", err)
	}
	b.fields = map[fieldName]uint32{}
	for _, f := range wantedFields {
		if offset, ok := structs[f.of][f.name]; ok {
			b.fields[f] = uint32(offset)
		}
	}
	for _, f := range essentials {
		offset, ok := b.fields[f.fieldName]
		if !ok {
			return fmt.Errorf("no type descriptor says where %s.%s is", f.of, f.name)
		}
		if known := f.known(layouts[b.Minor]); offset != known {
			return fmt.Errorf("%s.%s is at %d by its type descriptor, at %d in every Go 1.%d known", f.of, f.name, offset, known, b.Minor)
		}
		*f.offset(&b.Offsets) = offset
	}
	return nil
}
