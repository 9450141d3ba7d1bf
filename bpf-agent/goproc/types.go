package goproc

import (
	"encoding/binary"
	"fmt"
	"iter"
	"math"
	"slices"
	"sort"
	"strings"
)

// types are the type descriptors that a Go binary keeps for reflection and the
// collector: they have the offset of each field of each struct, and survive
// stripping. All of a module's lie in one range.
// (src/internal/abi/type.go; the layout is the same in Go 1.21-1.27)
type types struct {
	base, end uint64 // linked addresses
	// read reads n bytes at an address in the range, and word the 8 bytes that
	// will be there once relocated.
	read func(address, n uint64) ([]byte, error)
	word func(address uint64) (uint64, error)
	// links are the descriptors of types that have no name of their own: those
	// of pointers, by which structs are found.
	links links
}

// links are where the descriptors of types without a name are.
type links struct {
	// Up to Go 1.26, a table of offsets from the base, in the order of what the
	// types are called.
	table span
	// Since Go 1.27, the descriptors themselves, one after the other, in this
	// many bytes from the base.
	size uint64
}

const (
	typeSize    = 48 // abi.Type
	kindMask    = 1<<5 - 1
	kindPointer = 22
	kindStruct  = 25
	structSize  = typeSize + 32 // abi.StructType; a named one's abi.UncommonType follows
	// A named type, or one with methods; its name has a * in front that is not meant.
	flagUncommon, flagStar = 1 << 0, 1 << 1
	maxFields              = 4096
)

func readTypes(m *image, mod *module) *types {
	return &types{
		base: mod.types, end: mod.etypes,
		read: m.cached,
		word: func(address uint64) (uint64, error) {
			b, err := m.cached(address, 8)
			if err != nil {
				return 0, err
			}
			return m.relocated(address, b), nil
		},
		links: mod.links,
	}
}

// at is n bytes at a linked address, until the next call.
func (t *types) at(address, n uint64) ([]byte, error) {
	if address < t.base || address > t.end || n > t.end-address {
		return nil, fmt.Errorf("%d bytes at %#x are outside the types, %#x-%#x", n, address, t.base, t.end)
	}
	return t.read(address, n)
}

func (t *types) pointer(address uint64) (uint64, error) {
	if _, err := t.at(address, 8); err != nil {
		return 0, err
	}
	return t.word(address)
}

// name reads an abi.Name: flags, length as a varint, bytes.
func (t *types) name(address uint64) ([]byte, error) {
	length, shift := uint64(0), 0
	for at := address + 1; ; at++ {
		b, err := t.at(at, 1)
		if err != nil {
			return nil, err
		}
		length |= uint64(b[0]&0x7f) << shift
		if shift += 7; b[0]&0x80 != 0 && shift <= 21 {
			continue
		}
		return t.at(at+1, length)
	}
}

// named is the name of a type, until the next call, and its kind.
func (t *types) named(address uint64) ([]byte, int, error) {
	b, err := t.at(address, typeSize)
	if err != nil {
		return nil, 0, err
	}
	star, kind := b[20]&flagStar != 0, int(b[23])&kindMask
	name, err := t.name(t.base + uint64(binary.LittleEndian.Uint32(b[40:])))
	if err != nil {
		return nil, 0, err
	}
	if star && len(name) > 0 {
		name = name[1:]
	}
	return name, kind, nil
}

// structs finds structs by their full names, "net/http.Request", by way of the
// types of pointers to them. It leaves out those that are not there, or are not
// told apart.
func (t *types) structs(names ...string) (map[string]map[string]uint64, error) {
	short := map[string][]string{} // "*http.Request": the names it may be
	for _, name := range names {
		short["*"+shortName(name)] = append(short["*"+shortName(name)], name)
	}
	found, twice := map[string]map[string]uint64{}, map[string]bool{}
	for pointer, err := range t.pointers(short) {
		if err != nil {
			return nil, err
		}
		called, kind, err := t.named(pointer)
		if err != nil {
			return nil, err
		}
		wanted := short[string(called)]
		if kind != kindPointer || len(wanted) == 0 {
			continue
		}
		star := string(called)
		pkg, fields, err := t.fields(pointer)
		if err != nil {
			return nil, fmt.Errorf("type %s: %w", star, err)
		}
		name := pkg + star[strings.IndexByte(star, '.'):]
		if fields == nil || !slices.Contains(wanted, name) {
			continue // some/other/http, or a *http.Request that is no struct
		}
		// A type that is local to a function is called like one of its package.
		twice[name] = found[name] != nil
		found[name] = fields
	}
	for name := range twice {
		if twice[name] {
			delete(found, name)
		}
	}
	return found, nil
}

// pointers goes through the types without a name, or the part of them that may
// be called one of the names.
func (t *types) pointers(names map[string][]string) iter.Seq2[uint64, error] {
	if t.links.size > 0 {
		return t.inARow
	}
	return func(yield func(uint64, error) bool) {
		for name := range names {
			for i := t.search(name); i < t.links.table.size/4; i++ {
				at, err := t.link(i)
				if err != nil {
					yield(0, err)
					return
				}
				called, _, err := t.named(at)
				if err != nil {
					yield(0, fmt.Errorf("typelink %d: %w", i, err))
					return
				}
				if string(called) != name {
					break
				}
				if !yield(at, nil) {
					return
				}
			}
		}
	}
}

