package pacer

import (
	"context"
	"log/slog"
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
		slog.Error("remove targets", "error", err)
	}
	os.Exit(code)
}

type testLog struct{ t *testing.T }

func (l testLog) Write(p []byte) (int, error) {
	l.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// A real process spawns goroutines as fast as it can while each is watched,
// beside one of another file that sleeps.
func TestARealStormIsShedAndTheSleeperIsNot(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("attaching to a process needs root")
	}
	log := slog.New(slog.NewTextHandler(testLog{t}, nil))
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	stormy := target.Start(t, target.Build(t, ""))
	sleeper := target.Start(t, target.Build(t, "", "-ldflags=-s -w"))
	finder := goproc.NewFinder(goproc.Selection{PIDs: []int{stormy.PID(), sleeper.PID()}}, log)
	watcher := probe.NewWatcher(kernel, finder, goproc.NewLedger(), log)
	gauges := &heat.Gauges{}
	p := New(kernel, watcher, gauges, DefaultBudget, log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 2)
	go func() { ended <- watcher.Run(ctx) }()
	go func() { ended <- p.Run(ctx) }()
	defer func() {
		cancel()
		for range 2 {
			if err := <-ended; err != nil {
				t.Error(err)
			}
		}
		if err := kernel.Close(); err != nil {
			t.Error(err)
		}
	}()
	status := func(pid int) *probe.Watched {
		for _, w := range watcher.Watched() {
			if w.Process.PID == pid {
				return &w
			}
		}
		return nil
	}
	wait := func(what string, happened func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); !happened(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited a minute in vain for %s", what)
			}
		}
	}
	wait("both to be watched", func() bool { return status(stormy.PID()) != nil && status(sleeper.PID()) != nil })

	create, err := probe.PointNumber("goroutine.create")
	if err != nil {
		t.Fatal(err)
	}
	everybody := func(*goproc.Process) bool { return true }
	if _, err := watcher.RequestAttach("goroutine.create", everybody, time.Minute); err != nil {
		t.Fatal(err)
	}
	stormy.Ask("storm 1000000")
	wait("the storm to be shed", func() bool { return status(stormy.PID()).Points[create].State == probe.Shed })
	if reason := status(stormy.PID()).Points[create].Reason; !strings.Contains(reason, "the budget is 1 %") {
		t.Errorf("it is shed for the reason %q", reason)
	}
	if state := status(sleeper.PID()).Points[create].State; state != probe.Attached {
		t.Errorf("goroutine.create of the sleeper is %v", state)
	}
	// Asking again says why it is not there now.
	answer, err := watcher.RequestAttach("goroutine.create", everybody, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range answer {
		if a.Refused != "" || (a.Shed != "") != (a.Process.PID == stormy.PID() && status(stormy.PID()).Points[create].State == probe.Shed) {
			t.Errorf("process %d is told refused %q, shed %q", a.Process.PID, a.Refused, a.Shed)
		}
	}
	wait("the sleeper to be cold", func() bool {
		c, ok := p.Of(status(sleeper.PID()).Process)
		return ok && c.Class == Cold && c.RateLimit == 100*time.Microsecond && c.ScanBatch == 16
	})
	wait("the storm to be hot", func() bool {
		c, ok := p.Of(status(stormy.PID()).Process)
		return ok && c.Class == Hot && c.RateLimit == 20*time.Microsecond && c.ScanBatch == 256 && c.Total > 0
	})
	if slot := status(stormy.PID()).Slot; slot.ScanBatch() != 256 {
		t.Errorf("the counters of the storm are read %d at once", slot.ScanBatch())
	}
	who := status(stormy.PID()).Process
	if cost, _, ok := gauges.Last(heat.GaugeKey{Name: probe.WatchCost, Process: who.ID, Service: who.Identity.Service, Version: who.Identity.Version}); !ok || cost < 0 || cost > 1 {
		t.Errorf("watch.cost is %v, %v", cost, ok)
	}
	stormy.Ask("calm")
}
