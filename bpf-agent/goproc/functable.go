package goproc

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"iter"
	"slices"
	"sort"
	"sync"
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
// A large program has 100,000 functions and 10 MB of names. Of those it keeps
// where every 64th function starts, the functions that are wanted (kept.go),
// and the names that were asked for; for the others the file is read again, by
// way of a process that runs it: see [Process.Function].
type FuncTable struct {
	text   uint64
	n      int
	end    uint32   // where the last function ends, from text
	starts []uint32 // of every stride-th function, from text
	index  span     // in the file: index of functions, then their records
	names  span     // in the file: NUL-terminated
	wanted map[string][]Func
	called map[uint64]string // the wanted ones, by address

	mu    sync.Mutex
	asked []Func // by address
}

const (
	stride   = 64
	maxAsked = 4096     // names remembered; past it, all are read anew
	maxName  = 64 << 10 // past it, a name is cut
)

// readFuncTable reads the functions of a module, and remembers those that are
// wanted.
func readFuncTable(m *image, mod *module, want func(name string) bool) (*FuncTable, error) {
	t := &FuncTable{text: mod.text}
	var err error
	if t.index, err = m.inFile(mod.funcs); err != nil {
		return nil, err
	}
	if t.names, err = m.inFile(mod.names); err != nil {
		return nil, err
	}
	return t, t.read(m.file, mod.functions, want)
}

// read goes through the table once: per function, the index says where it
// starts and where its record is. A record begins with the start again, and the
// name. (src/runtime/symtab.go: functab; src/runtime/runtime2.go: _func)
func (t *FuncTable) read(file io.ReaderAt, functions uint64, want func(name string) bool) error {
	if t.index.size < 4 || functions == 0 || functions > (t.index.size-4)/8 {
		return fmt.Errorf("%d functions in a table of %d bytes", functions, t.index.size)
	}
	wanted, err := t.wantedNames(file, want)
	if err != nil {
		return err
	}
	t.n = int(functions)
	t.wanted, t.called = map[string][]Func{}, map[uint64]string{}
	index, records := window{file: file, all: t.index}, window{file: file, all: t.index}
	before, last := uint32(0), "" // last is the wanted function whose end is not known yet
	for i := range functions + 1 {
		start, record, err := readEntry(&index, i, i == functions)
		if err != nil {
			return err
		}
		if start < before {
			return fmt.Errorf("function %d of %d starts at %#x, before the one before it", i, functions, start)
		}
		if last != "" {
			of := t.wanted[last]
			of[len(of)-1].End = t.text + uint64(start)
			last = ""
		}
		before = start
		if i == functions {
			t.end = start
			return nil
		}
		if i%stride == 0 {
			t.starts = append(t.starts, start)
		}
		name, err := t.record(&records, record, start)
		if err != nil {
			return fmt.Errorf("function %d of %d: %w", i, functions, err)
		}
		if found, ok := wanted[name]; ok {
			last = found
			t.wanted[found] = append(t.wanted[found], Func{Name: found, Address: t.text + uint64(start)})
			t.called[t.text+uint64(start)] = found
		}
	}
	return nil
}

// readEntry reads an entry of the index: the start of a function from text, and
// where its record is. The one past the last has only the start.
func readEntry(index *window, i uint64, last bool) (start uint32, record uint64, err error) {
	n := uint64(8)
	if last {
		n = 4
	}
	b, err := index.at(i*8, n)
	if err != nil {
		return 0, 0, err
	}
	if !last {
		record = uint64(binary.LittleEndian.Uint32(b[4:]))
	}
	return binary.LittleEndian.Uint32(b), record, nil
}

// record reads where the name of a function is, which must start where the
// index says.
func (t *FuncTable) record(records *window, at uint64, start uint32) (name uint32, err error) {
	b, err := records.at(at, 8)
	if err != nil {
		return 0, fmt.Errorf("its record: %w", err)
	}
	if again := binary.LittleEndian.Uint32(b); again != start {
		return 0, fmt.Errorf("it starts at %#x by the index, at %#x by its record", start, again)
	}
	if name = binary.LittleEndian.Uint32(b[4:]); uint64(name) >= t.names.size {
		return 0, fmt.Errorf("its name is at %d of %d bytes", name, t.names.size)
	}
	return name, nil
}

