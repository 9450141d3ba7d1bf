package profile

import (
	"bytes"
	"context"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	rpprof "runtime/pprof"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pprof "github.com/google/pprof/profile"
)

// tool is where go tool keeps pprof, once it is built.
var tool = sync.OnceValue(func() string {
	out, err := exec.Command("go", "tool", "-n", "pprof").Output()
	if err != nil {
		panic(err)
	}
	return strings.TrimSpace(string(out))
})

// toolTop is what go tool pprof -top says of files: a total, and each function's flat and cum.
func toolTop(t testing.TB, unit string, arguments ...string) Top {
	t.Helper()
	command := exec.Command(tool(), append([]string{"-top", "-nodefraction=0", "-symbolize=none", "-unit=" + unit}, arguments...)...)
	var said, complained bytes.Buffer
	command.Stdout, command.Stderr = &said, &complained
	if err := command.Run(); err != nil {
		t.Fatalf("%s: %v\n%s", command, err, &complained)
	}
	var top Top
	head, rows, found := strings.Cut(said.String(), "flat  flat%   sum%        cum   cum%\n")
	if !found {
		t.Fatalf("%s printed\n%s", command, &said)
	}
	if of := regexp.MustCompile(`of (-?\d+)\S* total`).FindStringSubmatch(head); of != nil {
		top.Total = whole(t, of[1])
	}
	for row := range strings.Lines(rows) {
		columns := regexp.MustCompile(`^\s*(\S+)\s+\S+\s+\S+\s+(\S+)\s+\S+  (.*?)( \((partial-)?inline\))?\n?$`).FindStringSubmatch(row)
		if columns == nil {
			t.Fatalf("%s printed the row %q", command, row)
		}
		top.Functions = append(top.Functions, Function{columns[3], whole(t, columns[1]), whole(t, columns[2])})
	}
	return top
}

func whole(t testing.TB, text string) int64 {
	n, err := strconv.ParseInt(strings.TrimRight(text, "nsBcout"), 10, 64)
	if err != nil {
		t.Fatalf("go tool pprof printed the number %q", text)
	}
	return n
}

// unitOf is how go tool pprof -unit spells a unit, so that it rounds nothing.
func unitOf(t Type) string {
	return map[string]string{"nanoseconds": "ns", "bytes": "B", "count": "count"}[t.Unit]
}

// sameTop holds a table against that of go tool pprof, and returns how many functions there are.
func sameTop(t testing.TB, about string, got, want Top) int {
	t.Helper()
	if want.Total != 0 && got.Total != want.Total {
		t.Errorf("%s: the total is %d, go tool pprof has %d", about, got.Total, want.Total)
	}
	if len(got.Functions) != len(want.Functions) {
		t.Errorf("%s: %d functions, go tool pprof has %d", about, len(got.Functions), len(want.Functions))
	}
	has := map[string]Function{}
	for _, f := range got.Functions {
		has[f.Name] = f
	}
	for _, f := range want.Functions {
		if has[f.Name] != f {
			t.Errorf("%s: %+v, go tool pprof has %+v", about, has[f.Name], f)
		}
	}
	return len(want.Functions)
}

func readFile(t testing.TB, path string, limits Limits) *pprof.Profile {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	p, err := Parse(f, limits)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	return p
}

// work does something to be seen in every kind of profile, in goroutines with labels and inlined calls.
func work(length time.Duration) {
	var mu sync.Mutex
	var group sync.WaitGroup
	end := time.Now().Add(length)
	for i := range 4 {
		group.Go(func() {
			labels := rpprof.Labels("route", "/"+strconv.Itoa(i%2))
			rpprof.Do(context.Background(), labels, func(context.Context) {
				for time.Now().Before(end) {
					mu.Lock()
					held = append(held[:min(len(held), 100)], spell(recurse(20)))
					mu.Unlock()
				}
			})
		})
	}
	group.Wait()
}

var held []string

func spell(n uint64) string { return strings.Repeat(strconv.FormatUint(n, 36), 100) }

//go:noinline
func recurse(deep int) uint64 {
	if deep == 0 {
		var sum uint64
		for range 20_000 {
			sum += rand.Uint64()
		}
		return sum
	}
	return recurse(deep-1) + 1
}

// recorded profiles this process at work, twice, and returns where the files are: cpu.1, cpu.2, heap.1 and so on.
func recorded(t testing.TB, length time.Duration) string {
	t.Helper()
	dir := t.TempDir()
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	defer runtime.SetMutexProfileFraction(0)
	defer runtime.SetBlockProfileRate(0)
	for _, run := range []string{"1", "2"} {
		cpu, err := os.Create(filepath.Join(dir, "cpu."+run))
		if err != nil {
			t.Fatal(err)
		}
		if err := rpprof.StartCPUProfile(cpu); err != nil {
			t.Fatal(err)
		}
		work(length)
		rpprof.StopCPUProfile()
		_ = cpu.Close()
		runtime.GC()
		for _, name := range []string{"heap", "allocs", "goroutine", "mutex", "block", "threadcreate"} {
			f, err := os.Create(filepath.Join(dir, name+"."+run))
			if err != nil {
				t.Fatal(err)
			}
			if err := rpprof.Lookup(name).WriteTo(f, 0); err != nil {
				t.Fatal(err)
			}
			_ = f.Close()
		}
	}
	return dir
}

