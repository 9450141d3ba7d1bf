package goproc

import (
	"errors"
	"fmt"
	"iter"
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
// named, the function whose last atomic store is to the variable, or, of allp,
// the one that loads it and no other variable.
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
	{"runtime.allp", "runtime.gcMarkTinyAllocs", "", nil},
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
	ins, err := decode(b.Arch, caller, raw)
	if err != nil {
		return 0, err
	}
	if w.global == "runtime.allp" {
		return onlySlice(b.Arch, caller, raw)
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
// first argument: the same in each call. It follows what registers are set to,
// from where they are set to an address up to the call, as far as nothing else
// leads there.
func firstArgument(ins []instruction, callee uint64) (uint64, error) {
	var found uint64 // 0 when not known
	for i, known := range registers(ins) {
		if i.flow != calls || !i.direct || i.to != callee {
			continue
		}
		at := known[0] // AX, R0
		if at == 0 || found != 0 && found != at {
			return 0, fmt.Errorf("the call at %#x is not with one known address", i.address)
		}
		found = at
	}
	if found == 0 {
		return 0, errors.New("there is no such call")
	}
	return found, nil
}

// lastExchange is the address of the last atomic store of a function.
func lastExchange(ins []instruction) (found uint64, err error) {
	err = errors.New("there is no atomic store")
	for i, known := range registers(ins) {
		if i.effect.stores == noRegister {
			continue
		}
		if found, err = 0, nil; i.effect.stores != anyRegister {
			found = known[i.effect.stores]
		}
		if found == 0 {
			err = fmt.Errorf("the store at %#x is not to a known address", i.address)
		}
	}
	return found, err
}

// registers walks through a function, with what each register holds before an
// instruction: an address or a constant, or 0 where that is not known.
func registers(ins []instruction) iter.Seq2[instruction, *[32]uint64] {
	return func(yield func(instruction, *[32]uint64) bool) {
		joins := map[uint64]bool{}
		for _, i := range ins {
			if i.direct && i.flow != calls {
				joins[i.to] = true
			}
		}
		var known [32]uint64
		for _, i := range ins {
			if joins[i.address] {
				known = [32]uint64{}
			}
			if !yield(i, &known) {
				return
			}
			e := i.effect
			switch {
			case i.flow != onward && i.flow != branches, e.sets == anyRegister:
				known = [32]uint64{}
			case e.sets == noRegister:
			case !e.known:
				known[e.sets] = 0
			case e.base == noRegister:
				known[e.sets] = e.value
			case known[e.base] == 0:
				known[e.sets] = 0
			default:
				known[e.sets] = known[e.base] + e.value
			}
		}
	}
}
