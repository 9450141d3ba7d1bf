package goproc

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// firstSliceLabelMinor is the Go 1 minor version since which g.labels points to
// a slice of {key, value}; before, it points to a map[string]string.
// (src/runtime/pprof/label.go: labelMap)
const firstSliceLabelMinor = 24

// LabelsAreSlice says that g.labels points to a slice of {key, value} strings,
// not to a map[string]string.
func (b *Binary) LabelsAreSlice() bool { return b.Minor >= firstSliceLabelMinor }

// tlsReaders are functions of package runtime, in assembly, that load or store g
// in the thread's local storage.
// (src/runtime/asm_amd64.s: get_tls, src/runtime/go_tls.h)
var tlsReaders = []string{"runtime.mcall", "runtime.stackcheck", "runtime.systemstack"}

// TLSOffset is where a thread's local storage has its g, relative to the base
// of FS: -8 as a rule, something else where a C library is linked in
// statically. It fails where the code does not tell: where the offset is known
// only when the program is loaded, and on arm64, which keeps g in R28.
func (b *Binary) TLSOffset() (int64, error) {
	if b.tls == 0 {
		return 0, fmt.Errorf("offset of g in thread-local storage: the code of %s (%s) does not tell", b.GoVersion, b.Arch)
	}
	return b.tls, nil
}

// readTLSOffset reads the offset that all tlsReaders use, 0 when there is none.
func (b *Binary) readTLSOffset(m *image) (int64, error) {
	if b.Arch != "amd64" {
		return 0, nil
	}
	found := int64(0)
	for _, name := range tlsReaders {
		f, err := b.Functions.find(name)
		if err != nil {
			continue
		}
		raw, err := readFunction(m, f)
		if err != nil {
			return 0, err
		}
		ins, err := decode(b.Arch, f, raw)
		if err != nil {
			return 0, err
		}
		offset, ok := tlsAccess(ins)
		if !ok {
			return 0, nil
		}
		if found != 0 && offset != found {
			return 0, fmt.Errorf("g is at %d of thread-local storage by %s, at %d by another function", offset, name, found)
		}
		found = offset
	}
	return found, nil
}

// tlsAccess is the offset by which a function first uses FS: as part of the
// instruction, or, in position-independent code, by a register that the
// instruction before sets to a constant.
func tlsAccess(ins []instruction) (int64, bool) {
	var before x86asm.Inst
	for _, in := range ins {
		x, err := x86asm.Decode(in.bytes, 64)
		if err != nil {
			x = x86asm.Inst{}
		}
		for _, arg := range x.Args {
			memory, ok := arg.(x86asm.Mem)
			if !ok || memory.Segment != x86asm.FS {
				continue
			}
			if memory.Index != 0 {
				return 0, false
			}
			if memory.Base == 0 {
				return int64(int32(memory.Disp)), memory.Disp != 0
			}
			constant, ok := before.Args[1].(x86asm.Imm)
			if before.Op != x86asm.MOV || before.Args[0] != memory.Base || !ok {
				return 0, false
			}
			offset := int64(constant) + memory.Disp
			return offset, offset != 0
		}
		before = x
	}
	return 0, false
}
