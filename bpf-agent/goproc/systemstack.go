package goproc

import "fmt"

// afterSystemStack finds the first conditional jump after the one call of
// runtime.systemstack in a function.
func (b *Binary) afterSystemStack(ins []instruction) ([]instruction, error) {
	call := -1
	for i, in := range ins {
		if in.flow != calls || !in.direct || b.Functions.starting(in.to) != systemStack {
			continue
		}
		if call >= 0 {
			return nil, fmt.Errorf("runtime.systemstack is called at %#x and at %#x", ins[call].address, in.address)
		}
		call = i
	}
	if call < 0 {
		return nil, fmt.Errorf("runtime.systemstack is not called")
	}
	for i := call + 1; i < len(ins); i++ {
		in := ins[i]
		if to, ok := jumpTo(ins, in.address); ok {
			return nil, fmt.Errorf("+%d is also reached from %#x", in.address-ins[0].address, to)
		}
		if in.flow == branches && in.emulated {
			return []instruction{in}, nil
		}
		if in.flow != onward {
			return nil, fmt.Errorf("no conditional jump before the %v at +%d", in.flow, in.address-ins[0].address)
		}
	}
	return nil, fmt.Errorf("nothing after runtime.systemstack")
}

// jumpTo finds an instruction that jumps to an address.
func jumpTo(ins []instruction, address uint64) (uint64, bool) {
	for _, in := range ins {
		if (in.flow == jumps || in.flow == branches) && in.direct && in.to == address {
			return in.address, true
		}
	}
	return 0, false
}
