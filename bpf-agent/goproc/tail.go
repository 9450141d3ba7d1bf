package goproc

import (
	"fmt"
	"slices"
	"strings"
)

// maxProof bounds the functions that tail looks at, in instructions: it takes
// time with the square of it. The largest of the runtime's have some 1,500.
const maxProof = 3000

// tail finds, for each way out of a function, the last conditional jump that
// every call takes that leaves by it, and takes it once.
//
// A conditional jump J is one for the returns that can be reached from it when
// every path from the entry to each of these leads through J, and none leads
// from J back to J. Of the jumps that are, those are taken that have no other
// one behind them, and a way to a return that calls nothing more: else the call
// is not nearly over there. Their returns are apart from each other, as two jumps that
// lead to one return both lie on its paths, one behind the other. A return that
// has no such jump is a site itself. So each path from the entry to a return has
// one site on it, once.
//
// A return that no path leads to is where the runtime goes on when a deferred
// call has recovered from a panic: such a call has none.
func (b *Binary) tail(f Func, ins []instruction) ([]instruction, error) {
	if _, err := allReturns(f, ins); err != nil {
		return nil, err
	}
	if len(ins) > maxProof {
		return nil, fmt.Errorf("%d instructions are too many to prove anything of, limit %d", len(ins), maxProof)
	}
	g, err := b.graph(f, ins)
	if err != nil {
		return nil, err
	}
	type candidate struct {
		at      int
		returns []int
	}
	var candidates []candidate
	if b.Arch == "amd64" { // where a return is dearer than a branch
		for i, in := range ins {
			if in.flow != branches || !in.emulated || !g.entered[i] || g.loops(i) {
				continue
			}
			after, without, quiet := g.from(i, -1), g.from(0, i), g.quiet(i)
			c := candidate{at: i}
			proved, last := true, false
			for r, in := range ins {
				if in.flow == returns && after[r] {
					c.returns = append(c.returns, r)
					proved, last = proved && !without[r], last || quiet[r]
				}
			}
			if proved && last {
				candidates = append(candidates, c)
			}
		}
	}
	var chosen []instruction
	covered := map[int]bool{}
	for _, c := range candidates {
		after := g.from(c.at, -1)
		if slices.ContainsFunc(candidates, func(later candidate) bool { return later.at != c.at && after[later.at] }) {
			continue
		}
		chosen = append(chosen, ins[c.at])
		for _, r := range c.returns {
			covered[r] = true
		}
	}
	if len(chosen) == 0 && b.Arch == "amd64" {
		return nil, fmt.Errorf("no conditional jump that every call takes once on a way out: only its returns are sites")
	}
	for r, in := range ins {
		if in.flow == returns && !covered[r] && g.entered[r] {
			chosen = append(chosen, in)
		}
	}
	return chosen, nil
}

// graph is the control flow of a function: what may run after each instruction.
type graph struct {
	next [][]int
	// restarts are the jumps back to the entry when the stack has grown: the
	// call begins anew.
	restarts map[int]bool
	entered  []bool // by a call
	calls    []bool // the instructions that are one
}

func (b *Binary) graph(f Func, ins []instruction) (*graph, error) {
	g := &graph{next: make([][]int, len(ins)), restarts: map[int]bool{}, calls: make([]bool, len(ins))}
	for i, in := range ins {
		g.calls[i] = in.flow == calls
		onto := func(to int) { g.next[i] = append(g.next[i], to) }
		if in.flow == jumps || in.flow == branches {
			to, ok := indexOf(ins, in.to)
			if !ok {
				return nil, fmt.Errorf("+%d jumps out of the function, or to where is not known", in.address-f.Address)
			}
			if in.flow == jumps && to == 0 && b.grown(ins[:i]) {
				g.restarts[i] = true
			}
			onto(to)
		}
		ends := in.flow == jumps || in.flow == returns || in.flow == stops ||
			in.flow == calls && in.direct && b.neverReturns(in.to)
		switch {
		case ends:
		case i+1 < len(ins):
			onto(i + 1)
		case in.flow != calls:
			return nil, fmt.Errorf("+%d runs past the end of the function", in.address-f.Address)
		}
	}
	g.entered = g.from(0, -1)
	for i, in := range ins {
		if in.flow == returns && !g.entered[i] && !b.recovers(ins[:i]) {
			return nil, fmt.Errorf("no path leads to the return at +%d", in.address-f.Address)
		}
	}
	return g, nil
}

// quiet says what can be reached from an instruction without a call.
func (g *graph) quiet(start int) []bool {
	h := &graph{next: slices.Clone(g.next), restarts: g.restarts}
	for i, is := range g.calls {
		if is {
			h.next[i] = nil
		}
	}
	return h.from(start, -1)
}

// from says what can be reached from an instruction, in the same call, without
// passing another one: by a path of one step or more, or from the entry of none.
func (g *graph) from(start, without int) []bool {
	seen := make([]bool, len(g.next))
	var open []int
	reach := func(i int) {
		if i != without && !seen[i] {
			seen[i] = true
			open = append(open, i)
		}
	}
	follow := func(i int) {
		if !g.restarts[i] {
			for _, to := range g.next[i] {
				reach(to)
			}
		}
	}
	if start == 0 {
		reach(0)
	} else {
		follow(start)
	}
	for len(open) > 0 {
		i := open[len(open)-1]
		open = open[:len(open)-1]
		follow(i)
	}
	return seen
}

// loops says whether an instruction can be reached again from itself, be it by
// growing the stack and starting anew.
func (g *graph) loops(i int) bool {
	after := g.from(i, -1)
	if after[i] {
		return true
	}
	for restart := range g.restarts {
		if after[restart] {
			return true
		}
	}
	return false
}

// grown says whether the last call in some code is to grow the stack.
func (b *Binary) grown(ins []instruction) bool { return b.lastCalled(ins, growStack) }

// recovers says whether the last call in some code is what runs when a deferred
// call has recovered.
func (b *Binary) recovers(ins []instruction) bool { return b.lastCalled(ins, recovered) }

func (b *Binary) lastCalled(ins []instruction, prefix string) bool {
	for _, in := range slices.Backward(ins) {
		if in.flow == calls {
			return in.direct && strings.HasPrefix(b.Functions.starting(in.to), prefix)
		}
		if in.flow != onward {
			return false
		}
	}
	return false
}

func (b *Binary) neverReturns(address uint64) bool {
	name := b.Functions.starting(address)
	return slices.ContainsFunc(neverReturn, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}
