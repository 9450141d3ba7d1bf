package mem

import (
	"context"
	"log/slog"
	"math"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestMain(m *testing.M) {
	code := m.Run()
	if err := target.RemoveBuilds(); err != nil {
		code = 1
	}
	os.Exit(code)
}

// find returns a process as the agent sees it.
func findProcess(t *testing.T, pid int) *goproc.Process {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var found *goproc.Process
	finder := goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, slog.Default())
	_ = finder.Run(ctx, func(e goproc.Event) {
		found = e.Process
		cancel()
	})
	if found == nil {
		t.Fatalf("process %d was not found", pid)
	}
	if found.Refused != nil {
		t.Fatal(found.Refused)
	}
	return found
}

type build struct {
	name, release string
	flags, env    []string
}

func builds() []build {
	all := []build{
		{name: "this Go"},
		{name: "stripped, position-independent", flags: []string{"-ldflags=-s -w", "-buildmode=pie"}},
		{name: "with a memory limit only", env: []string{"GOGC=off", "GOMEMLIMIT=96MiB"}},
	}
	if testing.Short() {
		return all
	}
	for _, release := range []string{"go1.23.12", "go1.24.13", "go1.25.14"} {
		all = append(all, build{name: release, release: release})
	}
	return all
}

func TestMemoryIsWhatTheRuntimeSays(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("reading the memory of another process needs root")
	}
	for _, b := range builds() {
		t.Run(b.name, func(t *testing.T) {
			program := target.Start(t, target.Build(t, b.release, b.flags...), b.env...)
			r, err := newReader(findProcess(t, program.PID()))
			if err != nil {
				t.Fatal(err)
			}
			program.Ask("park 200")
			program.Ask("collect 5")
			want := program.Ask("memory").Memory
			program.Freeze()
			defer program.Thaw()
			s, err := r.read()
			if err != nil {
				t.Fatal(err)
			}
			if !r.proved {
				t.Errorf("goroutines that have ended were not found in the free lists: %v", r.sites.noGoroutines)
			}
			values := s.values()
			// To answer, the program allocates a little.
			const little = 512 << 10
			// A goal for the sake of a limit follows what else takes memory.
			goalTolerance := 0.0
			if b.env != nil {
				goalTolerance = little
			}
			for name, pair := range map[string]struct{ want, tolerance float64 }{
				probe.MemHeapObjects: {float64(want.HeapAlloc), little},
				probe.MemHeapInUse:   {float64(want.HeapInuse), little},
				probe.MemHeapIdle:    {float64(want.HeapIdle), little},
				// The scavenger gives more of it back meanwhile.
				probe.MemHeapReleased:  {float64(want.HeapReleased), float64(want.HeapIdle)},
				probe.MemStackInUse:    {float64(want.StackInuse), little},
				probe.MemSys:           {float64(want.Sys), little},
				probe.MemTotalAlloc:    {float64(want.TotalAlloc), little},
				probe.MemObjects:       {float64(want.HeapObjects), 8000},
				probe.MemHeapGoal:      {float64(want.NextGC), goalTolerance},
				probe.MemGoroutines:    {float64(want.Goroutines), 0},
				probe.MemCollections:   {float64(want.NumGC), 0},
				probe.MemPauseTotal:    {float64(want.PauseTotalNs), 0},
				probe.MemGCCPUFraction: {want.GCCPUFraction, 0},
			} {
				if got, ok := values[name]; !ok || math.Abs(got-pair.want) > pair.tolerance {
					t.Errorf("%s is %g, the runtime says %g", name, got, pair.want)
				}
			}
			if live, marked := values[probe.MemHeapLive], values[probe.MemHeapMarked]; live < marked || live > marked+float64(want.HeapAlloc) {
				t.Errorf("the live heap is %g, of which %g were marked", live, marked)
			}
			if trigger := values[probe.MemHeapTrigger]; trigger < values[probe.MemHeapMarked] || trigger > values[probe.MemHeapGoal] {
				t.Errorf("the trigger %g is not between what is marked, %g, and the goal, %g", trigger, values[probe.MemHeapMarked], values[probe.MemHeapGoal])
			}
		})
	}
}

// What a poller finds is in the gauges, and in the kernel for programs to read.
func TestPolledMemoryIsInTheGauges(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("reading the memory of another process needs root")
	}
	program := target.Start(t, target.Build(t, ""))
	program.Ask("collect 2")
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	finder := goproc.NewFinder(goproc.Selection{PIDs: []int{program.PID()}}, slog.Default())
	watcher := probe.NewWatcher(kernel, finder, goproc.NewLedger(), slog.Default())
	gauges := &heat.Gauges{}
	poller := New(kernel, watcher, gauges, nil, slog.Default())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- watcher.Run(ctx) }()
	go func() { ended <- poller.Run(ctx) }()
	defer func() {
		cancel()
		for range cap(ended) {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
	}()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		var missing []string
		now := time.Now()
		for _, g := range probe.Gauges {
			if !strings.HasPrefix(g.Name, "mem.") || g.Name == probe.MemLimit {
				continue
			}
			series, err := gauges.Query(g.Name, nil, now.Add(-time.Minute), now.Add(time.Second), time.Second)
			if err != nil {
				t.Fatal(err)
			}
			if len(series) != 1 {
				missing = append(missing, g.Name)
			}
		}
		if len(missing) == 0 {
			break
		}
		if now.After(end) {
			t.Fatalf("no value of %q in a minute", missing)
		}
	}
	slots := kernel.Slots()
	if len(slots) != 1 {
		t.Fatalf("%d processes are watched", len(slots))
	}
	live, goal, trigger, err := kernel.Heap(slots[0])
	if err != nil {
		t.Fatal(err)
	}
	if live == 0 || live > goal || trigger > goal {
		t.Errorf("the kernel was told of a live heap of %d, a goal of %d and a trigger of %d", live, goal, trigger)
	}
}