// wantedNames are the wanted ones among all names, by where they are.
func (t *FuncTable) wantedNames(file io.ReaderAt, want func(name string) bool) (map[uint32]string, error) {
	wanted := map[uint32]string{}
	names := bufio.NewReaderSize(io.NewSectionReader(file, int64(t.names.address), int64(t.names.size)), maxName)
	for at := uint64(0); at < t.names.size; {
		name, err := names.ReadSlice(0)
		if len(name) > 0 && name[len(name)-1] == 0 && want(string(name[:len(name)-1])) {
			wanted[uint32(at)] = printable(name[:len(name)-1])
		}
		at += uint64(len(name))
		for errors.Is(err, bufio.ErrBufferFull) { // none that anybody wants
			name, err = names.ReadSlice(0)
			at += uint64(len(name))
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("reading names: %w", err)
		}
		if err != nil {
			break
		}
	}
	return wanted, nil
}

// printable makes a name safe to show and to send: what no Go compiler writes,
// but a process that wants to harm its reader may.
func printable(name []byte) string {
	name = slices.Clone(name)
	for i := 0; i < len(name); {
		r, n := utf8.DecodeRune(name[i:])
		if r == utf8.RuneError && n == 1 || r < ' ' || r >= 0x7f && r < 0xa0 {
			for j := range n {
				name[i+j] = '?'
			}
		}
		i += n
	}
	return string(name)
}

// Len is how many functions there are.
func (t *FuncTable) Len() int { return t.n }

// Text is the linked address that functions are counted from.
func (t *FuncTable) Text() uint64 { return t.text }

// Lookup finds one of the functions that are wanted (kept.go) by its full name,
// "runtime.execute". A name that two functions have is not found: which one is
// meant would be a guess.
func (t *FuncTable) Lookup(name string) (Func, bool) {
	f, err := t.find(name)
	return f, err == nil
}

func (t *FuncTable) find(name string) (Func, error) {
	switch found := t.wanted[name]; {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return Func{}, fmt.Errorf("two functions are called %s, at %#x and %#x", name, found[0].Address, found[1].Address)
	case !wantedFunction(name):
		return Func{}, fmt.Errorf("%s is not one of the functions that are looked for", name)
	}
	return Func{}, fmt.Errorf("no function is called %s (inlined, or not linked in)", name)
}

// starting is the wanted function that starts at a linked address, "" when none
// does.
func (t *FuncTable) starting(address uint64) string { return t.called[address] }

// remembered is the name of the function that holds a linked address: "" and
// true when none does, false when the file must tell.
func (t *FuncTable) remembered(pc uint64) (name string, known bool) {
	if pc < t.text || pc-t.text >= uint64(t.end) || t.n == 0 {
		return "", true
	}
	if name, ok := t.called[pc]; ok {
		return name, true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if i := t.position(pc); i > 0 && pc < t.asked[i-1].End {
		return t.asked[i-1].Name, true
	}
	return "", false
}

// position is how many of the functions asked for start at or before an address.
func (t *FuncTable) position(pc uint64) int {
	return sort.Search(len(t.asked), func(i int) bool { return t.asked[i].Address > pc })
}

// name reads the name of the function that holds a linked address from the
// file, "" when none does.
func (t *FuncTable) name(file io.ReaderAt, pc uint64) (string, error) {
	if name, known := t.remembered(pc); known {
		return name, nil
	}
	at := uint32(pc - t.text)
	// The last block, and in it the last function, that starts at or before pc:
	// some are empty.
	block := sort.Search(len(t.starts), func(i int) bool { return t.starts[i] > at }) - 1
	if block < 0 {
		return "", nil
	}
	index := window{file: file, all: t.index}
	found, record, start := -1, uint64(0), uint32(0)
	for i := block * stride; i < min(t.n, (block+1)*stride); i++ {
		s, r, err := readEntry(&index, uint64(i), false)
		if err != nil {
			return "", err
		}
		if i == block*stride && s != t.starts[block] {
			return "", fmt.Errorf("function %d starts at %#x, and did at %#x: the file is another one", i, s, t.starts[block])
		}
		if s > at {
			break
		}
		found, record, start = i, r, s
	}
	if found < 0 {
		return "", nil
	}
	end, _, err := readEntry(&index, uint64(found)+1, found+1 == t.n)
	if err != nil {
		return "", err
	}
	place, err := t.record(&index, record, start)
	if err != nil {
		return "", fmt.Errorf("function %d of %d: %w", found, t.n, err)
	}
	name, _, err := nameAt(&window{file: file, all: t.names}, place, "")
	if err != nil {
		return "", fmt.Errorf("function %d of %d: %w", found, t.n, err)
	}
	f := Func{name, t.text + uint64(start), t.text + uint64(end)}
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.asked) >= maxAsked {
		t.asked = nil
	}
	if i := t.position(f.Address); i == 0 || t.asked[i-1].Address != f.Address {
		t.asked = slices.Insert(t.asked, i, f)
	}
	return name, nil
}

