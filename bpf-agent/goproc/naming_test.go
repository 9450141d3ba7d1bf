package goproc

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// A process names its functions while it runs, after it has ended, and what it
// has named before even when its file is gone; another file in its place names
// nothing.
func TestAProcessNamesItsFunctionsAsLongAsItsFileIsThere(t *testing.T) {
	original := target(t, newest, pie)
	whole, err := os.ReadFile(original)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "program")
	if err := os.WriteFile(path, whole, 0o755); err != nil {
		t.Fatal(err)
	}
	r := run(t, path, nil)
	p := of(scan(t, Selection{PIDs: []int{r.pid()}}), r.pid())
	if p == nil || p.Refused != nil {
		t.Fatalf("found %+v", p)
	}
	functions := everyFunction(t, p.Binary, path)
	named := func(name string) string {
		i := slices.IndexFunc(functions, func(f Func) bool { return f.Name == name })
		if i < 0 {
			t.Fatalf("no function is called %s", name)
		}
		return p.Function(functions[i].Address + p.LoadBias + 1)
	}
	for _, name := range []string{"main.main", "main.allocate", "fmt.Fprintln"} {
		if got := named(name); got != name {
			t.Errorf("while it runs, %s is called %q", name, got)
		}
	}
	if got := p.Function(1); got != "" {
		t.Errorf("address 1 is in %q", got)
	}
	r.end()
	if got := named("main.pingpong"); got != "main.pingpong" {
		t.Errorf("after its end, main.pingpong is called %q", got)
	}
	if err := os.Rename(path, path+".old"); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, whole, 0o755); err != nil {
		t.Fatal(err)
	}
	if got := named("fmt.Fprintf"); got != "" {
		t.Errorf("a copy in the place of the file says %q", got)
	}
	if got := named("main.pingpong"); got != "main.pingpong" {
		t.Errorf("without the file, main.pingpong is called %q, and was known", got)
	}
}
