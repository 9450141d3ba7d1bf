package goproc

import (
	"bytes"
	"debug/dwarf"
	"debug/elf"
	"debug/gosym"
	"encoding/binary"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	programs "github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// probed are the functions that measurement points attach to.
var probed = []string{
	"runtime.(*timeHistogram).record", "runtime.startTheWorldWithSema", "runtime.stopTheWorldWithSema",
	"runtime.gcstopm", "runtime.newproc1", "runtime.goexit0", "runtime.casgstatus", "runtime.execute", "runtime.gopark",
}

func read(t testing.TB, path string) *Binary {
	t.Helper()
	b, err := ReadBinary(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// Whatever the version, and however it was linked, a binary says the same of
// itself: what its version is known to have.
func TestABinaryIsReadWhicheverWayItWasLinked(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		b := read(t, path)
		if b.GoVersion != toolchain {
			t.Errorf("Go version %q, built with %q", b.GoVersion, toolchain)
		}
		if wantPIE := strings.Contains(l.name, "pie"); b.PIE != wantPIE || b.Arch != "amd64" {
			t.Errorf("PIE %t on %s, want %t on amd64", b.PIE, b.Arch, wantPIE)
		}
		if b.ID.Inode == 0 || (b.ID.BuildID == "") != (l.name == "without a build id") {
			t.Errorf("identity %+v", b.ID)
		}
		known := layouts[b.Minor]
		want := Offsets{
			GM: known.gm, GGoid: known.gGoid, GStartpc: known.gStartpc, GLabels: known.gLabels, GWaitReason: known.gWaitreason,
			MCurg: known.mCurg, MP: known.mP, PID: known.pID, TimeToRun: b.Offsets.TimeToRun,
		}
		if b.Offsets != want || b.Offsets.TimeToRun == 0 {
			t.Errorf("offsets %+v, want %+v", b.Offsets, want)
		}
		for _, name := range probed {
			f, ok := b.Functions.Lookup(name)
			if !ok {
				t.Errorf("%s is not found", name)
				continue
			}
			for _, pc := range []uint64{f.Address, f.Address + 1, f.End - 1} {
				if got, err := b.functionIn(path, pc); got != name || err != nil {
					t.Errorf("%#x is in %q (%v), want %q", pc, got, err, name)
				}
			}
		}
		functions := everyFunction(t, b, path)
		for _, name := range []string{"main.main", "main.pingpong.func1", "main.allocate"} {
			i := slices.IndexFunc(functions, func(f Func) bool { return f.Name == name })
			if i < 0 {
				t.Errorf("%s is not found", name)
				continue
			}
			if got, err := b.functionIn(path, functions[i].End-1); got != name || err != nil {
				t.Errorf("the end of %s is in %q (%v)", name, got, err)
			}
		}
		for _, pc := range []uint64{0, functions[0].Address - 1, functions[len(functions)-1].End, ^uint64(0)} {
			if name, err := b.functionIn(path, pc); name != "" || err != nil {
				t.Errorf("%#x is outside the code, and in %q (%v)", pc, name, err)
			}
		}
		for name, reason := range map[string]string{"runtime.exec": "not one of", "main.allocate": "not one of", "runtime.morestack2": "no function is called"} {
			if _, err := b.Functions.find(name); err == nil || !strings.Contains(err.Error(), reason) {
				t.Errorf("%s: %v, want %q", name, err, reason)
			}
		}
	})
}

// The table of layouts is what DWARF says of real builds, sched.timeToRun
// included.
func TestTheTableOfLayoutsIsTrue(t *testing.T) {
	for _, toolchain := range toolchains {
		t.Run(toolchain, func(t *testing.T) {
			path := target(t, toolchain, plain)
			offsets := dwarfOffsets(t, path)
			b := read(t, path)
			for _, f := range essentials {
				if got, want := offsets[f.of+"."+f.name], int64(f.known(layouts[b.Minor])); got != want {
					t.Errorf("%s.%s is at %d by DWARF, at %d by the table", f.of, f.name, got, want)
				}
			}
			if got, want := offsets["runtime.schedt.timeToRun"], int64(layouts[b.Minor].timeToRun); got != want {
				t.Errorf("runtime.schedt.timeToRun is at %d by DWARF, at %d by the table", got, want)
			}
			if at := symbolTable(t, path)["runtime.sched"]; at+layouts[b.Minor].timeToRun != b.Offsets.TimeToRun {
				t.Errorf("sched.timeToRun is at %#x by the symbol table, at %#x by casgstatus", at+layouts[b.Minor].timeToRun, b.Offsets.TimeToRun)
			}
		})
	}
}

// Fields and globals that measurement points need are told by every binary, and
// are what DWARF and the symbol table say of the same build.
func TestFieldsAndGlobalsAreWhatDWARFAndSymbolsSay(t *testing.T) {
	for _, toolchain := range toolchains {
		t.Run(toolchain, func(t *testing.T) {
			if testing.Short() && toolchain != newest {
				t.Skip("building net/http takes a minute: not with -short")
			}
			withHTTP := programs.Build(t, toolchain)
			whole, bare := read(t, withHTTP), read(t, programs.Build(t, toolchain, "-ldflags=-s -w"))
			offsets, symbols := dwarfOffsets(t, withHTTP), symbolTable(t, withHTTP)
			for _, f := range wantedFields {
				want, known := offsets[f.of+"."+f.name]
				for _, b := range []*Binary{whole, bare} {
					got, err := b.Field(f.of, f.name)
					if (err == nil) != known || err == nil && int64(got) != want {
						t.Errorf("%s.%s is at %d (%v), at %d by DWARF (%t)", f.of, f.name, got, err, want, known)
					}
				}
			}
			for _, w := range globalWitnesses {
				at, err := whole.Global(w.global)
				if err != nil || at != symbols[w.global] {
					t.Errorf("%s is at %#x (%v), at %#x by the symbol table", w.global, at, err, symbols[w.global])
				}
				if _, err := bare.Global(w.global); err != nil {
					t.Errorf("without symbols: %v", err)
				}
			}
			for _, err := range []error{
				second(whole.Field("runtime.g", "no such")), second(whole.Global("runtime.no such")),
			} {
				if err == nil || !strings.Contains(err.Error(), "it is not one of") {
					t.Errorf("got %v for what nobody asked to be read", err)
				}
			}
		})
	}
}

// everyFunction is all functions of a binary, by address.
func everyFunction(t testing.TB, b *Binary, path string) (functions []Func) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for function, err := range b.Functions.all(f, "") {
		if err != nil {
			t.Fatal(err)
		}
		functions = append(functions, function)
	}
	return functions
}