// compilers returns the profiles that the Go distribution has of its own: of the compiler, and in its tests.
func compilers(t testing.TB) (paths []string) {
	root := strings.TrimSpace(output(t, "go", "env", "GOROOT"))
	for _, path := range []string{
		"src/cmd/compile/default.pgo",
		"src/cmd/compile/internal/test/testdata/pgo/devirtualize/devirt.pprof",
		"src/cmd/compile/internal/test/testdata/pgo/inline/inline_hot.pprof",
	} {
		paths = append(paths, filepath.Join(root, path))
	}
	return paths
}

func output(t testing.TB, name string, arguments ...string) string {
	out, err := exec.Command(name, arguments...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, arguments, err)
	}
	return string(out)
}

// TestEveryFunctionHasWhatGoToolPprofSays holds every value of every profile
// against the tool that everybody trusts.
func TestEveryFunctionHasWhatGoToolPprofSays(t *testing.T) {
	dir := recorded(t, 300*time.Millisecond)
	var paths []string
	for _, name := range []string{"cpu", "heap", "mutex", "block", "goroutine", "threadcreate"} {
		paths = append(paths, filepath.Join(dir, name+".2"))
	}
	for _, path := range append(paths, compilers(t)...) {
		p := readFile(t, path, Usual)
		for i, sampleType := range p.SampleType {
			about := Type{i, sampleType.Type, sampleType.Unit}
			want := toolTop(t, unitOf(about), "-sample_index="+about.Name, path)
			if sameTop(t, path+" "+about.Name, TopOf(p, about), want) == 0 && about.Name == "cpu" {
				t.Errorf("%s: there is nothing in it to compare", path)
			}
		}
	}
}

func TestADifferenceIsThatOfDiffBase(t *testing.T) {
	dir := recorded(t, 200*time.Millisecond)
	for _, name := range []string{"cpu", "heap", "mutex"} {
		first, second := filepath.Join(dir, name+".1"), filepath.Join(dir, name+".2")
		base, profile := readFile(t, first, Usual), readFile(t, second, Usual)
		kept := profile.Copy().String() + base.Copy().String()
		difference, err := Diff(profile, base)
		if err != nil {
			t.Fatal(err)
		}
		about, err := TypeOf(difference, "")
		if err != nil {
			t.Fatal(err)
		}
		sameTop(t, name, TopOf(difference, about), toolTop(t, unitOf(about), "-diff_base="+first, second))
		normalized, err := NormalizedDiff(profile, base)
		if err != nil {
			t.Fatal(err)
		}
		sameTop(t, name+", normalized", TopOf(normalized, about), toolTop(t, unitOf(about), "-normalize", "-diff_base="+first, second))
		sum, err := Merge([]*pprof.Profile{profile, base})
		if err != nil {
			t.Fatal(err)
		}
		sameTop(t, name+", merged", TopOf(sum, about), toolTop(t, unitOf(about), first, second))
		if profile.String()+base.String() != kept {
			t.Errorf("%s: the profiles were changed", name)
		}
		// What is written is what go tool pprof reads.
		written := filepath.Join(dir, "difference")
		f, err := os.Create(written)
		if err != nil {
			t.Fatal(err)
		}
		if err := difference.Write(f); err != nil {
			t.Fatal(err)
		}
		_ = f.Close()
		sameTop(t, name+", written", TopOf(difference, about), toolTop(t, unitOf(about), written))
	}
}

func TestFiltersKeepWhatGoToolPprofKeeps(t *testing.T) {
	dir := recorded(t, 200*time.Millisecond)
	path := filepath.Join(dir, "cpu.2")
	p := readFile(t, path, Usual)
	about, err := TypeOf(p, "")
	if err != nil {
		t.Fatal(err)
	}
	all := TopOf(p, about)
	for _, c := range []struct{ function, label, tool string }{
		{"recurse", "", "-focus=recurse"},
		{"", "route=/1", "-tagfocus=route=^/1$"},
		{"rand|strconv", "", "-focus=rand|strconv"},
		{`_test\.go`, "", `-focus=_test\.go`},
	} {
		filter, err := NewFilter(c.function, c.label)
		if err != nil {
			t.Fatal(err)
		}
		kept := TopOf(filter.Keep(p), about)
		want := toolTop(t, "ns", c.tool, path)
		kept.Total, want.Total = 0, 0 // pprof's is of everything
		if n := sameTop(t, c.tool, kept, want); n == 0 {
			t.Errorf("%s: nothing is kept", c.tool)
		}
	}
	if now := TopOf(p, about); now.Total != all.Total || len(now.Functions) != len(all.Functions) {
		t.Error("the profile was changed")
	}
}
