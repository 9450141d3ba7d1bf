package goproc

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"strings"
)

// types are the type descriptors that a Go binary keeps for reflection and the
// collector: they have the offset of each field of each struct, and survive
// stripping. All of a module's lie in one range.
// (src/internal/abi/type.go; the layout is the same in Go 1.23-1.26)
type types struct {
	base  uint64 // linked address
	bytes []byte
	word  func(address uint64, b []byte) uint64 // what 8 bytes there will be
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

func readTypes(m *image, mod *module) (*types, error) {
	b, err := m.bytes(mod.types, mod.etypes-mod.types)
	if err != nil {
		return nil, err
	}
	return &types{mod.types, b, m.relocated}, nil
}

// at is n bytes at a linked address.
func (t *types) at(address, n uint64) ([]byte, error) {
	size := uint64(len(t.bytes))
	if address < t.base || address-t.base > size || n > size-(address-t.base) {
		return nil, fmt.Errorf("%d bytes at %#x are outside the types, %#x-%#x", n, address, t.base, t.base+size)
	}
	return t.bytes[address-t.base:][:n], nil
}

func (t *types) pointer(address uint64) (uint64, error) {
	b, err := t.at(address, 8)
	if err != nil {
		return 0, err
	}
	return t.word(address, b), nil
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

// named is the name of a type, and its kind.
func (t *types) named(address uint64) ([]byte, int, error) {
	b, err := t.at(address, typeSize)
	if err != nil {
		return nil, 0, err
	}
	name, err := t.name(t.base + uint64(binary.LittleEndian.Uint32(b[40:])))
	if err != nil {
		return nil, 0, err
	}
	if b[20]&flagStar != 0 && len(name) > 0 {
		name = name[1:]
	}
	return name, int(b[23]) & kindMask, nil
}

// structs finds structs by their full names, "net/http.Request", by way of the
// types of pointers to them, which have no name of their own and so are listed
// as typelinks. It leaves out those that are not there, or are not told apart.
func (t *types) structs(typelinks []byte, names ...string) (map[string]map[string]uint64, error) {
	short := map[string][]string{} // "*http.Request": the names it may be
	for _, name := range names {
		short["*"+shortName(name)] = append(short["*"+shortName(name)], name)
	}
	found, twice := map[string]map[string]uint64{}, map[string]bool{}
	for ; len(typelinks) >= 4; typelinks = typelinks[4:] {
		link := t.base + uint64(binary.LittleEndian.Uint32(typelinks))
		pointer, kind, err := t.named(link)
		if err != nil {
			return nil, fmt.Errorf("typelink: %w", err)
		}
		wanted := short[string(pointer)]
		if kind != kindPointer || len(wanted) == 0 {
			continue
		}
		pkg, fields, err := t.fields(link)
		if err != nil {
			return nil, fmt.Errorf("type %s: %w", pointer, err)
		}
		name := pkg + string(pointer[bytes.IndexByte(pointer, '.'):])
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
	size := binary.LittleEndian.Uint64(b)
	from, err := t.name(t.base + uint64(binary.LittleEndian.Uint32(b[structSize:]))) // UncommonType: PkgPath
	if err != nil {
		return "", nil, err
	}
	first, err := t.pointer(elem + typeSize + 8) // StructType: PkgPath, Fields
	if err != nil {
		return "", nil, err
	}
	n := binary.LittleEndian.Uint64(b[typeSize+16:])
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
		b, err := t.at(field+16, 8)
		if err != nil {
			return "", nil, err
		}
		offset := binary.LittleEndian.Uint64(b)
		if offset > size || offset > math.MaxUint32 {
			return "", nil, fmt.Errorf("field %s is outside the struct", name)
		}
		offsets[string(name)] = offset
	}
	return string(from[:min(len(from), maxText)]), offsets, nil
}
