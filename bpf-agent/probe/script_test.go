package probe

import (
	"debug/elf"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

func TestScriptsAreOfThePointsTheyName(t *testing.T) {
	for pom, s := range scripts {
		number, err := PointNumber(pom)
		if err != nil {
			t.Errorf("script: %v", err)
			continue
		}
		hits := false
		for program, body := range s.at {
			if !slices.ContainsFunc(Catalogue[number].Probes, func(p Probe) bool { return p.Program == program && p.Function != "" }) {
				t.Errorf("script for %s: program %s is not at a place in the process for it", pom, program)
			}
			hits = hits || strings.Contains(body, "@hits = count()")
		}
		if !hits {
			t.Errorf("script for %s counts no hits", pom)
		}
	}
}

// This very test is the process.
func TestScriptIsOfOneBinary(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("comparing the code of a process with its file needs root")
	}
	processes, err := goproc.NewFinder(goproc.Selection{PIDs: []int{os.Getpid()}}, nil).Scan()
	if err != nil || len(processes) != 1 {
		t.Fatalf("%d processes, error %v", len(processes), err)
	}
	for i, point := range Catalogue {
		text, err := Script(processes[0], point.Name)
		if _, known := scripts[point.Name]; !known {
			if err == nil || !strings.Contains(err.Error(), point.Name) {
				t.Errorf("%s: error %v, must say why there is no script", point.Name, err)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", point.Name, err)
			continue
		}
		if strings.Contains(text, "{{") || !strings.Contains(text, "uprobe:/proc/") {
			t.Errorf("%s is not whole:\n%s", Catalogue[i].Name, text)
		}
	}
	if _, err := Script(processes[0], "gc.stv"); err == nil || !strings.Contains(err.Error(), "gc.stv") {
		t.Errorf("a script for what is not in the catalogue: error %v", err)
	}
}

func TestPlaceIsNotMistakenForAnAddress(t *testing.T) {
	site := goproc.Site{Function: "runtime.newproc1", Offset: 0x531aa}
	far := symbols{{Name: "elsewhere", Value: 0x4531a0, Size: 100}}
	if got := far.place(site, &goproc.FuncTable{}); got != "0x531aa" {
		t.Errorf("the place is %s, must be the offset in the file", got)
	}
	near := symbols{{Name: "other", Info: byte(elf.STT_FUNC), Value: 0x53100, Size: 0x100}}
	if got := near.place(site, &goproc.FuncTable{}); !strings.HasPrefix(got, `"runtime.newproc1"+`) {
		t.Errorf("the place is %s, which bpftrace takes for one in another function", got)
	}
}
