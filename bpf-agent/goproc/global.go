package goproc

import (
	"errors"
	"fmt"

	"golang.org/x/arch/x86/x86asm"
)

// Global is the linked address of a variable of package runtime,
// "runtime.sched": a position-independent process adds its [Process.LoadBias].
// It fails when the binary does not tell, or the variable is none of
// globalWitnesses.
func (b *Binary) Global(name string) (uint64, error) {
	if at, ok := b.globals[name]; ok {
		return at, nil
	}
	for _, w := range globalWitnesses {
		if w.global == name {
			return 0, fmt.Errorf("address of %s: neither a symbol nor the code of %s tells it", name, b.GoVersion)
		}
	}
	return 0, fmt.Errorf("address of %s: it is not one of the variables that are found", name)
}

// globalWitness is a call in package runtime that hands over the address of a
// variable, or of a field in it, as the first argument; or, where no callee is
// named, the function whose last atomic store is to the variable.
type globalWitness struct {
	global         string
	caller, callee string
	// inside is the offset in the variable of what is handed over; nil is 0.
	inside func(layout) uint64
}

// globalWitnesses are what tells where a variable lies for which a stripped
// binary has no symbol. Where a variable has more than one, a binary may lack
// some (inlined, not linked in), and those that it has must agree.
var globalWitnesses = []globalWitness{
	{"runtime.sched", "runtime.casgstatus", "runtime.(*timeHistogram).record", func(l layout) uint64 { return l.timeToRun }},
	{"runtime.gcController", "runtime.gcStart", "runtime.(*gcControllerState).startCycle", nil},
	{"runtime.gcController", "runtime.gcMarkDone", "runtime.(*gcControllerState).endCycle", nil},
	{"runtime.gcController", "runtime.gcMark", "runtime.(*gcControllerState).resetLive", nil},
	// mstats begins with heapStats, workType with full.
	{"runtime.memstats", "runtime.(*mcache).refill", "runtime.(*consistentHeapStats).acquire", nil},
	{"runtime.memstats", "runtime.(*mheap).grow", "runtime.(*consistentHeapStats).acquire", nil},
	{"runtime.work", "runtime.putfull", "runtime.(*lfstack).push", nil},
	{"runtime.allgptr", "runtime.allgadd", "runtime.atomicwb", nil},
	{"runtime.allglen", "runtime.allgadd", "", nil},
}

// readGlobals finds the variables of globalWitnesses: by machine code, and by
// the symbol table where there is one. The two must agree.
func (b *Binary) readGlobals(m *image, mod *module, symbols map[string]uint64) error {
	b.globals = map[string]uint64{}
	for _, w := range globalWitnesses {
		at, err := b.handedOver(m, w)
		if err != nil && w.global == essentialGlobal {
			return fmt.Errorf("finding %s: %w", w.global, err)
		}
		if err != nil {
			continue
		}
		if at < mod.data || at >= mod.end {
			return fmt.Errorf("%s at %#x is outside the data, %#x-%#x", w.global, at, mod.data, mod.end)
		}
		if other, ok := b.globals[w.global]; ok && other != at {
			return fmt.Errorf("%s is at %#x by %s, at %#x by another witness", w.global, at, w.caller, other)
		}
		b.globals[w.global] = at
	}
	for _, w := range globalWitnesses {
		symbol, ok := symbols[w.global]
		if !ok {
			continue
		}
		if at, ok := b.globals[w.global]; ok && at != symbol {
			return fmt.Errorf("%s is at %#x by the symbol table, at %#x by the code of %s", w.global, symbol, at, w.caller)
		}
		b.globals[w.global] = symbol
	}
	b.Offsets.TimeToRun = b.globals[essentialGlobal] + layouts[b.Minor].timeToRun
	return nil
}

// essentialGlobal is the variable without which no binary is watched.
const essentialGlobal = "runtime.sched"

