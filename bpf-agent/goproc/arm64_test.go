package goproc

import (
	"debug/elf"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// An arm64 binary is read where it can't run: its offsets are those of amd64,
// and its sites are where its frames begin and at returns, which the kernel
// emulates there.
func TestAnARM64BinaryIsRead(t *testing.T) {
	path := target(t, newest, plain, "GOARCH=arm64")
	b := read(t, path)
	if b.Arch != "arm64" || b.Offsets.GGoid != layouts[b.Minor].gGoid {
		t.Errorf("%s, with offsets %+v", b.Arch, b.Offsets)
	}
	symbols := symbolTable(t, path)
	for _, w := range globalWitnesses {
		if at, err := b.Global(w.global); err != nil || at != symbols[w.global] {
			t.Errorf("%s is at %#x (%v), at %#x by the symbol table", w.global, at, err, symbols[w.global])
		}
	}
	if _, err := b.Transitions(); err != nil {
		t.Error(err)
	}
	if offset, err := b.TLSOffset(); err == nil {
		t.Errorf("g is at %d of thread-local storage, and was known to be in R28", offset)
	}
	for _, function := range []string{"runtime.startTheWorldWithSema", "runtime.newproc1", "runtime.gcstopm", "runtime.execute", "runtime.mallocgc"} {
		f, _ := b.Functions.Lookup(function)
		push, err := b.Sites(function, SitePush)
		if err != nil || push[0].Address-f.Address > 40 {
			t.Errorf("%s: %+v, %v", function, push, err)
		}
		tails, err := b.Sites(function, SiteTail)
		if err != nil || len(tails) == 0 {
			t.Errorf("%s: %v", function, err)
		}
	}
}

// Returns and branches of arm64 are all that LLVM's disassembler finds.
func TestARM64ReturnsAreAllThatADisassemblerFinds(t *testing.T) {
	objdump, err := exec.LookPath("llvm-objdump")
	if err != nil {
		t.Skip("needs llvm-objdump to compare with")
	}
	path := target(t, newest, plain, "GOARCH=arm64")
	b := readWithRuntime(t, path)
	out, err := exec.Command(objdump, "-d", "--no-show-raw-insn", "--section=.text", path).Output()
	if err != nil {
		t.Fatal(err)
	}
	// What goes where: "ret", "cbz x0, 0x1234 <...>".
	want := map[uint64]string{}
	line := regexp.MustCompile(`^\s*([0-9a-f]+):\s+(b\.[a-z]+|bl?|cbn?z|tbn?z|br|blr|ret)(?:\s+(.*))?$`)
	goal := regexp.MustCompile(`0x([0-9a-f]+)(?: <.*>)?$`)
	for text := range strings.Lines(string(out)) {
		m := line.FindStringSubmatch(strings.TrimSpace(text))
		if m == nil {
			continue
		}
		at, err := strconv.ParseUint(m[1], 16, 64)
		if err != nil {
			t.Fatal(err)
		}
		kind, _, _ := strings.Cut(m[2], ".")
		want[at] = map[string]string{
			"b": "jump", "bl": "call", "cbz": "branch", "cbnz": "branch", "tbz": "branch", "tbnz": "branch", "br": "jump", "blr": "call", "ret": "return",
		}[kind]
		if strings.HasPrefix(m[2], "b.") {
			want[at] = "branch"
		}
		if to := goal.FindStringSubmatch(m[3]); to != nil {
			want[at] += " " + to[1]
		}
	}
	functions := 0
	for name := range b.Functions.wanted {
		f, err := b.Functions.find(name)
		if err != nil {
			continue
		}
		raw, err := b.code.of(f)
		if err != nil {
			continue
		}
		ins, err := decode(b.Arch, f, raw)
		if err != nil {
			t.Logf("%v", err)
			continue
		}
		functions++
		for _, in := range ins {
			got := ""
			if in.flow != onward && in.flow != stops {
				got = in.flow.String()
				if in.direct {
					got += " " + strconv.FormatUint(in.to, 16)
				}
			}
			if got != want[in.address] {
				t.Errorf("%s+%d: %q, %s finds %q", name, in.address-f.Address, got, objdump, want[in.address])
			}
		}
	}
	if functions < 1000 {
		t.Errorf("only %d functions compared", functions)
	}
}

// A binary whose header says another architecture than its build info is refused.
func TestABinaryThatLiesAboutItsArchitectureIsRefused(t *testing.T) {
	whole, err := os.ReadFile(target(t, newest, stripped))
	if err != nil {
		t.Fatal(err)
	}
	whole[18] = byte(elf.EM_AARCH64) // e_machine
	path := filepath.Join(t.TempDir(), "liar")
	if err := os.WriteFile(path, whole, 0o755); err != nil {
		t.Fatal(err)
	}
	if b, err := ReadBinary(path); err == nil || !strings.Contains(err.Error(), "built for amd64, and its code is for arm64") {
		t.Errorf("got %v, %v", b, err)
	}
}

// Pointer authentication, which Go does not compile to, is not guessed at.
func TestUnknownBranchesOfARM64AreRefused(t *testing.T) {
	_, err := decode("arm64", Func{"f", 0, 4}, []byte{0xff, 0x0b, 0x5f, 0xd6}) // RETAA
	if err == nil || !strings.Contains(err.Error(), "unknown instruction") {
		t.Errorf("RETAA: %v", err)
	}
}

// FuzzARM64 decodes any bytes as arm64 code.
func FuzzARM64(f *testing.F) {
	f.Add([]byte{0xc0, 0x03, 0x5f, 0xd6})                         // RET
	f.Add([]byte{0x41, 0, 0, 0x54, 0xfe, 0x0f, 0x1e, 0xf8})       // B.NE +8; STR X30, [SP, #-32]!
	f.Add([]byte{0, 0, 0, 0xb0, 0, 0x40, 1, 0x91, 1, 0, 0, 0x94}) // ADRP; ADD; BL +4
	f.Fuzz(func(t *testing.T, machine []byte) { fuzzCode(t, "arm64", machine) })
}

// FuzzAMD64 decodes any bytes as amd64 code.
func FuzzAMD64(f *testing.F) {
	f.Add([]byte{0x49, 0x3b, 0x66, 0x10, 0x76, 0x02, 0x55, 0xc3, 0xeb, 0xf6})
	f.Add([]byte{0xc5, 0xf8, 0x77, 0x48, 0x8d, 0x05, 1, 0, 0, 0, 0xe8, 0, 0, 0, 0, 0x90})
	f.Fuzz(func(t *testing.T, machine []byte) { fuzzCode(t, "amd64", machine) })
}

func fuzzCode(t *testing.T, arch string, machine []byte) {
	if len(machine) > 4096 {
		return
	}
	const at = 1 << 20
	b := madeUp(at, machine)
	b.Arch = arch
	for _, kind := range []SiteKind{SitePush, SiteBranch, SiteReturn, SiteTail} {
		sites, err := b.Sites("runtime.f", kind)
		if (err == nil) == (len(sites) == 0) {
			t.Errorf("%v: %d sites and %v", kind, len(sites), err)
		}
		for _, s := range sites {
			if s.Address < at || s.Address-at >= uint64(len(machine)) || len(s.Code) == 0 {
				t.Errorf("%v: %+v", kind, s)
			}
		}
	}
	f, _ := b.Functions.Lookup("runtime.f")
	ins, err := decode(arch, f, machine)
	if err != nil {
		return
	}
	_, _ = firstArgument(ins, at)
	_, _ = lastExchange(ins)
	_, _ = tlsAccess(ins)
}
