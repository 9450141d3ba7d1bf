package goproc

import (
	"fmt"
	"slices"
	"strings"
)

// codeWindow is how much of the code at a site is compared with memory, at most.
const codeWindow = 16

// Sites finds where in one of keptFunctions a uprobe of a kind goes: one site,
// or every return. It decodes, and fails with a reason when it can't prove that
// push and branch sites are hit exactly once a call, or that return sites are
// all there are.
func (b *Binary) Sites(function string, kind SiteKind) ([]Site, error) {
	sites, err := b.sites(function, kind)
	if err != nil {
		return nil, fmt.Errorf("finding the %s site of %s: %w", kind, function, err)
	}
	return sites, nil
}

func (b *Binary) sites(function string, kind SiteKind) ([]Site, error) {
	f, err := b.Functions.find(function)
	if err != nil {
		return nil, err
	}
	raw, err := b.code.of(f)
	if err != nil {
		return nil, err
	}
	ins, err := decode(b.Arch, f, raw)
	if err != nil {
		return nil, err
	}
	var at []instruction
	switch kind {
	case SitePush:
		at, err = b.push(f, ins)
	case SiteBranch:
		at, err = b.branch(f, ins)
	case SiteReturn:
		at, err = allReturns(f, ins)
	case SiteTail:
		at, err = b.tail(f, ins)
	case SiteSystemStack:
		at, err = b.afterSystemStack(ins)
	default:
		err = fmt.Errorf("no such kind")
	}
	if err != nil {
		return nil, err
	}
	sites := make([]Site, len(at))
	for i, in := range at {
		offset, err := b.fileOffset(in.address)
		if err != nil {
			return nil, err
		}
		code := raw[in.address-f.Address:]
		sites[i] = Site{function, kind, offset, in.address, slices.Clone(code[:min(len(code), codeWindow)])}
		if kind == SiteTail && in.flow == returns {
			sites[i].Kind = SiteReturn
		}
	}
	return sites, nil
}

// CheapestSite is the site in a function that costs its callers least: hit
// once a call, and emulated by the kernel. It is the push where that comes
// first, else the branch of a function without a frame, else the push after the
// stack check.
func (b *Binary) CheapestSite(function string) (Site, error) {
	push, err := b.Sites(function, SitePush)
	if err == nil {
		return push[0], nil
	}
	branch, errBranch := b.Sites(function, SiteBranch)
	if errBranch == nil {
		return branch[0], nil
	}
	return Site{}, fmt.Errorf("%w; %w", err, errBranch)
}

// push finds the first PUSHQ BP, or on arm64 the first store of the link
// register. What may come before it is the stack check: its jumps go to the
// block that grows the stack, and that goes back to the entry, not past it.
func (b *Binary) push(f Func, ins []instruction) ([]instruction, error) {
	for _, in := range ins {
		switch {
		case in.push:
			return []instruction{in}, once(f, ins, in.address, true)
		case in.flow == branches:
			if !b.growsStack(f, ins, in) {
				return nil, fmt.Errorf("+%d may jump before anything is pushed", in.address-f.Address)
			}
		case in.flow != onward:
			return nil, fmt.Errorf("no push before the %v at +%d", in.flow, in.address-f.Address)
		}
	}
	return nil, fmt.Errorf("nothing is pushed")
}

// branch finds the first conditional jump.
func (b *Binary) branch(f Func, ins []instruction) ([]instruction, error) {
	for _, in := range ins {
		switch {
		case in.flow == branches && in.emulated:
			return []instruction{in}, once(f, ins, in.address, false)
		case in.flow != onward:
			return nil, fmt.Errorf("no conditional jump before the %v at +%d", in.flow, in.address-f.Address)
		}
	}
	return nil, fmt.Errorf("no conditional jump")
}

// once fails when code that is reached straight from the entry can be reached
// again in the same call: when a jump goes back to it, or before it. A jump to
// the entry is allowed where what makes it is the block that grows the stack,
// and the site is past the check that sent it there.
func once(f Func, ins []instruction, site uint64, growing bool) error {
	for _, in := range ins {
		if !in.within(f) || in.to > site || growing && in.to == f.Address && in.flow == jumps {
			continue
		}
		return fmt.Errorf("+%d jumps back to +%d, so that +%d can be hit twice in a call", in.address-f.Address, in.to-f.Address, site-f.Address)
	}
	return nil
}

// growsStack says whether a conditional jump is a stack check's: at its target,
// arguments are saved, a runtime.morestack is called, and then they are restored
// and the function starts anew.
func (b *Binary) growsStack(f Func, ins []instruction, jump instruction) bool {
	i, ok := indexOf(ins, jump.to)
	if !ok {
		return false
	}
	called := false
	for _, in := range ins[i:] {
		switch {
		case in.flow == calls && in.direct && !called && strings.HasPrefix(b.Functions.starting(in.to), growStack):
			called = true
		case in.flow == jumps && in.direct:
			return called && in.to == f.Address
		case in.flow != onward:
			return false
		}
	}
	return false
}

// allReturns finds every RET, in a function that can't be left otherwise but by
// panicking.
func allReturns(f Func, ins []instruction) ([]instruction, error) {
	var all []instruction
	for _, in := range ins {
		switch in.flow {
		case returns:
			all = append(all, in)
		case jumps, branches:
			if !in.within(f) {
				return nil, fmt.Errorf("+%d jumps out of the function, or to where is not known", in.address-f.Address)
			}
		}
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("it never returns")
	}
	return all, nil
}

func (b *Binary) fileOffset(address uint64) (uint64, error) {
	for _, s := range b.segments {
		if address >= s.address && address-s.address < s.size {
			return address - s.address + s.offset, nil
		}
	}
	return 0, fmt.Errorf("no segment of the file has %#x", address)
}
