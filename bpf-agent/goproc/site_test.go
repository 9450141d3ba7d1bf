package goproc

import (
	"bytes"
	"debug/elf"
	"math"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// Sites of what measurement points attach to are where they must be, in every
// version and linkage; and their file offset and code are what the file has.
func TestSitesAreCheapAndHitOnceACall(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		b := read(t, path)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		check := func(s Site) {
			t.Helper()
			f, _ := b.Functions.Lookup(s.Function)
			if s.Address < f.Address || s.Address >= f.End {
				t.Errorf("%s: %#x is outside the function, %#x-%#x", s.Function, s.Address, f.Address, f.End)
			}
			if len(s.Code) == 0 || len(s.Code) > codeWindow || !bytes.Equal(whole[s.Offset:][:len(s.Code)], s.Code) {
				t.Errorf("%s: at %#x the file has % x, the site % x", s.Function, s.Offset, whole[s.Offset:][:codeWindow], s.Code)
			}
		}
		for _, function := range []string{"runtime.startTheWorldWithSema", "runtime.newproc1", "runtime.goexit0", "runtime.gcstopm", "runtime.execute"} {
			push, err := b.Sites(function, SitePush)
			if err != nil || len(push) != 1 {
				t.Errorf("%v, %v", push, err)
				continue
			}
			check(push[0])
			if push[0].Code[0] != 0x55 {
				t.Errorf("%s: the push site has % x", function, push[0].Code)
			}
			cheapest, err := b.CheapestSite(function)
			if err != nil || cheapest.Address != push[0].Address {
				t.Errorf("%s: cheapest is %v (%v), not the push", function, cheapest, err)
			}
			// The stack check's jump is hit again when the stack has grown.
			if branch, err := b.Sites(function, SiteBranch); err == nil {
				t.Errorf("%s: %v is no site for once a call", function, branch)
			}
		}
		record, err := b.CheapestSite("runtime.(*timeHistogram).record")
		if err != nil {
			t.Fatal(err)
		}
		check(record)
		f, _ := b.Functions.Lookup(record.Function)
		if want := map[bool]SiteKind{true: SitePush, false: SiteBranch}[b.Minor <= 23]; record.Kind != want {
			t.Errorf("cheapest site of record is a %v at +%d, want a %v", record.Kind, record.Address-f.Address, want)
		}
		returns, err := b.Sites("runtime.startTheWorldWithSema", SiteReturn)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range returns {
			check(s)
			if s.Code[0] != 0xc3 {
				t.Errorf("%s: the return site has % x", s.Function, s.Code)
			}
		}
	})
}

// Returns are all that LLVM's disassembler finds, in every function of package
// runtime whose returns we dare to list: with vector instructions in assembly,
// and with those that GOAMD64=v3 compiles to.
func TestReturnsAreAllThatADisassemblerFinds(t *testing.T) {
	objdump, err := exec.LookPath("llvm-objdump")
	if err != nil {
		t.Skip("needs llvm-objdump to compare with")
	}
	for _, level := range []string{"GOAMD64=v1", "GOAMD64=v3"} {
		path := target(t, newest, plain, level)
		b := readWithRuntime(t, path)
		out, err := exec.Command(objdump, "-d", "--no-show-raw-insn", "--section=.text", path).Output()
		if err != nil {
			t.Fatal(err)
		}
		var rets []uint64
		line := regexp.MustCompile(`^\s+([0-9a-f]+):\s+retq?\s*$`)
		for text := range strings.Lines(string(out)) {
			if m := line.FindStringSubmatch(strings.TrimSuffix(text, "\n")); m != nil {
				at, err := strconv.ParseUint(m[1], 16, 64)
				if err != nil {
					t.Fatal(err)
				}
				rets = append(rets, at)
			}
		}
		compared, refused := 0, 0
		for name := range b.Functions.wanted {
			f, _ := b.Functions.Lookup(name)
			sites, err := b.Sites(f.Name, SiteReturn)
			if err != nil {
				if strings.Contains(err.Error(), "unknown instruction") {
					t.Log(err)
				}
				refused++
				continue
			}
			var got []uint64
			for _, s := range sites {
				got = append(got, s.Address)
			}
			from, _ := slices.BinarySearch(rets, f.Address)
			to, _ := slices.BinarySearch(rets, f.End)
			if want := rets[from:to]; !slices.Equal(got, want) {
				t.Errorf("%s: %s returns at %#x, %s finds %#x", level, f.Name, got, objdump, want)
			}
			compared++
		}
		// Those that never return, or jump to another function or by a table.
		t.Logf("%s: %d functions compared, %d refused", level, compared, refused)
		if compared < 1200 {
			t.Errorf("%s: only %d functions compared", level, compared)
		}
	}
}

