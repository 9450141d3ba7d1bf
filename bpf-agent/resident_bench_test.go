package main

import (
	"cmp"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

const (
	// residentForVariable is for how long; docs/benchmarks.md quotes the default.
	residentForVariable = "GOTHERM_RESIDENT_FOR"
	residentForDefault  = 5 * time.Minute
	// residentBudgetVariable is the agent's budget; with 50% nothing is shed.
	residentBudgetVariable = "GOTHERM_RESIDENT_BUDGET"
	residentBudgetDefault  = "1%"
	residentWatched        = 10
	residentMemory         = 64 << 20
)

// BenchmarkResident watches ten processes of ten binaries, each of which
// serves requests, collects garbage and starts goroutines all the time, with
// every point there is, and holds the agent's resident memory against 64 MiB.
// An hour of heat is not over then: what the head would take by the time is said
// too, and that it stays below its limit is for its own tests.
func BenchmarkResident(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	length := residentForDefault
	if text := os.Getenv(residentForVariable); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length < time.Minute {
			b.Fatalf("%s is %q, must be a duration of 1m or more", residentForVariable, text)
		}
	}
	path := filepath.Join(b.TempDir(), "gotherm-agent")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("build the agent: %v\n%s", err, out)
	}
	var targets []*target.Target
	var pids []string
	for i := range residentWatched {
		t := target.Start(b, target.Build(b, "", fmt.Sprintf("-ldflags=-X main.number=%d", i)))
		t.Ask("load 20")
		targets, pids = append(targets, t), append(pids, strconv.Itoa(t.PID()))
	}
	a := startStormAgent(b, path, residentBudget(), pids)
	h := &herd{t: b, address: stormAgent, programs: targets}
	stop := observeMemory(b, a.command.Process.Pid)
	begin := time.Now()
	middle, middleAt := 0, time.Time{}
	for i := 0; time.Since(begin) < length; i++ {
		a.askForEverything()
		for range 20 {
			for _, t := range targets {
				t.Ask("spawn 50")
				t.Ask("collect 1")
			}
			time.Sleep(500 * time.Millisecond)
		}
		if middle == 0 && time.Since(begin) > length/2 {
			middle, middleAt = h.metrics("gotherm_head_bytes")[0], time.Now()
		}
	}
	memory := stop()
	now := h.metrics("gotherm_head_bytes", "gotherm_head_series", "go_memstats_heap_inuse_bytes")
	perSecond := float64(now[0]-middle) / time.Since(middleAt).Seconds()
	memory.report("resident")
	fmt.Printf("resident_heap_mib %d\nresident_maps_mib %d\nresident_series %d\nresident_head_mib %.1f\nresident_head_mib_per_hour %.1f\n",
		now[2]>>20, mapMemory(b, a.command.Process.Pid)>>20, now[1], float64(now[0])/(1<<20), perSecond*3600/(1<<20))
	if peak := memory.peak(); peak > residentMemory {
		b.Errorf("the agent took %d MiB, at most %d", peak>>20, residentMemory>>20)
	}
	for _, t := range targets {
		t.Freeze()
	}
	a.checkConserved()
	for _, t := range targets {
		t.Thaw()
		t.Ask("unload")
	}
	endForBenchmark(a.command)
	for _, t := range targets {
		if err := unix.Kill(t.PID(), 0); err != nil {
			b.Errorf("process %d: %v", t.PID(), err)
		}
		t.Stop()
	}
}

func residentBudget() string {
	return cmp.Or(os.Getenv(residentBudgetVariable), residentBudgetDefault)
}
