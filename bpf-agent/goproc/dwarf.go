package goproc

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
)

// maxDWARF is how much of a section of DWARF is read for a check, decompressed.
// It takes as much memory for a moment; the type descriptors and the table do
// without it.
const maxDWARF = 64 << 20

// dwarfStructs reads the offsets of the fields of structs of package runtime,
// by struct and field, as far as DWARF has them: it is one more witness, and
// one that is missing or can't be understood (a unit of some C compiler's)
// contradicts nothing.
func dwarfStructs(f *elf.File, names ...string) map[string]map[string]uint64 {
	sections := map[string][]byte{}
	for _, name := range []string{"abbrev", "info", "str", "line_str", "addr", "str_offsets"} {
		s := f.Section(".debug_" + name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Size > maxDWARF {
			return nil
		}
		b, err := s.Data()
		if err != nil {
			return nil
		}
		sections[name] = b
	}
	info := sections["info"]
	if len(info) == 0 || len(sections["abbrev"]) == 0 {
		return nil
	}
	d, err := dwarf.New(sections["abbrev"], nil, nil, info, nil, nil, nil, sections["str"])
	if err != nil {
		return nil
	}
	for _, name := range []string{"line_str", "addr", "str_offsets"} {
		if b := sections[name]; len(b) > 0 {
			if err := d.AddSection(".debug_"+name, b); err != nil {
				return nil
			}
		}
	}
	found := map[string]map[string]uint64{}
	r := d.Reader()
	// Units are stepped over by their length: a large program has thousands.
	// Package runtime has two, Go's and the assembler's.
	for at := uint64(0); at+12 <= uint64(len(info)) && len(found) < len(names); {
		length := uint64(binary.LittleEndian.Uint32(info[at:]))
		if length == 0 || length >= 0xfffffff0 { // 64-bit DWARF: Go has none
			break
		}
		header := uint64(11) // length, version 2-4, offset of abbreviations, size of an address
		if binary.LittleEndian.Uint16(info[at+4:]) >= 5 {
			header = 12 // and a type of unit
		}
		r.Seek(dwarf.Offset(at + header))
		if unit, err := r.Next(); err == nil && unit != nil && unit.Tag == dwarf.TagCompileUnit {
			if name, _ := unit.Val(dwarf.AttrName).(string); name == "runtime" && unit.Children {
				unitStructs(r, names, found)
			}
		}
		at += 4 + length
	}
	return found
}

// unitStructs reads the structs among the children of the unit just read.
func unitStructs(r *dwarf.Reader, names []string, found map[string]map[string]uint64) {
	for {
		e, err := r.Next()
		if err != nil || e == nil || e.Tag == 0 {
			return
		}
		full, _ := e.Val(dwarf.AttrName).(string)
		if e.Tag != dwarf.TagStructType || !e.Children {
			r.SkipChildren()
			continue
		}
		fields := map[string]uint64{}
		for {
			m, err := r.Next()
			if err != nil || m == nil || m.Tag == 0 {
				break
			}
			field, _ := m.Val(dwarf.AttrName).(string)
			if at, ok := m.Val(dwarf.AttrDataMemberLoc).(int64); ok && at >= 0 {
				fields[field] = uint64(at)
			}
			r.SkipChildren()
		}
		for _, name := range names {
			if full == "runtime."+name {
				found[name] = fields
			}
		}
	}
}
