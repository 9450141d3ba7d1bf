package goproc

import (
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
)

// maxDWARF and maxUnits bound how much DWARF is read for a check, decompressed.
// It takes as much memory for a moment; the type descriptors and the table do
// without it.
const (
	maxDWARF = 64 << 20
	maxUnits = 1 << 16
)

// dwarfStructs reads the offsets of the fields of structs of package runtime,
// by struct and field, as far as DWARF has them: it is one more witness, and
// one that is missing or can't be understood (a unit of some C compiler's)
// contradicts nothing.
func dwarfStructs(f *elf.File, names ...string) map[string]map[string]uint64 {
	sections := map[string][]byte{}
	size := uint64(0)
	for _, name := range []string{"abbrev", "info", "str", "line_str", "addr", "str_offsets"} {
		s := f.Section(".debug_" + name)
		if s == nil || s.Type == elf.SHT_NOBITS {
			continue
		}
		if s.Size > maxDWARF || size+s.Size > maxDWARF {
			return nil
		}
		size += s.Size
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
	found := map[string]map[string]uint64{}
	// Package runtime has two units, Go's and the assembler's. Each is parsed on
	// its own, as if there were no others: a large program has thousands, and
	// debug/dwarf would make something of every one.
	for range maxUnits {
		if len(info) < 12 || len(found) == len(names) {
			break
		}
		length := uint64(binary.LittleEndian.Uint32(info)) + 4
		if length > uint64(len(info)) { // 64-bit DWARF too: Go has none
			break
		}
		if r := unitReader(sections, info[:length]); r != nil {
			unitStructs(r, names, found)
		}
		info = info[length:]
	}
	return found
}

// unitReader reads a unit from after its first entry, if that is package
// runtime's.
func unitReader(sections map[string][]byte, unit []byte) *dwarf.Reader {
	d, err := dwarf.New(sections["abbrev"], nil, nil, unit, nil, nil, nil, sections["str"])
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
	r := d.Reader()
	e, err := r.Next()
	if err != nil || e == nil || e.Tag != dwarf.TagCompileUnit || !e.Children {
		return nil
	}
	if name, _ := e.Val(dwarf.AttrName).(string); name != "runtime" {
		return nil
	}
	return r
}

// unitStructs reads the structs among the children of the unit just read.
func unitStructs(r *dwarf.Reader, names []string, found map[string]map[string]uint64) {
	for len(found) < len(names) {
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
