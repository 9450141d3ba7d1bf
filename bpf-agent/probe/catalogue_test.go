package probe

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestMain(m *testing.M) {
	if as := os.Getenv(doctorForTest); as != "" {
		beDoctor()
		return
	}
	code := m.Run()
	if err := target.RemoveBuilds(); err != nil {
		code = 1
	}
	os.Exit(code)
}

func TestCatalogueIsCoherent(t *testing.T) {
	spec, err := bpf.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	if len(Catalogue) != int(bpf.KernelPointNUM_POINTS) {
		t.Errorf("%d points, the programs know %d", len(Catalogue), bpf.KernelPointNUM_POINTS)
	}
	if len(Catalogue) > maxPoints {
		t.Errorf("%d points, the maps have room for %d", len(Catalogue), maxPoints)
	}
	names, used, numbered := map[string]bool{}, map[string]bool{execProgram: true}, map[int]string{}
	for _, p := range Catalogue {
		if p.Name == "" || names[p.Name] {
			t.Errorf("name %q is empty or not unique", p.Name)
		}
		names[p.Name] = true
		if p.Unit != "ns" && p.Unit != "By" && p.Unit != "1" {
			t.Errorf("%s: unit is %q, must be ns, By or 1", p.Name, p.Unit)
		}
		if !slices.Contains([]string{"T1", "T2", "T3"}, p.Tier) {
			t.Errorf("%s: tier is %q", p.Name, p.Tier)
		}
		if p.OnDemand != (p.Tier == "T3") {
			t.Errorf("%s: on demand is %v, tier is %s: T3 and no other is on demand", p.Name, p.OnDemand, p.Tier)
		}
		if !strings.HasSuffix(p.Help, ".") {
			t.Errorf("%s: help %q is not a sentence", p.Name, p.Help)
		}
		for _, d := range p.Dimensions {
			if !slices.Contains(heat.Dimensions, d) {
				t.Errorf("%s: dimension %q is not one of heat's", p.Name, d)
			}
		}
		for _, d := range processDimensions {
			if !slices.Contains(p.Dimensions, d) {
				t.Errorf("%s: can't be split by %s", p.Name, d)
			}
		}
		if slices.Contains(p.Dimensions, "reason") != (p.Reason != nil) {
			t.Errorf("%s: what is split by reason names its reasons, and nothing else does", p.Name)
		}
		if len(p.Extra) > len(bpf.KernelLongEvent{}.Extra) {
			t.Errorf("%s: events have room for %d extras", p.Name, len(bpf.KernelLongEvent{}.Extra))
		}
		if len(p.Probes) == 0 {
			t.Errorf("%s: no probe feeds it", p.Name)
		}
		for _, probe := range p.Probes {
			if spec.Programs[probe.Program] == nil {
				t.Errorf("%s: there is no program %q", p.Name, probe.Program)
			}
			used[probe.Program] = true
			if n, ok := programs[probe.Program]; !ok || numbered[n] != "" && numbered[n] != probe.Program {
				t.Errorf("program %q has no number of its own for its runs", probe.Program)
			} else {
				numbered[n] = probe.Program
			}
		}
	}
	for program := range spec.Programs {
		if !used[program] {
			t.Errorf("program %q feeds no point", program)
		}
	}
}

func TestSlotsOfGoAndOfTheProgramsAreAsMany(t *testing.T) {
	spec, err := bpf.LoadKernel()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{bpf.KernelMapSlots, bpf.KernelMapProcesses, bpf.KernelMapTallies} {
		if n := spec.Maps[name].MaxEntries; n != MaxSlots {
			t.Errorf("map %s has %d entries, slots are %d", name, n, MaxSlots)
		}
	}
	if n, want := spec.Maps[bpf.KernelMapCoarse].MaxEntries, CoarseIndex(MaxSlots-1, maxPoints-1)+1; n != want {
		t.Errorf("map coarse has %d entries, must be %d", n, want)
	}
	if n := len(bpf.KernelCoarseCount{}.Count); n != heat.NumBuckets {
		t.Errorf("the programs have %d buckets, heat has %d", n, heat.NumBuckets)
	}
}

// The names are those of the runtime that builds this test.
func TestReasonsAreTheRuntimes(t *testing.T) {
	source, err := os.ReadFile(filepath.Join(goroot(t), "src", "runtime", "proc.go"))
	if err != nil {
		t.Skipf("the Go release has no sources: %v", err)
	}
	_, rest, found := strings.Cut(string(source), "const (\n\tstwUnknown ")
	if !found {
		t.Fatal("runtime/proc.go has no constants that begin with stwUnknown")
	}
	block, _, _ := strings.Cut(rest, "\n)")
	var names []string
	for line := range strings.Lines(block) {
		_, comment, found := strings.Cut(line, `// "`)
		if !found {
			t.Fatalf("no name in %q", line)
		}
		name, _, _ := strings.Cut(comment, `"`)
		names = append(names, strings.TrimPrefix(name, "GC "))
	}
	if !slices.Equal(names, reasons[:]) {
		t.Errorf("the runtime has %q, the table %q", names, reasons)
	}
	if got := stopReason(nil, 255); got != "unknown" {
		t.Errorf("a number past the table is %q", got)
	}
}

func TestUnknownGoReleaseIsRefusedAndNotGuessed(t *testing.T) {
	offsets := goproc.Offsets{GM: 48, MP: 208, MCurg: 184, GStartpc: 304, GGoid: 152, GWaitReason: 176, TimeToRun: 1}
	for minor, known := range map[int]bool{21: false, 22: true, 27: true, 28: false} {
		err := needsStarted(&goproc.Binary{GoVersion: "go1.x", Minor: minor, Offsets: offsets})
		if (err == nil) != known {
			t.Errorf("Go 1.%d: error %v", minor, err)
		}
	}
	whole, err := goproc.ReadBinary("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range Catalogue {
		if p.needs == nil {
			continue
		}
		if err := p.needs(&goproc.Binary{GoVersion: "go1.26.0", Minor: 26}); err == nil {
			t.Errorf("%s: a binary without offsets is not refused", p.Name)
		}
		if err := p.needs(whole); err != nil && !errors.Is(err, errIdle) {
			t.Errorf("%s: %v", p.Name, err)
		}
	}
}
