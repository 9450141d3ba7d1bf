package mem

import (
	"debug/dwarf"
	"debug/elf"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// What the table says is measured anew, on a program of each release.
func TestLayoutIsWhatDWARFSays(t *testing.T) {
	releases := map[int]string{
		21: "go1.21.13", 22: "go1.22.12", 23: "go1.23.12", 24: "go1.24.13", 25: "go1.25.14", 26: "go1.26.11", 27: "go1.27.4",
	}
	if len(releases) != len(layouts) {
		t.Errorf("%d releases for %d layouts", len(releases), len(layouts))
	}
	for minor, release := range releases {
		t.Run(release, func(t *testing.T) {
			if testing.Short() && minor != 26 {
				t.Skip("cannot run here: only one release with -short")
			}
			l := layouts[minor]
			structs := structsOf(t, buildEmpty(t, release), "runtime.gcControllerState", "runtime.mstats", "runtime.heapStatsDelta", "runtime.consistentHeapStats", "runtime.schedt", "runtime.p")
			type place struct{ of, field string }
			want := map[place]uint64{
				{"runtime.heapStatsDelta", "inHeap"}:          inHeap,
				{"runtime.heapStatsDelta", "inStacks"}:        inStacks,
				{"runtime.heapStatsDelta", "inWorkBufs"}:      inWorkBufs,
				{"runtime.heapStatsDelta", "tinyAllocCount"}:  l.tinyAllocCount,
				{"runtime.heapStatsDelta", "largeAllocCount"}: l.tinyAllocCount + largeAllocCount,
				{"runtime.heapStatsDelta", "smallAllocCount"}: l.tinyAllocCount + smallAllocs,
				{"runtime.heapStatsDelta", "largeFreeCount"}:  l.tinyAllocCount + largeFreeCount,
				{"runtime.heapStatsDelta", "smallFreeCount"}:  l.tinyAllocCount + smallFrees,
				{"runtime.heapStatsDelta", ""}:                l.delta(),
				{"runtime.consistentHeapStats", "stats"}:      0,
				{"runtime.consistentHeapStats", "gen"}:        3 * l.delta(),
				{"runtime.mstats", "heapStats"}:               0,
				{"runtime.mstats", "stacks_sys"}:              3*l.delta() + sysStats,
				{"runtime.mstats", "other_sys"}:               3*l.delta() + sysStats + 8*(numSysStats-1),
				{"runtime.mstats", "pause_total_ns"}:          3*l.delta() + pauseTotal,
				{"runtime.mstats", "pause_ns"}:                3*l.delta() + pauseRings,
				{"runtime.mstats", "numgc"}:                   3*l.delta() + numGC,
				{"runtime.mstats", "numforcedgc"}:             3*l.delta() + numForcedGC,
				{"runtime.mstats", "gc_cpu_fraction"}:         3*l.delta() + cpuFraction,
				{"runtime.schedt", "ngsys"}:                   l.ngsys,
				{"runtime.schedt", "gFree"}:                   l.gFree,
			}
			if minor >= 25 {
				want[place{"runtime.schedt", "gFree.stack.size"}] = l.gFree + l.free[0]
				want[place{"runtime.schedt", "gFree.noStack.size"}] = l.gFree + l.free[1]
				want[place{"runtime.p", "gFree.size"}] = structs["runtime.p"]["gFree"] + pFree
			} else {
				want[place{"runtime.schedt", "gFree.n"}] = l.gFree + l.free[0]
				want[place{"runtime.p", "gFree.n"}] = structs["runtime.p"]["gFree"] + pFree
			}
			for _, f := range reflect.VisibleFields(reflect.TypeFor[bpf.KernelGcController]()) {
				if name := []rune(f.Name); unicode.IsUpper(name[0]) && f.Name != "Unused" {
					name[0] = unicode.ToLower(name[0])
					want[place{"runtime.gcControllerState", string(name)}] = uint64(f.Offset)
				}
			}
			for p, offset := range want {
				if found, ok := structs[p.of][p.field]; !ok || found != offset {
					t.Errorf("%s.%s is at %d (found: %v), the table has %d", p.of, p.field, found, ok, offset)
				}
			}
		})
	}
}

// buildEmpty builds a program that does nothing, with its DWARF.
func buildEmpty(t *testing.T, release string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"go.mod": "module empty\n\ngo 1.21\n", "main.go": "package main\n\nfunc main() {}\n"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	build := exec.Command("go", "build", "-o", "empty", ".")
	build.Dir = dir
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false", "GOTOOLCHAIN="+release)
	if out, err := build.CombinedOutput(); err != nil {
		if strings.Contains(string(out), "download") {
			t.Skipf("Go release %s can't be had: %v\n%s", release, err, out)
		}
		t.Fatalf("build with %s: %v\n%s", release, err, out)
	}
	return filepath.Join(dir, "empty")
}

// structsOf reads the offsets of fields, and of fields of fields that are
// structs, "gFree.n"; "" is the size.
func structsOf(t *testing.T, path string, names ...string) map[string]map[string]uint64 {
	t.Helper()
	f, err := elf.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d, err := f.DWARF()
	if err != nil {
		t.Fatal(err)
	}
	found := map[string]map[string]uint64{}
	for r := d.Reader(); len(found) < len(names); {
		e, err := r.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e == nil {
			break
		}
		name, _ := e.Val(dwarf.AttrName).(string)
		if e.Tag == dwarf.TagCompileUnit {
			if name != "runtime" {
				r.SkipChildren()
			}
			continue
		}
		for _, wanted := range names {
			if e.Tag == dwarf.TagStructType && name == wanted {
				of, err := d.Type(e.Offset)
				if err != nil {
					t.Fatal(err)
				}
				found[name] = map[string]uint64{"": uint64(of.Size())}
				fieldsOf(of.(*dwarf.StructType), "", 0, found[name])
			}
		}
		r.SkipChildren()
	}
	return found
}

func fieldsOf(s *dwarf.StructType, prefix string, at uint64, into map[string]uint64) {
	for _, field := range s.Field {
		offset := at + uint64(field.ByteOffset)
		into[prefix+field.Name] = offset
		of := field.Type
		if named, ok := of.(*dwarf.TypedefType); ok {
			of = named.Type
		}
		if inner, ok := of.(*dwarf.StructType); ok && strings.Count(prefix, ".") < 2 {
			fieldsOf(inner, fmt.Sprintf("%s%s.", prefix, field.Name), offset, into)
		}
	}
}