func second[T any](_ T, err error) error { return err }

// dwarfOffsets are the offsets of all fields of all structs, "net/url.URL.Path".
func dwarfOffsets(t testing.TB, path string) map[string]int64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	data, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	offsets := map[string]int64{}
	of := ""
	for r := data.Reader(); ; {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			return offsets
		}
		switch name, _ := e.Val(dwarf.AttrName).(string); e.Tag {
		case dwarf.TagStructType:
			of = name
		case dwarf.TagMember:
			if at, ok := e.Val(dwarf.AttrDataMemberLoc).(int64); ok {
				offsets[of+"."+name] = at
			}
		}
	}
}

// symbolTable is the symbol table of a binary that has one.
func symbolTable(t testing.TB, path string) map[string]uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	all, err := f.Symbols()
	if err != nil {
		t.Fatal(err)
	}
	symbols := map[string]uint64{}
	for _, s := range all {
		symbols[s.Name] = s.Value
	}
	return symbols
}

// debug/gosym, which reads the same table in its own way, names the same
// functions at the same addresses.
func TestFunctionsAreWhatGosymSays(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		b := read(t, path)
		f, err := elf.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		section := f.Section(".gopclntab")
		if section == nil {
			section = f.Section(".data.rel.ro.gopclntab")
		}
		data, err := section.Data()
		if err != nil {
			t.Fatal(err)
		}
		table, err := gosym.NewTable(nil, gosym.NewLineTable(data, b.Functions.text))
		if err != nil {
			t.Fatal(err)
		}
		functions := everyFunction(t, b, path)
		if len(table.Funcs) != len(functions) {
			t.Fatalf("%d functions, gosym has %d", len(functions), len(table.Funcs))
		}
		for i, want := range table.Funcs {
			if got := functions[i]; got.Name != want.Name || got.Address != want.Entry || got.End != want.End {
				t.Fatalf("function %d is %+v, gosym has %s %#x-%#x", i, got, want.Name, want.Entry, want.End)
			}
		}
	})
}