// Every function of package runtime gets a push site that is proved, or an
// error: never a site that is not a push.
func TestEveryPushSiteIsAPush(t *testing.T) {
	b := readWithRuntime(t, target(t, newest, stripped))
	found := 0
	for name := range b.Functions.wanted {
		f, _ := b.Functions.Lookup(name)
		sites, err := b.Sites(f.Name, SitePush)
		if err != nil {
			continue
		}
		found++
		if len(sites) != 1 || sites[0].Code[0] != 0x55 || sites[0].Address-f.Address > 64 {
			t.Errorf("%s: %+v", f.Name, sites)
		}
	}
	if found < 1000 {
		t.Errorf("only %d functions with a push site", found)
	}
}

// A site is refused, not guessed, where the code allows no proof.
func TestSitesAreRefusedWhereTheyCanNotBeProved(t *testing.T) {
	const at = 0x1000
	for _, c := range []struct {
		what   string
		code   []byte
		kind   SiteKind
		reason string
	}{
		{"a loop over the push", []byte{0x90, 0x55, 0x48, 0x89, 0xe5, 0xeb, 0xfa, 0xc3}, SitePush, "hit twice"},
		{"a way around the push", []byte{0x48, 0x85, 0xdb, 0x7c, 0x02, 0x55, 0x5d, 0xc3}, SitePush, "may jump before anything is pushed"},
		{"a call before the push", []byte{0xe8, 0, 0, 0, 0, 0x55, 0x5d, 0xc3}, SitePush, "no push before the call"},
		{"nothing pushed", []byte{0x90, 0xc3}, SitePush, "no push before the return"},
		{"a loop over the branch", []byte{0x48, 0x85, 0xdb, 0x7c, 0xfb, 0xc3}, SiteBranch, "hit twice"},
		{"a branch back to the entry", []byte{0x48, 0x85, 0xdb, 0x7c, 0x02, 0xeb, 0xf9, 0xc3}, SiteBranch, "hit twice"},
		{"a call before the branch", []byte{0xe8, 0, 0, 0, 0, 0x7c, 0x00, 0xc3}, SiteBranch, "no conditional jump before the call"},
		{"bytes that are no instruction", []byte{0x90, 0x06, 0xc3}, SiteReturn, "unknown instruction"},
		{"an EVEX instruction", []byte{0x62, 0xf1, 0x7c, 0x48, 0x10, 0x00, 0xc3}, SiteReturn, "unknown instruction"}, // VMOVUPS
		{"a VEX instruction with a prefix", []byte{0x66, 0xc5, 0xf8, 0x77, 0xc3}, SiteReturn, "unknown instruction"},
		{"a VEX instruction cut short", []byte{0xc4, 0xe2, 0xf9}, SiteReturn, "unknown instruction"},
		{"an instruction cut short", []byte{0xc3, 0x48, 0x8b}, SiteReturn, "unknown instruction"},
		{"a jump into an instruction", []byte{0xeb, 0x01, 0x48, 0x89, 0xe5, 0xc3}, SiteReturn, "inside an instruction"},
		{"a jump to another function", []byte{0xe9, 0, 1, 0, 0, 0xc3}, SiteReturn, "jumps out of the function"},
		{"a jump by register", []byte{0xff, 0xe0, 0xc3}, SiteReturn, "jumps out of the function"},
		{"no return", []byte{0x90, 0xeb, 0xfd}, SiteReturn, "never returns"},
		{"only padding", []byte{0xcc, 0xcc}, SiteReturn, "no code"},
		{"no such kind", []byte{0xc3}, 9, "no such kind"},
	} {
		b := madeUp(at, c.code)
		sites, err := b.Sites("runtime.f", c.kind)
		if err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %v, %v, want an error with %q", c.what, sites, err, c.reason)
		}
	}
	b := madeUp(at, []byte{0xc3})
	for function, reason := range map[string]string{"runtime.g": "is not one of", "runtime.execute": "no function is called"} {
		if _, err := b.Sites(function, SitePush); err == nil || !strings.Contains(err.Error(), reason) {
			t.Errorf("%s: got %v, want %q", function, err, reason)
		}
	}
}

