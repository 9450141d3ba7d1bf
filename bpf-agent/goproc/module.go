package goproc

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
)

// module is what runtime.firstmoduledata says: where the runtime finds its own
// code, functions and types. It is the only place that says where the code
// begins in every version: Go 1.26 leaves the copy in .gopclntab zero.
//
// Nothing points at it in a stripped binary. But its first field points at the
// function table (.gopclntab, which begins with a magic number, and of which
// some linkers drop the section header), and the fields that follow repeat what
// the table's header says in nine ways. So: find the table, find what points at
// it, and take the one place where all of that agrees.
type module struct {
	address       uint64 // of firstmoduledata
	text, etext   uint64
	data, end     uint64 // of writable memory, zeroed included
	types, etypes uint64
	functions     uint64 // number of them
	names         span   // NUL-terminated names of functions
	funcs         span   // index, then records, of functions
	links         links  // types without a name
}

// span is a part of memory, or of a file where that is said.
type span struct{ address, size uint64 }

// pclntabStart is the magic number of Go 1.20 and later, two zeros, the least
// size of an instruction, and the size of a pointer.
// (src/internal/abi/symtab.go, src/runtime/symtab.go: pcHeader)
func pclntabStart(arch architecture) []byte {
	return []byte{0xf1, 0xff, 0xff, 0xff, 0, 0, arch.quantum, 8}
}

// maxCandidates bounds how many places that look right are looked into.
const maxCandidates = 8

func findModule(m *image, minor int) (*module, error) {
	var tables []uint64
	for _, name := range []string{".gopclntab", ".data.rel.ro.gopclntab"} {
		if s := m.elf.Section(name); s != nil && s.Type != elf.SHT_NOBITS {
			tables = append(tables, s.Addr)
		}
	}
	if len(tables) == 0 {
		err := m.find(pclntabStart(m.arch), elf.PF_R, func(address uint64) bool {
			if address%8 == 0 {
				tables = append(tables, address)
			}
			return len(tables) < maxCandidates
		})
		if err != nil {
			return nil, err
		}
	}
	if len(tables) == 0 {
		return nil, errors.New("no .gopclntab, by section or by magic number")
	}
	var found *module
	why := errors.New("nothing in writable memory points at .gopclntab")
	for _, table := range tables {
		places, err := m.pointersTo(table, maxCandidates)
		if err != nil {
			return nil, err
		}
		for _, place := range places {
			mod, err := readModule(m, place, table, minor)
			if err != nil {
				why = err
				continue
			}
			if found != nil {
				return nil, fmt.Errorf("two modules, at %#x and %#x: plugins and shared builds are not supported", found.address, place)
			}
			found = mod
		}
	}
	if found == nil {
		return nil, fmt.Errorf("no runtime.firstmoduledata: %w", why)
	}
	return found, nil
}

// moduleWords is where moduledata has what follows its fields for code and data:
// the part that changes.
type moduleWords struct {
	etypes, textsectmap int // types is before etypes in all
	typelinks           int // a slice, up to Go 1.26; 0 since
	typedesclen         int // since Go 1.27
}

func wordsOf(minor int) moduleWords {
	switch {
	case minor >= 27: // typedesclen, itaboffset and itabsize are new
		return moduleWords{etypes: 39, textsectmap: 45, typedesclen: 38}
	case minor == 26: // epclntab is new
		return moduleWords{etypes: 38, textsectmap: 42, typelinks: 45}
	default:
		return moduleWords{etypes: 38, textsectmap: 41, typelinks: 44}
	}
}

// readModule reads the fields of moduledata at an address, and fails when it is
// not moduledata. Words are numbered as the struct has them, slices as three.
// (src/runtime/symtab.go: moduledata; Go 1.21 to 1.27)
func readModule(m *image, address, table uint64, minor int) (*module, error) {
	h, err := m.words(table, 9)
	if err != nil {
		return nil, err
	}
	start := binary.LittleEndian.AppendUint64(nil, h[0])
	if known := pclntabStart(m.arch); !bytes.Equal(start, known) {
		return nil, fmt.Errorf(".gopclntab starts with % x, known is % x", start, known)
	}
	functions, textStart := h[1], h[3]
	w, err := m.words(address, 48)
	if err != nil {
		return nil, err
	}
	at := wordsOf(minor)
	for _, same := range []struct {
		word int
		want uint64
	}{
		{0, table},
		{1, table + h[4]},  // funcnametab
		{4, table + h[5]},  // cutab
		{7, table + h[6]},  // filetab
		{10, table + h[7]}, // pctab
		{13, table + h[8]}, // pclntable
		{16, table + h[8]}, // ftab
		{17, functions + 1},
		{18, functions + 1},
	} {
		if found := w[same.word]; found != same.want {
			return nil, fmt.Errorf("word %d of moduledata at %#x is %#x, .gopclntab says %#x", same.word, address, found, same.want)
		}
	}
	mod := &module{
		address: address,
		text:    w[22], etext: w[23],
		data: w[24], end: w[34],
		types: w[37], etypes: w[at.etypes],
		functions: functions,
		names:     span{w[1], w[2]},
		funcs:     span{w[13], w[14]},
	}
	var count, room uint64 // of typelinks
	if at.typelinks > 0 {
		count, room = w[at.typelinks+1], w[at.typelinks+2]
		mod.links.table = span{w[at.typelinks], count * 4}
	} else {
		mod.links.size = w[at.typedesclen]
	}
	minpc, maxpc := w[20], w[21]
	switch {
	case functions == 0 || functions > maxRead/8:
		return nil, fmt.Errorf("%d functions, limit %d", functions, maxRead/8)
	case textStart != 0 && textStart != mod.text:
		return nil, fmt.Errorf("code starts at %#x by .gopclntab, at %#x by moduledata", textStart, mod.text)
	case mod.text >= mod.etext || minpc < mod.text || maxpc <= minpc || maxpc-mod.text > 1<<32:
		return nil, fmt.Errorf("code at %#x-%#x, functions at %#x-%#x, do not fit", mod.text, mod.etext, minpc, maxpc)
	case !m.executable(minpc):
		return nil, fmt.Errorf("functions at %#x are not in an executable segment", minpc)
	case mod.types >= mod.etypes || mod.data >= mod.end:
		return nil, fmt.Errorf("types at %#x-%#x, data at %#x-%#x", mod.types, mod.etypes, mod.data, mod.end)
	case w[at.textsectmap+1] > 1:
		return nil, fmt.Errorf("code in %d sections, limit 1", w[at.textsectmap+1])
	case count != room || count > maxRead/4:
		return nil, fmt.Errorf("%d typelinks with room for %d, limit %d", count, room, maxRead/4)
	case mod.links.size > mod.etypes-mod.types:
		return nil, fmt.Errorf("%d bytes of descriptors in %d bytes of types", mod.links.size, mod.etypes-mod.types)
	}
	return mod, nil
}
