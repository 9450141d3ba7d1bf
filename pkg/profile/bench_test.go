package profile

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkProfileTop holds tables against those of go tool pprof, number by
// number: of this program at work, of the compiler as the Go distribution
// profiled it, and of tests of the Go distribution.
func BenchmarkProfileTop(b *testing.B) {
	for b.Loop() {
		dir := recorded(b, time.Second)
		paths := compilers(b)
		for _, name := range []string{"cpu", "heap", "allocs", "mutex", "block", "goroutine", "threadcreate"} {
			paths = append(paths, filepath.Join(dir, name+".1"), filepath.Join(dir, name+".2"))
		}
		for _, tested := range []string{"sort", "regexp", "encoding/json", "sync"} {
			paths = append(paths, profiledTests(b, tested)...)
		}
		functions, same, files := 0, 0, 0
		compare := func(got, want Top) {
			has := map[string]Function{}
			for _, f := range got.Functions {
				has[f.Name] = f
			}
			for _, f := range want.Functions {
				functions++
				if has[f.Name] == f {
					same++
				}
			}
			// What the tool does not have is no match either.
			functions += max(0, len(got.Functions)-len(want.Functions))
		}
		for _, path := range paths {
			files++
			p := readFile(b, path, Usual)
			for i, sampleType := range p.SampleType {
				about := Type{i, sampleType.Type, sampleType.Unit}
				compare(TopOf(p, about), toolTop(b, unitOf(about), "-sample_index="+about.Name, path))
			}
		}
		for _, name := range []string{"cpu", "heap", "mutex"} {
			files++
			first, second := filepath.Join(dir, name+".1"), filepath.Join(dir, name+".2")
			difference, err := Diff(readFile(b, second, Usual), readFile(b, first, Usual))
			if err != nil {
				b.Fatal(err)
			}
			about, err := TypeOf(difference, "")
			if err != nil {
				b.Fatal(err)
			}
			compare(TopOf(difference, about), toolTop(b, unitOf(about), "-diff_base="+first, second))
		}
		fmt.Printf("pprof_top_files %d\npprof_top_functions %d\npprof_top_match %.6f\n", files, functions, float64(same)/float64(functions))
	}
}

// profiledTests runs tests of the Go distribution with all profiles on.
func profiledTests(b *testing.B, tested string) (paths []string) {
	dir := b.TempDir()
	arguments := []string{"test", "-short", "-count=1", "-o", filepath.Join(dir, "test"), "-outputdir", dir}
	for _, name := range []string{"cpu", "mem", "mutex", "block"} {
		arguments = append(arguments, "-"+name+"profile", name)
		paths = append(paths, filepath.Join(dir, name))
	}
	if out, err := exec.Command("go", append(arguments, tested)...).CombinedOutput(); err != nil {
		b.Fatalf("test %s: %v\n%s", tested, err, out)
	}
	return paths
}
