package goproc

import (
	"bytes"
	"fmt"
	"slices"

	"golang.org/x/arch/x86/x86asm"
)

// instruction is one of a function, at its linked address.
type instruction struct {
	x86asm.Inst
	address uint64
	bytes   []byte
}

func (i instruction) next() uint64 { return i.address + uint64(i.Len) }

// target is where a direct jump or call goes.
func (i instruction) target() (uint64, bool) {
	rel, ok := i.Args[0].(x86asm.Rel)
	return i.next() + uint64(int64(rel)), ok
}

// conditional says whether it is a Jcc, of which the kernel emulates both
// forms, when no prefix changes their size.
// (arch/x86/kernel/uprobes.c: branch_setup_xol_ops)
func (i instruction) conditional() bool {
	b := i.bytes
	return b[0]&0xf0 == 0x70 || len(b) > 1 && b[0] == 0x0f && b[1]&0xf0 == 0x80
}

func (i instruction) jump() bool {
	_, direct := i.Args[0].(x86asm.Rel)
	return i.Op == x86asm.JMP || direct && i.Op != x86asm.CALL && i.Op != x86asm.XBEGIN
}

// code is the machine code that a binary keeps to find sites in, of
// keptFunctions, by address: the file may be gone by the time of an attachment,
// and is not held open, which would keep a container's file system from being
// unmounted.
type code map[uint64][]byte

// maxCode bounds the code of a function.
const maxCode = 1 << 20

func readCode(m *image, t *FuncTable, keep func(name string) bool) (code, error) {
	c := code{}
	for i := range t.Len() {
		if f := t.At(i); f.End > f.Address && keep(f.Name) {
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
	if f.End-f.Address > maxCode {
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

// decode decodes a whole function. It fails unless every byte up to the padding
// is part of an instruction, and every jump inside the function goes to the
// start of one: then we have read what the processor will.
func decode(f Func, b []byte) ([]instruction, error) {
	var ins []instruction
	for at := 0; at < len(b); {
		if b[at] == 0xcc && bytes.Count(b[at:], []byte{0xcc}) == len(b)-at {
			break // padding: INT3 to the end
		}
		i, err := x86asm.Decode(b[at:], 64)
		known := err == nil && i.Op != 0 && i.Len > 0
		if vector, n := vex(b[at:]); vector {
			i, known = x86asm.Inst{Len: n}, n > 0
		}
		if !known {
			return nil, fmt.Errorf("%s+%d: unknown instruction % x", f.Name, at, b[at:min(len(b), at+8)])
		}
		ins = append(ins, instruction{i, f.Address + uint64(at), b[at : at+i.Len]})
		at += i.Len
	}
	if len(ins) == 0 {
		return nil, fmt.Errorf("%s has no code", f.Name)
	}
	for _, i := range ins {
		to, ok := i.target()
		if !ok || !i.jump() || to < f.Address || to >= f.End {
			continue
		}
		if _, ok := indexOf(ins, to); !ok {
			return nil, fmt.Errorf("%s+%d: jumps to +%d, which is inside an instruction", f.Name, i.address-f.Address, to-f.Address)
		}
	}
	return ins, nil
}

// vex says whether an instruction is encoded with VEX or EVEX, and how long it
// is: 0 when that is not known, as for all of EVEX. x86asm takes some of them
// for others, of another length, and says nothing. None of them jumps, calls or
// returns. Go has them in assembly, and in what it compiles with GOAMD64=v3.
// (Intel SDM volume 2, 2.3: VEX; 2.1.3: ModR/M and SIB)
func vex(b []byte) (is bool, n int) {
	var opcodes byte // which table of opcodes: 0F, 0F38, 0F3A
	switch b[0] {
	case 0xc5:
		opcodes, n = 1, 2
	case 0xc4:
		if len(b) < 2 {
			return true, 0
		}
		opcodes, n = b[1]&0x1f, 3
	case 0x62:
		return true, 0
	case 0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3:
		// A prefix: Go puts none before VEX.
		if len(b) > 1 {
			is, _ = vex(b[1:])
		}
		return is, 0
	default:
		return false, 0
	}
	if opcodes < 1 || opcodes > 3 || len(b) < n+1 {
		return true, 0
	}
	opcode := b[n]
	n++
	if opcodes == 1 && opcode == 0x77 { // VZEROUPPER, VZEROALL: no operands
		return true, n
	}
	if len(b) < n+2 {
		return true, 0
	}
	mod, rm := b[n]>>6, b[n]&7
	base := rm
	n++
	if mod != 3 && rm == 4 { // SIB
		base = b[n] & 7
		n++
	}
	switch {
	case mod == 1:
		n++
	case mod == 2, mod == 0 && base == 5: // and relative to RIP
		n += 4
	}
	switch {
	case opcodes == 3:
		n++ // an immediate byte
	case opcodes == 1:
		switch opcode {
		case 0x70, 0x71, 0x72, 0x73, 0xc2, 0xc4, 0xc5, 0xc6:
			n++
		}
	}
	if n > len(b) {
		return true, 0
	}
	return true, n
}

func indexOf(ins []instruction, address uint64) (int, bool) {
	return slices.BinarySearchFunc(ins, address, func(i instruction, a uint64) int {
		switch {
		case i.address < a:
			return -1
		case i.address > a:
			return 1
		}
		return 0
	})
}
