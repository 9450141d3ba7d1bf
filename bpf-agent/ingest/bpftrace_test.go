package ingest

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// What gotherm sees is held against what bpftrace sees, which knows nothing of
// it, beside it and at the same places.

// tracing is a bpftrace that runs one of our scripts.
type tracing struct {
	t       *testing.T
	command *exec.Cmd
	output  string // a file
}

// trace starts a script. A probe that is attached before all others and one
// that is attached after them say when it sees everything.
func trace(t *testing.T, script string) *tracing {
	t.Helper()
	dir := t.TempDir()
	one := &tracing{t: t, output: filepath.Join(dir, "output")}
	output, err := os.Create(one.output)
	if err != nil {
		t.Fatal(err)
	}
	defer output.Close()
	const first, last = "interval:ms:100 { printf(\"first is attached\\n\"); }\n", "interval:ms:100 { printf(\"last is attached\\n\"); }\n"
	path := filepath.Join(dir, "script.bt")
	if err := os.WriteFile(path, []byte(first+script+last), 0o600); err != nil {
		t.Fatal(err)
	}
	one.command = exec.Command("bpftrace", "--unsafe", path)
	one.command.Env = append(os.Environ(), "BPFTRACE_MAP_KEYS_MAX=262144")
	one.command.Stdout, one.command.Stderr = output, output
	if err := one.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if one.command.ProcessState == nil {
			one.command.Process.Kill()
			one.command.Wait()
		}
	})
	return one
}

func (one *tracing) said() string {
	one.t.Helper()
	text, err := os.ReadFile(one.output)
	if err != nil {
		one.t.Fatal(err)
	}
	return string(text)
}

func (one *tracing) attached() bool {
	said := one.said()
	return strings.Contains(said, "first is attached") && strings.Contains(said, "last is attached")
}

// end ends it, and returns what it counted and summed up.
func (one *tracing) end() (hits, sum uint64) {
	one.t.Helper()
	if err := one.command.Process.Signal(syscall.SIGINT); err != nil {
		one.t.Fatal(err)
	}
	if err := one.command.Wait(); err != nil {
		one.t.Fatalf("bpftrace: %v\n%s", err, one.said())
	}
	number := func(name string) uint64 {
		found := regexp.MustCompile(`(?m)^` + name + `: (\d+)$`).FindStringSubmatch(one.said())
		if found == nil {
			return 0
		}
		n, err := strconv.ParseUint(found[1], 10, 64)
		if err != nil {
			one.t.Fatal(err)
		}
		return n
	}
	return number("@hits"), number("@sum")
}

func TestBpftraceCountsTheSame(t *testing.T) {
	needsRoot(t)
	if _, err := exec.LookPath("bpftrace"); err != nil {
		t.Skipf("bpftrace is not installed: %v", err)
	}
	for _, b := range []struct {
		build
		poms []string
	}{
		{thisGo, []string{"gc.stw", "sched.latency", "sched.latency.exact", "goroutine.create", "goroutine.exit", "goroutine.wait"}},
		{build{name: "stripped", flags: []string{"-ldflags=-s -w"}}, []string{"gc.cycle", "goroutine.lifetime"}},
	} {
		t.Run(b.name, func(t *testing.T) {
			program := target.Start(t, target.Build(t, b.release, b.flags...))
			pid := program.PID()
			a := watch(t, probe.Options{}, pid)
			// It stands still while both begin, so that both see all from here.
			program.Freeze()
			for _, pom := range b.poms {
				if a.point(pid, pom).State == probe.Available {
					a.attach(pid, pom, time.Minute)
				}
			}
			a.flush()
			type seen struct{ hits, sum uint64 }
			ours := func(pom string) seen { h := a.total(pom); return seen{h.Count(), h.Sum} }
			before, traced := map[string]seen{}, map[string]*tracing{}
			for _, pom := range b.poms {
				script, err := probe.Script(a.status(pid).Process, pom)
				if err != nil {
					t.Fatal(err)
				}
				before[pom], traced[pom] = ours(pom), trace(t, script)
			}
			for pom, one := range traced {
				a.waitFor("bpftrace to attach "+pom, one.attached)
			}
			program.Thaw()
			program.Ask("spawn 5000")
			program.Ask("switch 5000")
			program.Ask("collect 20")
			program.Freeze()
			defer program.Thaw()
			a.flush()
			for _, pom := range b.poms {
				hits, sum := traced[pom].end()
				now := ours(pom)
				if got := now.hits - before[pom].hits; got != hits || hits == 0 {
					t.Errorf("%s: we counted %d, bpftrace %d:\n%s", pom, got, hits, traced[pom].said())
				}
				// The runtime's own times are the same for both. Of two that read the
				// clock, one does so later.
				if got := now.sum - before[pom].sum; (strings.HasPrefix(pom, "gc.") || pom == "sched.latency") && got != sum {
					t.Errorf("%s: we summed up %d, bpftrace %d", pom, got, sum)
				}
			}
		})
	}
}
