package ingest

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// How watching begins and ends, and that the target does not suffer from it.

func TestTargetSurvivesAttachingAHundredTimes(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	times := 100
	if testing.Short() {
		times = 10
	}
	program.Ask("load")
	for range times {
		a.attach(program.PID(), "goroutine.create", 50*time.Millisecond)
		a.attach(program.PID(), "goroutine.exit", 50*time.Millisecond)
		a.waitFor("detaching", func() bool {
			return a.point(program.PID(), "goroutine.create").State == probe.Available &&
				a.point(program.PID(), "goroutine.exit").State == probe.Available
		})
	}
	if program.Ask("unload").Served == 0 {
		t.Error("no request was served")
	}
	program.Freeze()
	defer program.Thaw()
	a.flush()
	for _, pom := range []string{"goroutine.create", "goroutine.exit", "sched.latency"} {
		if one := a.checkConserved(pom); one.Hits == 0 {
			t.Errorf("%s was not hit", pom)
		}
	}
}

func TestCostlyPointsEndByThemselves(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	pid := program.PID()
	everyone := func(*goproc.Process) bool { return true }

	if _, err := a.watcher.RequestAttach("goroutine.create", everyone, 6*time.Minute); err == nil || !strings.Contains(err.Error(), "5m0s") {
		t.Errorf("asking for 6 minutes: error %v, must say the limit of 5m0s", err)
	}
	if _, err := a.watcher.RequestAttach("goroutine.crate", everyone, time.Minute); err == nil || !strings.Contains(err.Error(), "goroutine.crate") {
		t.Errorf("asking for what is not in the catalogue: error %v, must name it", err)
	}
	program.Ask("spawn 100")
	a.flush()
	if n := a.total("goroutine.create").Count(); n != 0 {
		t.Errorf("%d goroutines were seen before anyone asked", n)
	}

	a.attach(pid, "goroutine.create", 300*time.Millisecond)
	first := a.point(pid, "goroutine.create").Until
	a.attach(pid, "goroutine.create", 2*time.Second)
	if until := a.point(pid, "goroutine.create").Until; !until.After(first) {
		t.Errorf("asked again: ends at %v, must be after %v", until, first)
	}
	a.attach(pid, "goroutine.create", time.Millisecond)
	program.Ask("spawn 1000")
	a.flush()
	created := a.total("goroutine.create").Count()
	if created < 1000 {
		t.Errorf("%d goroutines were seen to be created, there were 1000", created)
	}
	a.waitFor("the end", func() bool { return a.point(pid, "goroutine.create").State == probe.Available })
	program.Ask("spawn 1000")
	a.flush()
	if n := a.total("goroutine.create").Count(); n != created {
		t.Errorf("%d goroutines were seen after the end", n-created)
	}
}

// Two processes run one file: a breakpoint for one is hit by the other as well.
func TestPointsAreOfTheProcessThatAsked(t *testing.T) {
	path := target.Build(t, "")
	one, other := target.Start(t, path), target.Start(t, path)
	a := watch(t, probe.Options{}, one.PID(), other.PID())
	a.attach(one.PID(), "goroutine.create", time.Minute)
	other.Ask("spawn 1000")
	a.flush()
	if n := a.total("goroutine.create").Count(); n != 0 {
		t.Errorf("%d goroutines of a process that was not asked for", n)
	}
	one.Ask("spawn 1000")
	other.Ask("collect 2")
	a.flush()
	ofOne := heat.Matcher{Dimension: "process", Values: []string{a.status(one.PID()).Process.ID}}
	if n := a.total("goroutine.create", ofOne).Count(); n < 1000 {
		t.Errorf("%d goroutines were seen to be created, there were 1000", n)
	}
	ofOther := heat.Matcher{Dimension: "process", Values: []string{a.status(other.PID()).Process.ID}}
	if n := a.total("gc.stw", ofOther).Count(); n < 4 {
		t.Errorf("%d pauses of a process that shares its file, there were 4 or more", n)
	}
	// The first to go must not take the probes with it.
	one.Stop()
	a.waitFor("the exit", func() bool { return a.status(one.PID()) == nil })
	before := a.total("gc.stw", ofOther).Count()
	other.Ask("collect 2")
	a.flush()
	if n := a.total("gc.stw", ofOther).Count(); n < before+4 {
		t.Errorf("%d pauses after the other process has gone, there were 4 or more", n-before)
	}
}

func TestExitIsFollowedAndItsHeatKept(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- a.ingest.Run(ctx) }()
	program.Ask("collect 10")
	program.Stop()
	a.waitFor("the exit", func() bool { return a.status(program.PID()) == nil })
	a.waitFor("the slot to be free", func() bool { return len(a.kernel.Slots()) == 0 })
	if one := a.checkConserved("gc.stw"); one.Hits < 20 {
		t.Errorf("%d pauses of a process that has gone, there were 20 or more", one.Hits)
	}
	a.checkConserved("sched.latency")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

