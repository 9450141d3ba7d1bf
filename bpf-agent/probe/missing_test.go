package probe

import (
	"os"
	"strings"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// A point whose tracepoint this kernel does not have is refused, and says so;
// the others are taken all the same.
func TestWhatThisKernelLacksIsSaid(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs needs root")
	}
	kernel, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	if len(kernel.missing) == 0 {
		t.Skip("cannot run here: this kernel has all tracepoints; Linux 6.1 has not: see internal/vm")
	}
	program := target.Start(t, target.Build(t, ""))
	found, err := goproc.NewFinder(goproc.Selection{PIDs: []int{program.PID()}}, nil).Scan()
	if err != nil || len(found) != 1 || found[0].Refused != nil {
		t.Fatalf("%+v, %v", found, err)
	}
	w := NewWatcher(kernel, goproc.NewFinder(goproc.Selection{}, nil), goproc.NewLedger(), nil)
	refused, taken := 0, 0
	for i, point := range Catalogue {
		lacks := ""
		for _, p := range point.Probes {
			if !p.Optional && kernel.missing[p.Program] != nil {
				lacks = p.Program
			}
		}
		err := w.check(found[0], i)
		switch {
		case lacks == "" && (err == nil || !strings.Contains(err.Error(), "tracepoint")):
			taken++
		case lacks != "" && err != nil && strings.Contains(err.Error(), "this kernel has no tracepoint"):
			refused++
			t.Logf("%s: %v", point.Name, err)
		default:
			t.Errorf("%s, which lacks %q: %v", point.Name, lacks, err)
		}
	}
	if taken < 4 {
		t.Errorf("%d points are taken, %d refused", taken, refused)
	}
}
