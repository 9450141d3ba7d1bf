package goproc

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// What makes a goroutine runnable, what runs it, parks it, begins and ends it
// is found in every version and linkage, and so is nothing that is hot and
// beside the point.
func TestTransitionsAreWhereTheRuntimeMakesThem(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		b := read(t, path)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all, err := b.Transitions()
		if err != nil {
			t.Fatal(err)
		}
		callee, _ := b.Functions.Lookup(changesStatus)
		for _, s := range all {
			if !bytes.Equal(whole[s.Offset:][:len(s.Code)], s.Code) {
				t.Errorf("%s: at %#x the file has % x, the site % x", s.Function, s.Offset, whole[s.Offset:][:codeWindow], s.Code)
			}
			if name, err := b.functionIn(path, s.Address); err != nil || name != s.Function || s.Code[0] != 0xe8 {
				t.Errorf("%s at %#x is no call in that function", s.Function, s.Address)
			}
		}
		expectTransitions(t, b)
		if l.name == plain.name {
			if calls := callsOf(t, path, callee.Address); calls != nil && len(calls) != len(all) {
				t.Errorf("%d calls of casgstatus were found, the disassembler finds %d", len(all), len(calls))
			}
		}
	})
}

// expectTransitions checks that those are found that the measurement points are
// about, with what is known of them.
func expectTransitions(t *testing.T, b *Binary) {
	t.Helper()
	all, err := b.Transitions()
	if err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, s := range all {
		seen[fmt.Sprintf("%s %d %d", strings.TrimPrefix(s.Function, "runtime."), s.From, s.To)] = true
	}
	died, left, born := "gdestroy 2 6", "exitsyscallNoP 2 1", "newproc1 6 -1"
	if b.Minor < 22 {
		died = "goexit0 2 6"
	}
	if b.Minor < 23 {
		born = "newproc1 6 1"
	}
	if b.Minor < 26 {
		left = "exitsyscall0 3 1"
	}
	for _, one := range []string{
		"ready 4 1", "injectglist 4 1", "findRunnable 4 1", "(*gcControllerState).findRunnableGCWorker 4 1",
		"goschedImpl 2 1", "goyield_m 2 1", "park_m 2 4", "park_m 4 1", "execute 1 2", died, left, born,
	} {
		if !seen[one] {
			t.Errorf("no call of casgstatus is seen that is %q; there are %v", one, slices.Sorted(maps.Keys(seen)))
		}
	}
}

func TestTransitionsAreReadOfARM64(t *testing.T) {
	expectTransitions(t, read(t, target(t, newest, plain, "GOARCH=arm64")))
}

// As the Go toolchain and GNU as encode them.
func TestConstantsAreFollowedOnARM64(t *testing.T) {
	for word, want := range map[uint32]uint64{
		0xb24003e2: 1, 0xb27f03e2: 2, 0xb27e03e1: 4, 0xb27f07e1: 6, // ORR $n, ZR, R
		0x320003e0: 1, 0x321f03e1: 2, 0x321e03e1: 4, 0x321f07e1: 6, // ORRW $n, ZR, R
		0xd2800085: 4, 0x528000a5: 5, // MOVZ
	} {
		e := effectARM64(0, word)
		if !e.known || e.base != noRegister || e.value != want || e.sets != register(word&31) {
			t.Errorf("%#x sets R%d to %d (known: %v), must be R%d to %d", word, e.sets, e.value, e.known, word&31, want)
		}
	}
}

// callsOf is where LLVM's disassembler finds calls of an address.
func callsOf(t *testing.T, path string, callee uint64) (calls []uint64) {
	t.Helper()
	objdump, err := exec.LookPath("llvm-objdump")
	if err != nil {
		return nil
	}
	out, err := exec.Command(objdump, "-d", "--no-show-raw-insn", "--section=.text", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`^\s*([0-9a-f]+):\s+callq?\s+0x([0-9a-f]+)\b`)
	for text := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(text)
		if m == nil || m[2] != strconv.FormatUint(callee, 16) {
			continue
		}
		at, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		calls = append(calls, at)
	}
	return calls
}
