package goproc

import (
	"encoding/binary"
	"fmt"
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
	flagStar    = 1 << 1 // the name has a * in front that is not meant
	maxFields   = 4096
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

// structs finds structs of package runtime by their names, "g", by way of the
// types of pointers to them, which have no name of their own and so are listed
// as typelinks.
func (t *types) structs(typelinks []byte, names ...string) (map[string]map[string]uint64, error) {
	found := map[string]map[string]uint64{}
	for ; len(typelinks) >= 4; typelinks = typelinks[4:] {
		link := t.base + uint64(binary.LittleEndian.Uint32(typelinks))
		pointer, kind, err := t.named(link)
		if err != nil {
			return nil, fmt.Errorf("typelink: %w", err)
		}
		if kind != kindPointer {
			continue
		}
		for _, name := range names {
			if string(pointer) != "*runtime."+name {
				continue
			}
			pkg, fields, err := t.fields(link, "runtime."+name)
			if err != nil {
				return nil, fmt.Errorf("type %s: %w", pointer, err)
			}
			if pkg != "runtime" { // some/other/runtime
				continue
			}
			if found[name] != nil {
				return nil, fmt.Errorf("two types are called %s", pointer)
			}
			found[name] = fields
		}
	}
	for _, name := range names {
		if found[name] == nil {
			return nil, fmt.Errorf("no type descriptor of runtime.%s", name)
		}
	}
	return found, nil
}

// fields reads the offsets of the fields of the struct that a pointer type
// points to, and its package.
func (t *types) fields(pointer uint64, want string) (pkg string, offsets map[string]uint64, err error) {
	elem, err := t.pointer(pointer + typeSize)
	if err != nil {
		return "", nil, err
	}
	name, kind, err := t.named(elem)
	if err != nil {
		return "", nil, err
	}
	if string(name) != want || kind != kindStruct {
		return "", nil, fmt.Errorf("it points to %.100q of kind %d", name, kind)
	}
	size, err := t.at(elem, 8)
	if err != nil {
		return "", nil, err
	}
	var w [3]uint64 // StructType: PkgPath, Fields
	for i := range w {
		if w[i], err = t.pointer(elem + typeSize + uint64(i)*8); err != nil {
			return "", nil, err
		}
	}
	from, err := t.name(w[0])
	if err != nil {
		return "", nil, err
	}
	if w[2] > maxFields {
		return "", nil, fmt.Errorf("%d fields, limit %d", w[2], maxFields)
	}
	offsets = map[string]uint64{}
	for i := range w[2] {
		field := w[1] + i*24 // Name, Typ, Offset
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
		if offset > binary.LittleEndian.Uint64(size) {
			return "", nil, fmt.Errorf("field %s is outside the struct", name)
		}
		offsets[string(name)] = offset
	}
	return string(from[:min(len(from), maxText)]), offsets, nil
}
