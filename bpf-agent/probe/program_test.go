package probe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// Loading is little but the kernel's verifier at work, which gives up at a
// million instructions: an agent should start at once, on slow machines too.
func TestTheVerifierHasLittleToWalk(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("loading programs into the kernel needs root")
	}
	k, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	for name, p := range k.collection.Programs {
		info, err := p.Info()
		if err != nil {
			t.Fatal(err)
		}
		if n, known := info.VerifiedInstructions(); !known || n > 50_000 {
			t.Errorf("to load %s the verifier walks %d instructions, must be at most 50000", name, n)
		}
	}
}

// BenchmarkPrograms reports how long the kernel says that a run of each program
// takes, without the trap, which costs more; and of an empty one at the same
// places, which is what the kernel's clock takes.
func BenchmarkPrograms(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching to a process needs root")
	}
	program := target.Start(b, target.Build(b, ""))
	k, err := Load(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	if k.perfLinks {
		b.Skip("cannot run here: this kernel has no uprobe_multi, and the empty program is one")
	}
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	watcher := NewWatcher(k, goproc.NewFinder(goproc.Selection{PIDs: []int{program.PID()}}, log), goproc.NewLedger(), log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- watcher.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	for end := time.Now().Add(20 * time.Second); len(watcher.Processes()) == 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			b.Fatal("waited 20 s in vain for the process to be watched")
		}
	}
	for _, p := range Catalogue {
		if !p.OnDemand {
			continue
		}
		if _, err := watcher.RequestAttach(p.Name, func(*goproc.Process) bool { return true }, MaxAttach); err != nil {
			b.Fatal(err)
		}
	}
	empty := attachEmpty(b, watcher.Processes()[0].Process)
	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	defer stats.Close()
	for b.Loop() {
		program.Ask("switch %d", 20_000)
		program.Ask("spawn %d", 50_000)
	}
	b.ReportMetric(0, "ns/op")
	report := func(name string, p *ebpf.Program) {
		s, err := p.Stats()
		if err != nil {
			b.Fatal(err)
		}
		if s.RunCount < 1000 {
			return // too few to mean something
		}
		ns := float64(s.Runtime) / float64(s.RunCount)
		fmt.Printf("program_ns_%s %.0f\n", name, ns)
		b.ReportMetric(ns, name+"-ns")
	}
	report("empty", empty)
	for _, name := range slices.Sorted(maps.Keys(k.collection.Programs)) {
		report(name, k.collection.Programs[name])
	}
}

// attachEmpty attaches a program that does nothing where goroutines become
// runnable.
func attachEmpty(b *testing.B, p *goproc.Process) *ebpf.Program {
	b.Helper()
	empty, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: "empty", Type: ebpf.Kprobe, AttachType: ebpf.AttachTraceUprobeMulti, License: "Dual MIT/GPL",
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { empty.Close() })
	sites, err := readyProbe.sites(p.Binary)
	if err != nil {
		b.Fatal(err)
	}
	var offsets []uint64
	for _, s := range sites {
		offsets = append(offsets, s.Offset)
	}
	executable, err := link.OpenExecutable(fmt.Sprintf("/proc/%d/exe", p.PID))
	if err != nil {
		b.Fatal(err)
	}
	l, err := executable.UprobeMulti(nil, empty, &link.UprobeMultiOptions{Addresses: offsets})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { l.Close() })
	return empty
}
