package goproc

import (
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// onlySlice is the address of the slice that a function loads, pointer and
// length, when these are all that it loads relative to the instruction pointer.
func onlySlice(arch string, f Func, b []byte) (uint64, error) {
	if arch != "amd64" {
		return 0, fmt.Errorf("variables that %s loads are known for amd64, this is %s", f.Name, arch)
	}
	loaded := map[uint64]bool{}
	for at := 0; at < len(b); {
		i, err := x86asm.Decode(b[at:], 64)
		if err != nil || i.Op == 0 || i.Len <= 0 {
			return 0, fmt.Errorf("%s+%d: unknown instruction % x", f.Name, at, b[at:min(len(b), at+8)])
		}
		at += i.Len
		if m, ok := i.Args[1].(x86asm.Mem); ok && i.Op == x86asm.MOV && m.Base == x86asm.RIP {
			loaded[f.Address+uint64(at)+uint64(m.Disp)] = true
		}
	}
	for at := range loaded {
		if len(loaded) == 2 && loaded[at+8] {
			return at, nil
		}
	}
	return 0, fmt.Errorf("%s loads %d variables, must be a pointer and the length behind it", f.Name, len(loaded))
}