// A binary without section headers (containerd 2.2 has none for .gopclntab) is
// found by the magic number.
func TestABinaryWithoutSectionHeadersIsRead(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		with := read(t, path)
		whole, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		clear(whole[0x28:0x30]) // e_shoff
		clear(whole[0x3c:0x40]) // e_shnum, e_shstrndx
		bare := filepath.Join(t.TempDir(), "bare")
		if err := os.WriteFile(bare, whole, 0o755); err != nil {
			t.Fatal(err)
		}
		without, err := ReadBinary(bare)
		// debug/buildinfo looks for build info in the first writable segment
		// only, and for some of these the linker puts it into another.
		var refusal *Refusal
		if with.PIE && errors.As(err, &refusal) && strings.Contains(refusal.Reason, "no Go build info") {
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		if with.Offsets != without.Offsets || with.Functions.Len() != without.Functions.Len() || with.ID.BuildID != without.ID.BuildID {
			t.Errorf("with sections %+v, without %+v", with.Offsets, without.Offsets)
		}
	})
}

// What can't be watched is refused, with a reason that a user can act on.
func TestWhatCanNotBeWatchedIsRefusedWithAReason(t *testing.T) {
	dir := t.TempDir()
	file := func(name string, content []byte) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, content, 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	whole, err := os.ReadFile(target(t, newest, stripped))
	if err != nil {
		t.Fatal(err)
	}
	patched := func(name string, old, new string) string {
		b := strings.ReplaceAll(string(whole), old, new)
		if b == string(whole) || len(old) != len(new) {
			t.Fatalf("patching %q to %q", old, new)
		}
		return file(name, []byte(b))
	}
	for _, c := range []struct{ what, path, reason string }{
		{"a stripped C program", cProgram(t, dir), "no Go build info"},
		{"a shell script", file("script", []byte("#!/bin/sh\n")), "not an ELF"},
		{"an empty file", file("empty", nil), "not an ELF"},
		{"a 32-bit Go program", target(t, newest, plain, "GOARCH=386"), "built for 386 (32-bit): only amd64 and arm64"},
		{"half a download", file("half", whole[:len(whole)/2]), "not a whole one"},
		{"a directory", dir, "not a regular file"},
		{"a missing file", filepath.Join(dir, "missing"), "does not exist"},
		{"a device", "/dev/zero", "not a regular file"},
		{"an older Go", patched("older", newest, "go1.20.1"), "built with go1.20.1: only go1.21 to go1.27"},
		{"a newer Go", patched("newer", newest, "go1.28.1"), "built with go1.28.1: only go1.21 to go1.27"},
		{"a Go of no release", patched("devel", newest, "devel 12"), "only releases of go1.21 to go1.27"},
		{"a Go that lies about its version", patched("liar", newest, "go1.24.1"), "moduledata"},
	} {
		b, err := ReadBinary(c.path)
		var refusal *Refusal
		if !errors.As(err, &refusal) {
			t.Errorf("%s: got %v, %v, want a refusal", c.what, b, err)
			continue
		}
		if !strings.Contains(refusal.Reason, c.reason) || refusal.Path != c.path {
			t.Errorf("%s: %s refused with %q, want %q", c.what, refusal.Path, refusal.Reason, c.reason)
		}
	}
}

