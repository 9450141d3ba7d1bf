package goproc

import (
	"cmp"
	"fmt"
	"slices"
)

// instruction is one of a function, at its linked address, as far as it matters
// where a probe may go and what a function hands to another.
type instruction struct {
	address uint64
	bytes   []byte
	flow    flow
	// to is where a jump, a branch or a call goes; direct says that it is known.
	to     uint64
	direct bool
	// push says that it saves what a frame begins with: PUSHQ BP, and on arm64
	// the store of the link register.
	push bool
	// emulated says that the kernel carries it out itself: one trap, where
	// stepping over it takes two.
	emulated bool
	effect   effect
}

func (i instruction) next() uint64 { return i.address + uint64(len(i.bytes)) }

// within says whether it goes to an address in a function.
func (i instruction) within(f Func) bool {
	return i.direct && i.flow != calls && i.to >= f.Address && i.to < f.End
}

// flow says what runs after an instruction.
type flow uint8

const (
	onward   flow = iota // the next one
	calls                // another function, and then the next one
	jumps                // the one it goes to
	branches             // the one it goes to, or the next one
	returns              // the caller
	stops                // nothing that is known
)

func (f flow) String() string {
	return [...]string{"instruction", "call", "jump", "branch", "return", "trap"}[f]
}

// register is a general one by its number, as encoded.
type register int8

const (
	noRegister  register = -1
	anyRegister register = -2 // which, is not understood
)

// effect is what an instruction does to one register, where that is understood:
// enough to follow the address of a variable to where it is used.
type effect struct {
	sets register
	// value is what it sets it to: an address or a constant, plus register base where that is
	// not noRegister; known says that this is all there is to it.
	value uint64
	base  register
	known bool
	// stores is the register that has the address of an atomic store; anyRegister
	// is an address that is not followed.
	stores register
}

// code is the machine code that a binary keeps to find sites in, of
// keptFunctions, by address: the file may be gone by the time of an attachment,
// and is not held open, which would keep a container's file system from being
// unmounted.
type code map[uint64][]byte

// maxCode bounds the code of a function.
const maxCode = 1 << 20

// readCode reads the code of keptFunctions.
func readCode(m *image, t *FuncTable) (code, error) {
	c := code{}
	for _, name := range keptFunctions {
		for _, f := range t.wanted[name] {
			b, err := readFunction(m, f)
			if err != nil {
				return nil, err
			}
			c[f.Address] = b
		}
	}
	return c, nil
}

// readFunction reads the code of a function.
func readFunction(m *image, f Func) ([]byte, error) {
	if f.End-f.Address > maxCode || f.End <= f.Address {
		return nil, fmt.Errorf("%s has %d bytes of code, limit %d", f.Name, f.End-f.Address, maxCode)
	}
	if !m.executable(f.Address) {
		return nil, fmt.Errorf("%s at %#x is not in an executable segment", f.Name, f.Address)
	}
	return m.bytes(f.Address, f.End-f.Address)
}

// of is the code of a function.
func (c code) of(f Func) ([]byte, error) {
	if b, ok := c[f.Address]; ok {
		return b, nil
	}
	return nil, fmt.Errorf("code of %s is not kept: it is not one of the functions that are watched", f.Name)
}

// decode decodes a whole function, for GOARCH arch. It fails unless every byte
// up to the padding is part of an instruction, and every jump inside the
// function goes to the start of one: then we have read what the processor will.
func decode(arch string, f Func, b []byte) ([]instruction, error) {
	step, padding := decodeAMD64, paddingAMD64
	if arch == "arm64" {
		step, padding = decodeARM64, paddingARM64
	}
	var ins []instruction
	for at := 0; at < len(b) && !padding(b[at:]); {
		i, ok := step(f.Address+uint64(at), b[at:])
		if !ok {
			return nil, fmt.Errorf("%s+%d: unknown instruction % x", f.Name, at, b[at:min(len(b), at+8)])
		}
		ins = append(ins, i)
		at += len(i.bytes)
	}
	if len(ins) == 0 {
		return nil, fmt.Errorf("%s has no code", f.Name)
	}
	for _, i := range ins {
		if !i.within(f) {
			continue
		}
		if _, ok := indexOf(ins, i.to); !ok {
			return nil, fmt.Errorf("%s+%d: jumps to +%d, which is inside an instruction", f.Name, i.address-f.Address, i.to-f.Address)
		}
	}
	return ins, nil
}

func indexOf(ins []instruction, address uint64) (int, bool) {
	return slices.BinarySearchFunc(ins, address, func(i instruction, a uint64) int { return cmp.Compare(i.address, a) })
}
