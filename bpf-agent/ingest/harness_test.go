package ingest

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestMain(m *testing.M) {
	if pid := os.Getenv(agentForTest); pid != "" {
		beAgent(pid)
		return
	}
	code := m.Run()
	if err := target.RemoveBuilds(); err != nil {
		slog.Error("remove targets", "error", err)
	}
	os.Exit(code)
}

// agent is what the agent is made of, up to the head.
type agent struct {
	t       testing.TB
	kernel  *probe.Kernel
	watcher *probe.Watcher
	ledger  *goproc.Ledger
	head    *heat.Head
	ingest  *Ingest
	log     *logBuffer
}

// watch watches processes for as long as the test runs. Nobody reads the
// kernel but who calls ingest.Flush or runs ingest.Run.
func watch(t testing.TB, options probe.Options, pids ...int) *agent {
	t.Helper()
	a := watchSelection(t, options, goproc.Selection{PIDs: pids})
	for _, pid := range pids {
		a.waitFor("process to be watched", func() bool { return a.status(pid) != nil })
		s := a.status(pid)
		for _, p := range s.Points {
			// An older Go does not tell what these need.
			if b := s.Process.Binary; p.State == probe.Refused && strings.HasPrefix(p.Name, "gc.") && b != nil && b.Minor < 23 {
				continue
			}
			// So does an older kernel.
			if strings.Contains(p.Reason, "this kernel has no tracepoint") {
				continue
			}
			if p.State == probe.Refused {
				t.Fatalf("%s of %d is refused: %s", p.Name, pid, p.Reason)
			}
		}
	}
	return a
}

// watchSelection is watch for what is not there yet.
func watchSelection(t testing.TB, options probe.Options, selection goproc.Selection) *agent {
	t.Helper()
	needsRoot(t)
	kernel, err := probe.Load(options)
	if err != nil {
		t.Fatal(err)
	}
	buffer := &logBuffer{}
	log := slog.New(slog.NewTextHandler(buffer, nil))
	a := &agent{t: t, kernel: kernel, log: buffer, ledger: goproc.NewLedger()}
	a.watcher = probe.NewWatcher(kernel, goproc.NewFinder(selection, log), a.ledger, log)
	a.head = heat.NewHead(time.Now(), heat.Limits{Series: 10_000})
	a.ingest = New(kernel, a.watcher, a.head, log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.watcher.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("watch: %v", err)
		}
		if err := a.ingest.Close(); err != nil {
			t.Errorf("close ingest: %v", err)
		}
		if err := kernel.Close(); err != nil {
			t.Errorf("close kernel: %v", err)
		}
		if t.Failed() {
			t.Logf("the agent's log:\n%s", buffer)
		}
	})
	return a
}

func needsRoot(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("attaching to a process needs root")
	}
}

// status returns what the watcher says of a process, nil when it does not know it.
func (a *agent) status(pid int) *probe.Status {
	for _, s := range a.watcher.Processes() {
		if s.Process.PID == pid {
			return &s
		}
	}
	return nil
}

func (a *agent) point(pid int, name string) probe.PointStatus {
	a.t.Helper()
	s := a.status(pid)
	if s == nil {
		a.t.Fatalf("process %d is not watched", pid)
	}
	for _, p := range s.Points {
		if p.Name == name {
			return p
		}
	}
	a.t.Fatalf("process %d has no point %q", pid, name)
	return probe.PointStatus{}
}

// waitFor waits for something that another process or thread brings about.
func (a *agent) waitFor(what string, happened func() bool) {
	a.t.Helper()
	// Much longer than it takes: the machine may be busy with other things.
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		if happened() {
			return
		}
	}
	a.t.Fatalf("waited a minute in vain for %s; the agent's log:\n%s", what, a.log)
}

func (a *agent) flush() {
	a.t.Helper()
	if err := a.ingest.Flush(); err != nil {
		a.t.Fatal(err)
	}
}

// rateLimit sets how often events are carried; 0 is always.
func (a *agent) rateLimit(pid int, d time.Duration) {
	a.t.Helper()
	if err := a.watcher.SetRateLimit(a.status(pid).Process, d); err != nil {
		a.t.Fatal(err)
	}
}

// attach asks for a costly point of a process.
func (a *agent) attach(pid int, pom string, d time.Duration) {
	a.t.Helper()
	answer, err := a.watcher.RequestAttach(pom, func(p *goproc.Process) bool { return p.PID == pid }, d)
	if err != nil {
		a.t.Fatal(err)
	}
	if len(answer) != 1 || answer[0].Refused != "" {
		a.t.Fatalf("asked to attach %s to %d: %+v", pom, pid, answer)
	}
}

// total returns all that the head has of a point, of the series that match.
func (a *agent) total(pom string, matchers ...heat.Matcher) *heat.Histogram {
	a.t.Helper()
	series, err := a.head.Query(heat.Request{
		POM: pom, Matchers: matchers,
		From: time.Now().Add(-time.Hour), To: time.Now().Add(time.Minute), Step: time.Hour,
	})
	if err != nil {
		a.t.Fatal(err)
	}
	var sum heat.Histogram
	for _, s := range series {
		for _, c := range s.Columns {
			sum.Add(c.Histogram())
		}
	}
	return &sum
}

func (a *agent) accounting(pom string) Accounting {
	a.t.Helper()
	all, err := a.ingest.Accounting()
	if err != nil {
		a.t.Fatal(err)
	}
	for _, one := range all {
		if one.POM == pom {
			return one
		}
	}
	a.t.Fatalf("no accounting of %q", pom)
	return Accounting{}
}

// checkConserved checks that the head has every hit, once. The target must be
// frozen or gone since before the last flush.
func (a *agent) checkConserved(pom string) Accounting {
	a.t.Helper()
	one := a.accounting(pom)
	if one.Carried+one.Counted != one.Hits {
		a.t.Errorf("%s: carried %d + counted %d = %d, hits were %d", pom, one.Carried, one.Counted, one.Carried+one.Counted, one.Hits)
	}
	if total := a.head.Total(pom); total != one.Hits {
		a.t.Errorf("%s: the head has %d, hits were %d", pom, total, one.Hits)
	}
	return one
}

// checkLeavesEnded checks that goroutine.exit has each of the goroutines that
// targets were told to spawn. Where the kernel moves pages between NUMA nodes,
// a program can't always read which function it was: those are there without.
func (a *agent) checkLeavesEnded(want uint64) {
	a.t.Helper()
	of := func(function string) uint64 {
		return a.total("goroutine.exit", heat.Matcher{Dimension: "function", Values: []string{function}}).Count()
	}
	// What the go statement of the target starts: it calls main.leaf.
	leaves, unknown := of("main.spawn.gowrap1"), of("")
	if leaves > want || leaves+unknown < want {
		a.t.Errorf("%d goroutines ended, and %d of which the function is not known, there were %d", leaves, unknown, want)
	}
	if unknown > want/10 {
		a.t.Errorf("of %d goroutines in %d the function is not known", unknown, want)
	}
}

type logBuffer struct {
	mu     sync.Mutex
	buffer bytes.Buffer
}

func (b *logBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.Write(p)
}

func (b *logBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buffer.String()
}