// Padding is not code, and what follows a RET is.
func TestSitesStandInMadeUpCode(t *testing.T) {
	b := madeUp(0x1000, []byte{0x48, 0x85, 0xdb, 0x7c, 0x01, 0xc3, 0x90, 0xc3, 0xcc, 0xcc, 0xcc})
	branch, err := b.Sites("runtime.f", SiteBranch)
	if err != nil || branch[0].Address != 0x1003 || branch[0].Offset != 0x203 {
		t.Errorf("branch %+v, %v", branch, err)
	}
	returns, err := b.Sites("runtime.f", SiteReturn)
	if err != nil || len(returns) != 2 || returns[0].Address != 0x1005 || returns[1].Address != 0x1007 {
		t.Errorf("returns %+v, %v", returns, err)
	}
}

// readWithRuntime reads a binary with the code of all of package runtime.
func readWithRuntime(t testing.TB, path string) *Binary {
	t.Helper()
	b := read(t, path)
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	m, err := newImage(f, file, architectures[f.Machine], math.MaxInt64)
	if err != nil {
		t.Fatal(err)
	}
	for function, err := range b.Functions.all(file, "runtime.") {
		if err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(function.Name, "runtime.") && function.End > function.Address {
			b.Functions.wanted[function.Name] = []Func{function}
			if b.code[function.Address], err = readFunction(m, function); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b
}

// madeUp is a binary of one function, runtime.f.
func madeUp(at uint64, machine []byte) *Binary {
	return &Binary{
		Arch:      "amd64",
		Functions: &FuncTable{text: at, wanted: map[string][]Func{"runtime.f": {{"runtime.f", at, at + uint64(len(machine))}}}},
		segments:  []segment{{address: at, offset: 0x200, size: uint64(len(machine)), flags: elf.PF_X}},
		code:      code{at: machine},
	}
}

// The site is where an assist is over, in each release: see gc.assist.
func TestSystemStackSiteFollowsTheOneCall(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		b, err := ReadBinary(target(t, toolchain, l))
		if err != nil {
			t.Fatal(err)
		}
		sites, err := b.Sites("runtime.gcAssistAlloc", SiteSystemStack)
		if err != nil {
			t.Fatal(err)
		}
		if len(sites) != 1 {
			t.Fatalf("%d sites, must be one", len(sites))
		}
		if c := sites[0].Code; c[0]&0xf0 != 0x70 && (c[0] != 0x0f || c[1]&0xf0 != 0x80) {
			t.Errorf("the site has % x, which is no conditional jump", c)
		}
		if _, err := b.Sites("runtime.gcStart", SiteSystemStack); err == nil || !strings.Contains(err.Error(), "is called at") {
			t.Errorf("a function that is on the system stack several times: error %v", err)
		}
		if _, err := b.Sites("runtime.execute", SiteSystemStack); err == nil || !strings.Contains(err.Error(), "is not called") {
			t.Errorf("a function that is never on it: error %v", err)
		}
	})
}