// search is the first typelink that is called a name, or where it would be.
func (t *types) search(name string) uint64 {
	return uint64(sort.Search(int(t.links.table.size/4), func(i int) bool {
		at, err := t.link(uint64(i))
		if err != nil {
			return true
		}
		called, _, err := t.named(at)
		return err != nil || string(called) >= name
	}))
}

func (t *types) link(i uint64) (uint64, error) {
	b, err := t.read(t.links.table.address+i*4, 4)
	if err != nil {
		return 0, err
	}
	return t.base + uint64(binary.LittleEndian.Uint32(b)), nil
}

// inARow goes through the descriptors that lie one after the other.
// (src/runtime/type.go: moduleTypelinks; src/internal/abi/type.go: DescriptorSize)
func (t *types) inARow(yield func(uint64, error) bool) {
	for at := t.base + 8; at < t.base+t.links.size; {
		if !yield(at, nil) {
			return
		}
		size, err := t.size(at)
		if err != nil {
			yield(0, err)
			return
		}
		at = (at + size + 7) &^ 7
	}
}

// size is how many bytes a descriptor takes, in Go 1.27.
func (t *types) size(at uint64) (uint64, error) {
	b, err := t.at(at, typeSize)
	if err != nil {
		return 0, err
	}
	uncommon, kind := b[20]&flagUncommon != 0, b[23]&kindMask
	size := uint64(typeSize)
	var listOf, each uint64 // where the length of a list is, and its element's size
	switch {
	case kind == 17: // Array
		size += 24
	case kind == 18: // Chan
		size += 16
	case kind == 19: // Func
		size += 8
	case kind == 20: // Interface
		size, listOf, each = size+32, at+typeSize+16, 8
	case kind == 21: // Map
		size += 88
	case kind == kindPointer, kind == 23: // Slice
		size += 8
	case kind == kindStruct:
		size, listOf, each = structSize, at+typeSize+16, 24
	case kind == 0 || kind > 26:
		return 0, fmt.Errorf("a type of kind %d at %#x", kind, at)
	}
	var more uint64
	switch {
	case kind == 19:
		if b, err = t.at(at+typeSize, 4); err != nil {
			return 0, err
		}
		in, out := binary.LittleEndian.Uint16(b), binary.LittleEndian.Uint16(b[2:])&(1<<15-1)
		more = 8 * (uint64(in) + uint64(out))
	case listOf != 0:
		if b, err = t.at(listOf, 8); err != nil {
			return 0, err
		}
		n := binary.LittleEndian.Uint64(b)
		if n > math.MaxUint16 {
			return 0, fmt.Errorf("a type of %d parts at %#x, limit %d", n, at, math.MaxUint16)
		}
		more = n * each
	}
	if uncommon {
		if b, err = t.at(at+size, 16); err != nil {
			return 0, err
		}
		more += 16 + 16*uint64(binary.LittleEndian.Uint16(b[4:]))
	}
	return size + more, nil
}

// shortName is what a type descriptor calls a type: "http.Request".
func shortName(full string) string { return full[strings.LastIndexByte(full, '/')+1:] }

// fields reads the offsets of the fields of the struct that a pointer type
// points to, and the path of its package: none when it is no named struct.
func (t *types) fields(pointer uint64) (pkg string, offsets map[string]uint64, err error) {
	elem, err := t.pointer(pointer + typeSize)
	if err != nil {
		return "", nil, err
	}
	b, err := t.at(elem, structSize+4)
	if err != nil {
		return "", nil, err
	}
	if b[23]&kindMask != kindStruct || b[20]&flagUncommon == 0 {
		return "", nil, nil
	}
	size, n := binary.LittleEndian.Uint64(b), binary.LittleEndian.Uint64(b[typeSize+16:])
	from, err := t.name(t.base + uint64(binary.LittleEndian.Uint32(b[structSize:]))) // UncommonType: PkgPath
	if err != nil {
		return "", nil, err
	}
	pkg = string(from[:min(len(from), maxText)])
	first, err := t.pointer(elem + typeSize + 8) // StructType: PkgPath, Fields
	if err != nil {
		return "", nil, err
	}
	if n > maxFields {
		return "", nil, fmt.Errorf("%d fields, limit %d", n, maxFields)
	}
	offsets = map[string]uint64{}
	for i := range n {
		field := first + i*24 // Name, Typ, Offset
		nameAt, err := t.pointer(field)
		if err != nil {
			return "", nil, err
		}
		name, err := t.name(nameAt)
		if err != nil {
			return "", nil, err
		}
		if len(name) > maxText {
			return "", nil, fmt.Errorf("a field has a name of %d bytes, limit %d", len(name), maxText)
		}
		called := string(name)
		b, err := t.at(field+16, 8)
		if err != nil {
			return "", nil, err
		}
		offset := binary.LittleEndian.Uint64(b)
		if offset > size || offset > math.MaxUint32 {
			return "", nil, fmt.Errorf("field %s is outside the struct", called)
		}
		offsets[called] = offset
	}
	return pkg, offsets, nil
}
