package goproc

import (
	"encoding/binary"
	"math/bits"
)

// decodeARM64 decodes the instruction that b begins with. All are of 4 bytes, so
// that what is not known can't be of another length; and only those of the
// group of branches can change what runs next. That group is known as a whole.
// (Arm Architecture Reference Manual, C4.1: top-level encodings; C4.1.93:
// branches, exception generating and system instructions)
func decodeARM64(address uint64, b []byte) (instruction, bool) {
	if len(b) < 4 {
		return instruction{}, false
	}
	w := binary.LittleEndian.Uint32(b)
	i := instruction{address: address, bytes: b[:4], effect: effectARM64(address, w)}
	if w>>16 == 0 { // UDF
		i.flow = stops
		return i, true
	}
	if w>>26&7 == 5 && !branchARM64(&i, w) {
		return instruction{}, false
	}
	// STR X30, [SP, #-n]!, STP X29, X30, [...]: C4.1.94, loads and stores.
	i.push = w&0xffe00fff == 0xf8000ffe || w&0xfe407c00 == 0xa8007800
	return i, true
}

// branchARM64 reads an instruction of the group of branches. What the kernel
// emulates of them: arch/arm64/kernel/probes/decode-insn.c.
func branchARM64(i *instruction, w uint32) bool {
	to := func(bits, shift uint) {
		offset := int64(int32(w>>shift<<(32-bits))) >> (32 - bits) * 4
		i.to, i.direct, i.emulated = i.address+uint64(offset), true, true
	}
	switch {
	case w>>26 == 0x05: // B
		i.flow = jumps
		to(26, 0)
	case w>>26 == 0x25: // BL
		i.flow = calls
		to(26, 0)
	case w>>25 == 0x2a: // B.cond
		i.flow = branches
		to(19, 5)
	case w>>25&0x3f == 0x1a: // CBZ, CBNZ
		i.flow = branches
		to(19, 5)
	case w>>25&0x3f == 0x1b: // TBZ, TBNZ
		i.flow = branches
		to(14, 5)
	case w&0xfffffc1f == 0xd61f0000: // BR
		i.flow, i.emulated = jumps, true
	case w&0xfffffc1f == 0xd63f0000: // BLR
		i.flow, i.emulated = calls, true
	case w&0xfffffc1f == 0xd65f0000: // RET
		i.flow, i.emulated = returns, true
	case w>>24 == 0xd4: // SVC, BRK, HLT: exceptions
		i.flow = stops
		if w&0xffe0001f == 0xd4000001 { // a system call returns
			i.flow = onward
		}
	case w>>24 == 0xd5: // hints, barriers, MSR, MRS, SYS
		i.flow = onward
	default: // with pointer authentication, and ERET: Go has none
		return false
	}
	return true
}

// paddingARM64 says whether only padding is left: zeros to the end.
func paddingARM64(b []byte) bool {
	for _, c := range b {
		if c != 0 {
			return false
		}
	}
	return true
}

func effectARM64(address uint64, w uint32) effect {
	e := effect{sets: anyRegister, base: noRegister, stores: noRegister}
	rd, rn := register(w&31), register(w>>5&31)
	switch {
	case w&0x9f000000 == 0x90000000: // ADRP
		page := int64(int32(w>>5<<13))>>13<<2 | int64(w>>29&3)
		e.sets, e.known = rd, true
		e.value = address&^4095 + uint64(page<<12)
	case w&0xff800000 == 0x91000000: // ADD (immediate), 64-bit
		e.sets, e.known, e.base = rd, true, rn
		e.value = uint64(w>>10&0xfff) << (12 * (w >> 22 & 1))
	case w&0x7fe00000 == 0x52800000: // MOVZ, not shifted
		e.sets, e.known = rd, true
		e.value = uint64(w >> 5 & 0xffff)
	// ORR (immediate) with ZR: ones, rotated. (C4.1.92.5, DecodeBitMasks)
	case w&0xffe083e0 == 0x320003e0:
		e.sets, e.known = rd, true
		e.value = uint64(bits.RotateLeft32(1<<(w>>10&31+1)-1, -int(w>>16&31)))
	case w&0xffc003e0 == 0xb24003e0:
		e.sets, e.known = rd, true
		e.value = bits.RotateLeft64(1<<(w>>10&63+1)-1, -int(w>>16&63))
	case w&0xfffffc00 == 0xc89ffc00: // STLR, 64-bit
		e.sets, e.stores = noRegister, rn
	case w == 0xd503201f: // NOP
		e.sets = noRegister
	// What writes nothing but the register in its lowest bits, and flags: data
	// processing by immediate and by register, and loads of one register at an
	// unsigned offset. (C4.1.92, C4.1.95, C4.1.94.31)
	case w>>26&7 == 4, w>>25&7 == 5, w&0xbfc00000 == 0xb9400000:
		e.sets = rd
	case w&0xbfc00000 == 0xb9000000: // STR at an unsigned offset
		e.sets = noRegister
	}
	return e
}