// Witnesses that disagree are a refusal, and each is heard.
func TestABinaryIsRefusedWhenItsWitnessesDisagree(t *testing.T) {
	path := target(t, newest, plain)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	b := read(t, path)
	m, err := newImage(f, bytes.NewReader(whole), architectures[f.Machine], uint64(len(whole)))
	if err != nil {
		t.Fatal(err)
	}
	mod, err := findModule(m, b.Minor)
	if err != nil {
		t.Fatal(err)
	}
	offset := func(address uint64) uint64 {
		at, err := b.fileOffset(address)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	symbol := func(name string) uint64 { // where the table has its value
		symbols, err := f.Symbols()
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range symbols {
			if s.Name == name {
				return f.SectionByType(elf.SHT_SYMTAB).Offset + uint64(i+1)*24 + 8
			}
		}
		t.Fatalf("no symbol %s", name)
		return 0
	}
	goid := func() uint64 { // where the type descriptor of g has goid's offset
		types := readTypes(m, mod)
		for pointer, err := range types.pointers(map[string][]string{"*runtime.g": nil}) {
			if err != nil {
				t.Fatal(err)
			}
			if name, _, err := types.named(pointer); err != nil || string(name) != "*runtime.g" {
				continue
			}
			elem, _ := types.pointer(pointer + typeSize)
			first, _ := types.pointer(elem + typeSize + 8)
			for field := first; ; field += 24 {
				at, _ := types.pointer(field)
				if name, err := types.name(at); err != nil {
					t.Fatal(err)
				} else if string(name) == "goid" {
					return offset(field + 16)
				}
			}
		}
		t.Fatal("no *runtime.g")
		return 0
	}
	casgstatus, _ := b.Functions.Lookup("runtime.casgstatus")
	for _, c := range []struct {
		what   string
		at     uint64
		add    uint64
		reason string
	}{
		{"moduledata moves the code", offset(mod.address + 22*8), 16, "moduledata"},
		{"a type descriptor moves goid", goid(), 8, "by its type descriptor"},
		{"the symbol table moves sched", symbol("runtime.sched"), 8, "runtime.sched is at"},
		{"the symbol table moves moduledata", symbol("runtime.firstmoduledata"), 8, "runtime.firstmoduledata is at"},
		{"the symbol table moves casgstatus", symbol("runtime.casgstatus"), 16, "runtime.casgstatus is at"},
		{"casgstatus is not code", offset(casgstatus.Address), 0x0606060606060606, "unknown instruction"},
	} {
		changed := append([]byte(nil), whole...)
		binary.LittleEndian.PutUint64(changed[c.at:], binary.LittleEndian.Uint64(changed[c.at:])+c.add)
		path := filepath.Join(t.TempDir(), "changed")
		if err := os.WriteFile(path, changed, 0o755); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBinary(path); err == nil || !strings.Contains(err.Error(), c.reason) {
			t.Errorf("%s: got %v, want a refusal with %q", c.what, err, c.reason)
		}
	}
}

// cProgram compiles a C program that sleeps, and strips it.
func cProgram(t testing.TB, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("gcc"); err != nil {
		t.Skip("a C program needs gcc")
	}
	path := filepath.Join(dir, "c-program")
	cmd := exec.Command("gcc", "-x", "c", "-s", "-o", path, "-")
	cmd.Stdin = strings.NewReader("#include <stdio.h>\n#include <unistd.h>\nint main(void){puts(\"ready 0\");fflush(stdout);char c;while(read(0,&c,1)>0);return 0;}\n")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return path
}

// A large program, the Go command here, costs no more memory than a small one
// once it is read, and little while it is: names stay in the file.
func TestALargeBinaryCostsLittleMemory(t *testing.T) {
	large, err := exec.LookPath("go")
	if err != nil {
		t.Fatal(err)
	}
	kept, taken := memoryOf(t, large, 8)
	t.Logf("%s: %d bytes kept, %d taken while it was read", large, kept, taken)
	if kept > 200<<10 || taken > 8<<20 {
		t.Errorf("%d bytes kept and %d taken, limits %d and %d", kept, taken, 200<<10, 8<<20)
	}
}

// memoryOf is how many bytes of heap a binary keeps, and how many reading it
// takes, on the average of n readings.
func memoryOf(t testing.TB, path string, n uint64) (kept, taken uint64) {
	t.Helper()
	read(t, path) // what is made once
	var before, during, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	binaries := make([]*Binary, n)
	for i := range binaries {
		binaries[i] = read(t, path)
	}
	runtime.ReadMemStats(&during)
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(binaries)
	return (after.HeapAlloc - min(before.HeapAlloc, after.HeapAlloc)) / n, (during.TotalAlloc - before.TotalAlloc) / n
}

func BenchmarkReadBinary(b *testing.B) {
	large, err := exec.LookPath("go")
	if err != nil {
		b.Fatal(err)
	}
	for name, path := range map[string]string{"plain": target(b, newest, plain), "pie": target(b, newest, pie), "large": large} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				read(b, path)
			}
			kept, _ := memoryOf(b, path, 8)
			b.ReportMetric(float64(kept), "kept-B")
		})
	}
}
