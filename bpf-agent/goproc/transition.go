package goproc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
)

// Status of a goroutine, as the runtime numbers it: src/runtime/runtime2.go,
// the same in Go 1.21 to 1.27.
type Status int8

const (
	// StatusUnknown is one that the code does not say: it is known when it runs.
	StatusUnknown Status = -1

	Runnable Status = 1
	Running  Status = 2
	Waiting  Status = 4
	Dead     Status = 6
)

func (s Status) String() string {
	switch s {
	case StatusUnknown:
		return "any"
	case Runnable:
		return "runnable"
	case Running:
		return "running"
	case Waiting:
		return "waiting"
	case Dead:
		return "dead"
	}
	return "Status(" + strconv.Itoa(int(s)) + ")"
}

// Transition is where the runtime changes the status of goroutines: a call of
// runtime.casgstatus(gp, from, to), which the kernel emulates as it does a
// push. Site.Function is who calls.
//
// There are some 40 of them in a program, and they are all: no other function
// makes a goroutine runnable, and none but the way in and out of a system call
// (since Go 1.26) and the scan bit is changed otherwise. So what is seen at the
// right ones is what the runtime itself counts; and no hit is wasted on the
// others, as it would be inside casgstatus. Who calls differs between versions
// and by what is inlined where, which is why they are found and not listed.
type Transition struct {
	Site
	From, To Status
}

// Transitions are all of them, by address. It fails where one can't be told.
func (b *Binary) Transitions() ([]Transition, error) {
	return b.transitions, b.transitionsError
}

const changesStatus = "runtime.casgstatus"

// readTransitions finds the calls of casgstatus in package runtime, which is
// the only one that can call it.
func (b *Binary) readTransitions(m *image) ([]Transition, error) {
	callee, err := b.Functions.find(changesStatus)
	if err != nil {
		return nil, err
	}
	code, err := m.inFile(span{b.Functions.text, uint64(b.Functions.end)})
	if err != nil {
		return nil, err
	}
	text := window{file: m.file, all: code}
	var all []Transition
	for f, err := range b.Functions.all(m.file, "runtime.") {
		if err != nil {
			return nil, err
		}
		if f.End <= f.Address {
			continue
		}
		raw, err := text.at(f.Address-b.Functions.text, f.End-f.Address)
		if err != nil {
			return nil, err
		}
		if !b.mayGoTo(f, raw, callee.Address) {
			continue
		}
		found, err := b.transitionsIn(f, raw, callee.Address)
		if err != nil {
			return nil, err
		}
		all = append(all, found...)
	}
	if all == nil {
		return nil, errors.New("nothing calls " + changesStatus)
	}
	return all, nil
}

// mayGoTo says whether a function has bytes of a call or a jump to an address,
// be they in the middle of an instruction: it is a hundred times faster than to
// decode it.
func (b *Binary) mayGoTo(f Func, raw []byte, to uint64) bool {
	le := binary.LittleEndian
	if b.Arch == "arm64" {
		for at := 0; at+4 <= len(raw); at += 4 { // BL, B
			offset := to - (f.Address + uint64(at))
			if le.Uint32(raw[at:])&0x7fffffff == 0x14000000|uint32(offset>>2)&0x3ffffff {
				return true
			}
		}
		return false
	}
	for at := 0; at+5 <= len(raw); at++ { // CALL rel32, JMP rel32
		if raw[at]&^1 == 0xe8 && le.Uint32(raw[at+1:]) == uint32(to-(f.Address+uint64(at)+5)) {
			return true
		}
	}
	return false
}

// secondAndThird are the registers of arguments: BX, CX; R1, R2.
func (b *Binary) secondAndThird() (second, third register) {
	if b.Arch == "arm64" {
		return 1, 2
	}
	return 3, 1
}

// transitionsIn finds the calls of casgstatus in a function.
func (b *Binary) transitionsIn(f Func, raw []byte, callee uint64) ([]Transition, error) {
	ins, err := decode(b.Arch, f, raw)
	if err != nil {
		return nil, err
	}
	second, third := b.secondAndThird()
	var found []Transition
	for i, known := range registers(ins) {
		if !i.direct || i.to != callee || i.within(f) {
			continue
		}
		if i.flow != calls || !i.emulated {
			return nil, fmt.Errorf("%s+%d goes to %s, and not by a call", f.Name, i.address-f.Address, changesStatus)
		}
		offset, err := b.fileOffset(i.address)
		if err != nil {
			return nil, err
		}
		code := raw[i.address-f.Address:]
		found = append(found, Transition{
			Site{f.Name, SiteTransition, offset, i.address, slices.Clone(code[:min(len(code), codeWindow)])},
			statusIn(known[second]), statusIn(known[third]),
		})
	}
	return found, nil
}

// statusIn is the status that a register holds. 0 is not known, or Idle, which
// is of no interest.
func statusIn(value uint64) Status {
	if value == 0 || value > math.MaxInt8 {
		return StatusUnknown
	}
	return Status(value)
}