// handedOver reads the address that a witness tells.
func (b *Binary) handedOver(m *image, w globalWitness) (uint64, error) {
	caller, err := b.Functions.find(w.caller)
	if err != nil {
		return 0, err
	}
	var callee Func
	if w.callee != "" {
		if callee, err = b.Functions.find(w.callee); err != nil {
			return 0, err
		}
	}
	raw, err := readFunction(m, caller)
	if err != nil {
		return 0, err
	}
	ins, err := decode(caller, raw)
	if err != nil {
		return 0, err
	}
	if w.callee == "" {
		return lastExchange(ins)
	}
	at, err := firstArgument(ins, callee.Address)
	if err != nil {
		return 0, fmt.Errorf("%s calling %s: %w", w.caller, w.callee, err)
	}
	if w.inside != nil {
		at -= w.inside(layouts[b.Minor])
	}
	return at, nil
}

// firstArgument is the address that a function hands to another one as its
// first argument, in AX, by a LEA of it: the same in each call. Between the LEA
// and the call, only instructions that write another register are understood.
func firstArgument(ins []instruction, callee uint64) (uint64, error) {
	joins := map[uint64]bool{}
	for _, i := range ins {
		if to, ok := i.target(); ok && i.jump() {
			joins[to] = true
		}
	}
	var ax, found uint64 // 0 when not known
	for _, i := range ins {
		if joins[i.address] {
			ax = 0
		}
		if to, ok := i.target(); ok && i.Op == x86asm.CALL && to == callee {
			if ax == 0 || found != 0 && found != ax {
				return 0, fmt.Errorf("the call at %#x is not with one known address", i.address)
			}
			found = ax
		}
		switch {
		case i.Op == x86asm.LEA && i.Args[0] == x86asm.RAX:
			ax = 0
			if mem, ok := i.Args[1].(x86asm.Mem); ok && mem.Base == x86asm.RIP && mem.Index == 0 && mem.Segment == 0 {
				ax = i.next() + uint64(mem.Disp)
			}
		case i.Op == x86asm.NOP:
		case writesOne(i.Op) && !isAX(i.Args[0]):
		default:
			ax = 0
		}
	}
	if found == 0 {
		return 0, errors.New("there is no such call")
	}
	return found, nil
}

// lastExchange is the address that the last XCHG of a function writes to, which
// is how Go stores atomically: by a register that a LEA sets right before.
func lastExchange(ins []instruction) (uint64, error) {
	for i := len(ins) - 1; i > 0; i-- {
		if ins[i].Op != x86asm.XCHG {
			continue
		}
		to, memory := ins[i].Args[0].(x86asm.Mem)
		if !memory {
			continue // XCHG AX, AX is a NOP
		}
		from, ok := ins[i-1].Args[1].(x86asm.Mem)
		if ins[i-1].Op != x86asm.LEA || !ok || from.Base != x86asm.RIP || from.Index != 0 || to.Base != ins[i-1].Args[0] || to.Disp != 0 || to.Index != 0 {
			return 0, fmt.Errorf("the exchange at %#x is not with a known address", ins[i].address)
		}
		return ins[i-1].next() + uint64(from.Disp), nil
	}
	return 0, errors.New("there is no atomic store")
}

// writesOne says whether an instruction writes nothing but its first operand
// and flags.
func writesOne(op x86asm.Op) bool {
	switch op {
	case x86asm.MOV, x86asm.MOVZX, x86asm.MOVSX, x86asm.MOVSXD, x86asm.LEA, x86asm.XOR, x86asm.ADD, x86asm.SUB,
		x86asm.AND, x86asm.OR, x86asm.SHL, x86asm.SHR, x86asm.MOVUPS, x86asm.CMP, x86asm.TEST:
		return true
	}
	return false
}

func isAX(a x86asm.Arg) bool {
	return a == x86asm.RAX || a == x86asm.EAX || a == x86asm.AX || a == x86asm.AL || a == x86asm.AH
}
