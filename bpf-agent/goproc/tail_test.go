package goproc

import (
	"math/rand/v2"
	"testing"
)

// Whoever wanders through a function and comes to a return has passed one tail
// site, once: in every function of package runtime that has some.
func TestEveryWayOutPassesOneTailSiteOnce(t *testing.T) {
	for _, l := range []linkage{plain} {
		b := readWithRuntime(t, target(t, newest, l))
		random := rand.New(rand.NewPCG(1, 2))
		functions, walks, branched := 0, 0, 0
		for name := range b.Functions.wanted {
			f, _ := b.Functions.Lookup(name)
			sites, err := b.Sites(f.Name, SiteTail)
			if err != nil {
				continue
			}
			functions++
			at := map[uint64]bool{}
			for _, s := range sites {
				at[s.Address] = true
				if s.Kind == SiteTail {
					branched++
				}
			}
			ins, err := decode(b.Arch, f, b.code[f.Address])
			if err != nil {
				t.Fatal(err)
			}
			g, err := b.graph(f, ins)
			if err != nil {
				t.Fatal(err)
			}
			for range 30 {
				passed, here := 0, 0
				for steps := 0; steps < 20_000 && ins[here].flow != returns; steps++ {
					if at[ins[here].address] {
						passed++
					}
					next := g.next[here] // growing the stack, too
					if len(next) == 0 {
						break // it panics
					}
					here = next[random.IntN(len(next))]
				}
				if ins[here].flow != returns {
					continue
				}
				walks++
				if at[ins[here].address] {
					passed++
				}
				if passed != 1 {
					t.Fatalf("%s: a way out by +%d passes %d tail sites", f.Name, ins[here].address-f.Address, passed)
				}
			}
		}
		t.Logf("%s: %d walks through %d functions, %d branches", l.name, walks, functions, branched)
		if functions < 300 || walks < 3000 {
			t.Errorf("%s: only %d walks through %d functions", l.name, walks, functions)
		}
	}
}

// Allocations and assists are told when they are over by one trap.
func TestAllocationsAndAssistsHaveATail(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		b := read(t, target(t, toolchain, l))
		for _, function := range []string{"runtime.mallocgc", "runtime.gcAssistAlloc"} {
			sites, err := b.Sites(function, SiteTail)
			if err != nil {
				t.Fatal(err)
			}
			f, _ := b.Functions.Lookup(function)
			late := false
			for _, s := range sites {
				late = late || s.Kind == SiteTail && s.Address-f.Address > (f.End-f.Address)/2
			}
			if !late {
				t.Errorf("%s has no branch in its second half among %+v", function, sites)
			}
		}
	})
}

// A tail is refused, not guessed, where the code allows no proof; and it is
// found where it does.
func TestTailsOfMadeUpCode(t *testing.T) {
	const cmp, nop = "\x48\x85\xdb", "\x90" // TEST BX, BX
	for _, c := range []struct {
		what string
		code string
		want map[uint64]SiteKind // nil is none
	}{
		// TEST; JE +1; NOP; RET
		{"a branch over a NOP", cmp + "\x74\x01" + nop + "\xc3", map[uint64]SiteKind{3: SiteTail}},
		// TEST; JE +1; RET; TEST; JE +1; NOP; RET
		{"a return before anything is done", cmp + "\x74\x01\xc3" + cmp + "\x74\x01" + nop + "\xc3", map[uint64]SiteKind{5: SiteReturn, 9: SiteTail}},
		// TEST; JE -5; RET
		{"a loop", cmp + "\x74\xfb\xc3", nil},
		// TEST; JE +5; CALL; RET: over a call
		{"a branch over a call", cmp + "\x74\x05\xe8\x00\x01\x00\x00\xc3", map[uint64]SiteKind{3: SiteTail}},
		// TEST; JE +1; NOP; CALL; RET
		{"a call after the last branch", cmp + "\x74\x01" + nop + "\xe8\x00\x01\x00\x00\xc3", nil},
		{"no branch", nop + "\xc3", nil},
		// TEST; JE +2; RET; RET (a return that no path leads to)
		{"a return that nothing leads to", cmp + "\x74\x00\xc3\xc3", nil},
		// TEST; JE +2; JMP *AX; RET
		{"a jump by register", cmp + "\x74\x02\xff\xe0\xc3", nil},
	} {
		b := madeUp(0x1000, []byte(c.code))
		sites, err := b.Sites("runtime.f", SiteTail)
		got := map[uint64]SiteKind{}
		for _, s := range sites {
			got[s.Address-0x1000] = s.Kind
		}
		if (err == nil) != (c.want != nil) {
			t.Errorf("%s: %v (%v)", c.what, got, err)
			continue
		}
		for at, kind := range c.want {
			if got[at] != kind || len(got) != len(c.want) {
				t.Errorf("%s: %v, want %v", c.what, got, c.want)
			}
		}
	}
}