// nameAt reads a name, which begins where another has ended; false when it does
// not begin with a prefix.
func nameAt(names *window, at uint32, prefix string) (string, bool, error) {
	left := names.all.size - uint64(at)
	if at > 0 {
		b, err := names.at(uint64(at)-1, 1)
		if err != nil {
			return "", false, err
		}
		if b[0] != 0 {
			return "", false, fmt.Errorf("its name is at %d, inside another", at)
		}
	}
	for n := uint64(256); ; n *= 4 {
		n = min(n, maxName, left)
		b, err := names.at(uint64(at), n)
		if err != nil {
			return "", false, err
		}
		if !bytes.HasPrefix(b, []byte(prefix)) {
			return "", false, nil
		}
		if end := bytes.IndexByte(b, 0); end >= 0 {
			return printable(b[:end]), true, nil
		}
		if n == min(maxName, left) {
			return printable(b), true, nil
		}
	}
}

// all reads every function, with its name, that begins with a prefix.
func (t *FuncTable) all(file io.ReaderAt, prefix string) iter.Seq2[Func, error] {
	return func(yield func(Func, error) bool) {
		index, records, names := window{file: file, all: t.index}, window{file: file, all: t.index}, window{file: file, all: t.names}
		one := func(i uint64) (f Func, is bool, err error) {
			start, record, err := readEntry(&index, i, false)
			if err != nil {
				return Func{}, false, err
			}
			at, err := t.record(&records, record, start)
			if err != nil {
				return Func{}, false, err
			}
			name, is, err := nameAt(&names, at, prefix)
			if err != nil || !is {
				return Func{}, false, err
			}
			end, _, err := readEntry(&index, i+1, i+1 == uint64(t.n))
			return Func{name, t.text + uint64(start), t.text + uint64(end)}, true, err
		}
		for i := range uint64(t.n) {
			f, is, err := one(i)
			if err != nil {
				yield(Func{}, fmt.Errorf("function %d of %d: %w", i, t.n, err))
				return
			}
			if is && !yield(f, nil) {
				return
			}
		}
	}
}

// window is a part of a file that is read from front to end, a piece at a time.
type window struct {
	file io.ReaderAt
	all  span // in the file

	from  uint64 // in all, of piece
	piece []byte
}

// windowSize is how much is read at once.
const windowSize = 8 << 10

// at is n bytes at an offset, until the next call.
func (w *window) at(offset, n uint64) ([]byte, error) {
	if offset > w.all.size || n > w.all.size-offset {
		return nil, fmt.Errorf("%d bytes at %d of %d", n, offset, w.all.size)
	}
	if offset < w.from || offset-w.from > uint64(len(w.piece)) || n > uint64(len(w.piece))-(offset-w.from) {
		size := min(max(n, windowSize), w.all.size-offset)
		if uint64(cap(w.piece)) < size {
			w.piece = make([]byte, size)
		}
		w.from, w.piece = offset, w.piece[:size]
		if _, err := w.file.ReadAt(w.piece, int64(w.all.address+offset)); err != nil {
			w.piece = w.piece[:0]
			return nil, fmt.Errorf("reading %d bytes at %d of the file: %w", size, w.all.address+offset, err)
		}
	}
	return w.piece[offset-w.from:][:n], nil
}
