package goproc

import (
	"encoding/binary"
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// Func is a function of a binary, at its linked addresses.
type Func struct {
	Name         string
	Address, End uint64 // [Address, End), padding included
}

// FuncTable names the functions of a binary, as runtime.FuncForPC and profiles
// do: it is read from .gopclntab, which is in stripped binaries too. A symbol
// table names generic functions otherwise, and would split one function in two
// where one release is stripped and the next is not; it serves as a check.
//
// It keeps 8 bytes a function, and the names.
type FuncTable struct {
	text   uint64
	starts []uint32 // offsets from text, ascending; one more than names, where the last ends
	names  []uint32 // offsets in table
	table  string   // NUL-terminated
}

// readFuncTable reads the functions of a module.
func readFuncTable(m *image, mod *module) (*FuncTable, error) {
	funcs, err := m.bytes(mod.funcs.address, mod.funcs.size)
	if err != nil {
		return nil, err
	}
	names, err := m.bytes(mod.names.address, mod.names.size)
	if err != nil {
		return nil, err
	}
	return parseFuncTable(mod.text, mod.functions, funcs, names)
}

// parseFuncTable reads the index: per function, where it starts and where its
// record is. A record begins with the start again, and the name.
// (src/runtime/symtab.go: functab; src/runtime/runtime2.go: _func)
func parseFuncTable(text, functions uint64, funcs, names []byte) (*FuncTable, error) {
	size := uint64(len(funcs))
	if functions == 0 || size < 4 || functions > (size-4)/8 {
		return nil, fmt.Errorf("%d functions in a table of %d bytes", functions, size)
	}
	le := binary.LittleEndian
	t := &FuncTable{text: text, starts: make([]uint32, functions+1), names: make([]uint32, functions)}
	t.starts[functions] = le.Uint32(funcs[functions*8:])
	for i := range functions {
		start, record := le.Uint32(funcs[i*8:]), uint64(le.Uint32(funcs[i*8+4:]))
		if record > size-8 {
			return nil, fmt.Errorf("function %d of %d has its record at %d of %d bytes", i, functions, record, size)
		}
		again, name := le.Uint32(funcs[record:]), le.Uint32(funcs[record+4:])
		switch {
		case again != start:
			return nil, fmt.Errorf("function %d of %d starts at %#x by the index, at %#x by its record", i, functions, start, again)
		case i > 0 && start < t.starts[i-1]:
			return nil, fmt.Errorf("function %d of %d starts at %#x, before the one before it", i, functions, start)
		case uint64(name) >= uint64(len(names)):
			return nil, fmt.Errorf("function %d of %d has its name at %d of %d bytes", i, functions, name, len(names))
		case name > 0 && names[name-1] != 0:
			return nil, fmt.Errorf("function %d of %d has its name at %d, inside another", i, functions, name)
		}
		t.starts[i], t.names[i] = start, name
	}
	if t.starts[functions] < t.starts[functions-1] {
		return nil, fmt.Errorf("the last function ends at %#x, before it starts", t.starts[functions])
	}
	t.table = printable(names)
	return t, nil
}

// printable makes names safe to show and to send, in place: what no Go compiler
// writes, but a process that wants to harm its reader may.
func printable(names []byte) string {
	for i := 0; i < len(names); {
		r, n := utf8.DecodeRune(names[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' && r != 0 || r >= 0x7f && r < 0xa0 {
			for j := range n {
				names[i+j] = '?'
			}
		}
		i += n
	}
	return string(names)
}

// maxName bounds a name: past it, it is cut.
const maxName = 64 << 10

// Len is how many functions there are.
func (t *FuncTable) Len() int { return len(t.names) }

// Text is the linked address where the code begins.
func (t *FuncTable) Text() uint64 { return t.text }

// At is the i-th function by address.
func (t *FuncTable) At(i int) Func {
	name := t.table[t.names[i]:]
	name = name[:min(len(name), maxName)]
	if end := strings.IndexByte(name, 0); end >= 0 {
		name = name[:end]
	}
	return Func{Name: name, Address: t.text + uint64(t.starts[i]), End: t.text + uint64(t.starts[i+1])}
}

// within says whether the i-th function is of a package, "runtime.".
func (t *FuncTable) within(i int, prefix string) bool {
	return strings.HasPrefix(t.table[t.names[i]:], prefix)
}

// Lookup finds a function by its full name, "runtime.execute". A name that two
// functions have is not found: which one is meant would be a guess.
func (t *FuncTable) Lookup(name string) (Func, bool) {
	f, err := t.find(name)
	return f, err == nil
}

func (t *FuncTable) find(name string) (Func, error) {
	found := -1
	for i, at := range t.names {
		rest := t.table[at:]
		if !strings.HasPrefix(rest, name) || len(rest) > len(name) && rest[len(name)] != 0 {
			continue
		}
		if found >= 0 {
			return Func{}, fmt.Errorf("two functions are called %s, at %#x and %#x", name, t.At(found).Address, t.At(i).Address)
		}
		found = i
	}
	if found < 0 {
		return Func{}, fmt.Errorf("no function is called %s (inlined, or not linked in)", name)
	}
	return t.At(found), nil
}

// Name is the function that holds a linked address, "" when none does.
func (t *FuncTable) Name(pc uint64) string {
	i, ok := t.index(pc)
	if !ok {
		return ""
	}
	return t.At(i).Name
}

// Function is the function that holds an address in the memory of the process,
// "" when none does, or when it can't be told any more.
func (p *Process) Function(pc uint64) string { return p.Binary.Functions.Name(pc - p.LoadBias) }

func (t *FuncTable) index(pc uint64) (int, bool) {
	if pc < t.text || pc-t.text >= uint64(t.starts[len(t.names)]) {
		return 0, false
	}
	at := uint32(pc - t.text)
	// The last that starts at or before pc: some are empty.
	i := sort.Search(len(t.names), func(i int) bool { return t.starts[i] > at }) - 1
	return i, i >= 0
}
