package goproc

import (
	"golang.org/x/arch/x86/x86asm"
)

// decodeAMD64 decodes the instruction that b begins with.
func decodeAMD64(address uint64, b []byte) (instruction, bool) {
	if vector, n := vex(b); vector {
		return instruction{address: address, bytes: b[:n], effect: effect{sets: anyRegister, stores: noRegister}}, n > 0
	}
	x, err := x86asm.Decode(b, 64)
	if err != nil || x.Op == 0 || x.Len <= 0 {
		return instruction{}, false
	}
	i := instruction{address: address, bytes: b[:x.Len], push: b[0] == 0x55, effect: effectAMD64(address, x)}
	rel, direct := x.Args[0].(x86asm.Rel)
	if direct {
		i.to, i.direct = i.next()+uint64(int64(rel)), true
	}
	switch x.Op {
	case x86asm.CALL:
		i.flow = calls
	case x86asm.JMP:
		i.flow = jumps
	case x86asm.RET:
		i.flow = returns
	case x86asm.LRET, x86asm.UD2, x86asm.INT, x86asm.SYSCALL, x86asm.IRET, x86asm.IRETD, x86asm.IRETQ, x86asm.HLT, x86asm.XBEGIN:
		i.flow = stops
	default:
		if direct { // Jcc, LOOP, JRCXZ
			i.flow = branches
		}
	}
	// The one-byte PUSHQ BP, CALL rel32, and both forms of Jcc, when no prefix
	// changes their size. (arch/x86/kernel/uprobes.c: push_setup_xol_ops,
	// branch_setup_xol_ops)
	i.emulated = i.push || b[0] == 0xe8 || b[0]&0xf0 == 0x70 || x.Len > 1 && b[0] == 0x0f && b[1]&0xf0 == 0x80
	return i, true
}

// paddingAMD64 says whether only padding is left: INT3 to the end.
func paddingAMD64(b []byte) bool {
	for _, c := range b {
		if c != 0xcc {
			return false
		}
	}
	return true
}

func effectAMD64(address uint64, x x86asm.Inst) effect {
	e := effect{sets: anyRegister, base: noRegister, stores: noRegister}
	if memory, ok := x.Args[0].(x86asm.Mem); ok && x.Op == x86asm.XCHG {
		e.stores = anyRegister // an address that is not followed
		if memory.Index == 0 && memory.Disp == 0 && memory.Segment == 0 {
			e.stores = registerAMD64(memory.Base)
		}
	}
	switch x.Op {
	case x86asm.NOP:
		e.sets = noRegister
	case x86asm.LEA:
		e.sets = registerAMD64(x.Args[0])
		if m, ok := x.Args[1].(x86asm.Mem); ok && m.Base == x86asm.RIP && m.Index == 0 && m.Segment == 0 {
			e.value, e.known = address+uint64(x.Len)+uint64(m.Disp), true
		}
	case x86asm.MOV:
		e.sets = registerAMD64(x.Args[0])
		r, whole := x.Args[0].(x86asm.Reg)
		// Writing 32 bits clears the others.
		whole = whole && (r >= x86asm.EAX && r <= x86asm.R15L || r >= x86asm.RAX && r <= x86asm.R15)
		if constant, ok := x.Args[1].(x86asm.Imm); ok && whole && constant >= 0 {
			e.value, e.known = uint64(constant), true
		}
	// What writes nothing but its first operand, and flags.
	case x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.XOR, x86asm.ADD, x86asm.SUB,
		x86asm.AND, x86asm.OR, x86asm.SHL, x86asm.SHR, x86asm.MOVUPS, x86asm.CMP, x86asm.TEST:
		e.sets = registerAMD64(x.Args[0])
	}
	return e
}

// registerAMD64 is the general register that an operand is, or is a part of.
func registerAMD64(a x86asm.Arg) register {
	r, ok := a.(x86asm.Reg)
	if !ok {
		return noRegister // memory
	}
	switch {
	case r >= x86asm.AL && r <= x86asm.BL:
		return register(r - x86asm.AL)
	case r >= x86asm.AH && r <= x86asm.BH:
		return register(r - x86asm.AH)
	case r >= x86asm.SPB && r <= x86asm.R15B:
		return register(r-x86asm.SPB) + 4
	case r >= x86asm.AX && r <= x86asm.R15W:
		return register(r - x86asm.AX)
	case r >= x86asm.EAX && r <= x86asm.R15L:
		return register(r - x86asm.EAX)
	case r >= x86asm.RAX && r <= x86asm.R15:
		return register(r - x86asm.RAX)
	case r >= x86asm.X0 && r <= x86asm.X15:
		return noRegister
	}
	return anyRegister
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