// A slot is given to another process when its first is gone: what that one
// does must not go on the first one's account.
func TestHitsAreOfTheSlotsOwner(t *testing.T) {
	path := target.Build(t, "")
	a := watchFile(t, path)
	for life := range 3 {
		service := fmt.Sprintf("life-%d", life)
		program := target.Start(t, path, "OTEL_SERVICE_NAME="+service)
		a.waitFor("the program to be watched", func() bool { return a.status(program.PID()) != nil })
		a.rateLimit(program.PID(), 0)
		program.Ask("collect 10")
		program.Stop()
		a.waitFor("the slot to be free", func() bool { a.flush(); return len(a.kernel.Slots()) == 0 })
		if n := a.total("gc.stw", gcReasons, heat.Matcher{Dimension: "service", Values: []string{service}}).Count(); n < 20 {
			t.Errorf("%s has %d pauses, there were 20 or more", service, n)
		}
	}
	if one := a.checkConserved("gc.stw"); one.Carried == 0 {
		t.Error("no pause was carried by the ring")
	}
}

func TestReexecIsFollowed(t *testing.T) {
	path := target.Build(t, "")
	for name, next := range map[string]string{
		"to another file":  target.Build(t, "", "-ldflags=-s -w"),
		"to the same file": path,
	} {
		t.Run(name, func(t *testing.T) {
			program := target.Start(t, path)
			a := watch(t, probe.Options{}, program.PID())
			first := a.status(program.PID()).Process
			program.Ask("collect 5")
			program.Tell("exec 0 %s", next)
			a.waitFor("the new program", func() bool {
				s := a.status(program.PID())
				return s != nil && s.Process != first
			})
			a.flush()
			before := a.total("gc.stw", gcReasons).Count()
			program.Ask("collect 10")
			a.flush()
			if n := a.total("gc.stw", gcReasons).Count() - before; n < 20 {
				t.Errorf("%d pauses after exec, there were 20 or more", n)
			}
		})
	}
}

func TestPerfLinksCountAsUprobeMultiDoes(t *testing.T) {
	for _, options := range []probe.Options{{}, {PerfLinks: true}} {
		t.Run(fmt.Sprintf("perf links %v", options.PerfLinks), func(t *testing.T) {
			program := target.Start(t, target.Build(t, ""))
			a := watch(t, options, program.PID())
			a.attach(program.PID(), "goroutine.exit", time.Minute)
			before := program.Ask("stats")
			program.Ask("spawn 20000")
			after := program.Ask("collect 20")
			a.flush()
			n, want := a.total("gc.stw", gcReasons).Count(), 2*(after.NumGC-before.NumGC)
			if d := int64(n) - want; d < -2 || d > 2 {
				t.Errorf("%d pauses, twice NumGC is %d", n, want)
			}
			a.checkLeavesEnded(20_000)
		})
	}
}

// agentForTest tells the test binary to be an agent that watches a pid.
const agentForTest = "GOTHERM_TEST_AGENT_PID"

func beAgent(text string) {
	pid, err := strconv.Atoi(text)
	if err != nil {
		panic(err)
	}
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		panic(err)
	}
	finder := goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, slog.Default())
	if err := probe.NewWatcher(kernel, finder, goproc.NewLedger(), slog.Default()).Run(context.Background()); err != nil {
		panic(err)
	}
}

func TestKilledAgentLeavesNoProbe(t *testing.T) {
	needsRoot(t)
	victim := target.Start(t, target.Build(t, ""))
	agent := exec.Command(os.Args[0])
	agent.Env = append(os.Environ(), fmt.Sprintf("%s=%d", agentForTest, victim.PID()))
	agent.Stderr = os.Stderr
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	defer agent.Process.Kill()
	eventually := func(what string, happened func() bool) {
		t.Helper()
		// An emulated CPU takes half a minute to verify all programs.
		for range 3000 {
			if happened() {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
		t.Fatalf("waited a minute in vain for %s", what)
	}
	// Each program of a point that is always on has a link of its own, or more.
	programs := map[string]bool{}
	for _, p := range probe.Catalogue {
		if p.OnDemand {
			continue
		}
		for _, one := range p.Probes {
			programs[one.Program] = true
		}
	}
	var links []link.ID
	eventually("the agent to attach", func() bool {
		links = linksOf(t, agent.Process.Pid)
		return len(links) >= len(programs)
	})
	victim.Ask("load")
	if err := agent.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	agent.Wait()
	for _, id := range links {
		eventually(fmt.Sprintf("link %d to go", id), func() bool {
			l, err := link.NewFromID(id)
			if err == nil {
				l.Close()
			}
			return errors.Is(err, os.ErrNotExist)
		})
	}
	before := victim.Ask("stats").Served
	eventually("requests after the agent was killed", func() bool { return victim.Ask("stats").Served >= before+100 })
	victim.Ask("unload")
}

// linksOf returns the links that a process holds. (Asking for those on the
// target's file would find those of other agents on this machine.)
func linksOf(t *testing.T, pid int) (ids []link.ID) {
	t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, info := range infos {
		text, err := os.ReadFile(info)
		if err != nil {
			continue // closed meanwhile
		}
		for line := range strings.Lines(string(text)) {
			if number, found := strings.CutPrefix(line, "link_id:"); found {
				id, err := strconv.ParseUint(strings.TrimSpace(number), 10, 32)
				if err != nil {
					t.Fatal(err)
				}
				ids = append(ids, link.ID(id))
			}
		}
	}
	return ids
}
