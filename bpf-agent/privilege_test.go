package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// An agent that is nobody, with as few capabilities as it takes.

const nobody = 65534

// asNobodyWith starts a program as nobody, with capabilities.
func asNobodyWith(capabilities ...uintptr) func(*exec.Cmd) {
	return func(c *exec.Cmd) {
		asNobody(c)
		c.SysProcAttr.AmbientCaps = capabilities
	}
}

// bits is the set of some capabilities, as /proc/PID/status has it.
func bits(capabilities ...uintptr) (set uint64) {
	for _, c := range capabilities {
		set |= 1 << c
	}
	return set
}

// standing is what each thread of a process may do.
type standing struct {
	inheritable, permitted, effective, ambient uint64
	noNewPrivileges                            bool
}

func standings(t *testing.T, pid int) (all []standing) {
	t.Helper()
	threads, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/status", pid))
	if err != nil || len(threads) == 0 {
		t.Fatalf("threads of %d: %v, %v", pid, threads, err)
	}
	for _, path := range threads {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // it has ended
		}
		var s standing
		for line := range strings.Lines(string(text)) {
			key, value, _ := strings.Cut(line, ":")
			n, _ := strconv.ParseUint(strings.TrimSpace(value), 16, 64)
			switch key {
			case "CapInh":
				s.inheritable = n
			case "CapPrm":
				s.permitted = n
			case "CapEff":
				s.effective = n
			case "CapAmb":
				s.ambient = n
			case "NoNewPrivs":
				s.noNewPrivileges = n == 1
			}
		}
		all = append(all, s)
	}
	return all
}

// withFileCapabilities copies the agent, and gives the copy capabilities.
func withFileCapabilities(t *testing.T, capabilities string) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "gotherm-setcap-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	path := filepath.Join(dir, "gotherm-agent")
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("cp", build(t, "."), path).CombinedOutput(); err != nil {
		t.Fatalf("copy: %v\n%s", err, out)
	}
	setcap, err := exec.LookPath("setcap")
	if err != nil {
		setcap = "/usr/sbin/setcap"
	}
	if out, err := exec.Command(setcap, capabilities, path).CombinedOutput(); err != nil {
		t.Skipf("cannot run here: setcap does not: %v\n%s", err, out)
	}
	return path
}

// Whatever the agent was started with, it has what attaching takes, and no
// more, once it has loaded its programs; and it goes on to attach to what
// starts later.
func TestTheAgentDropsWhatItDoesNotNeedAndStillAttaches(t *testing.T) {
	needsRoot(t)
	loads := []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}
	for _, c := range []struct {
		how   string
		agent func() string
		as    func(*exec.Cmd)
		whose uint32
		left  uint64
	}{
		{"as root", func() string { return build(t, ".") }, nil, 0, bits(unix.CAP_PERFMON, unix.CAP_SYS_PTRACE, unix.CAP_DAC_READ_SEARCH)},
		{"as nobody, for nobody's processes", func() string { return build(t, ".") }, asNobodyWith(loads...), nobody, bits(unix.CAP_PERFMON)},
		{"as nobody, for root's processes", func() string { return build(t, ".") }, asNobodyWith(append(loads, unix.CAP_SYS_PTRACE)...), 0, bits(unix.CAP_PERFMON, unix.CAP_SYS_PTRACE)},
		{"as nobody, by file capabilities", func() string { return withFileCapabilities(t, "cap_bpf,cap_perfmon+ep") }, asNobody, nobody, bits(unix.CAP_PERFMON)},
	} {
		t.Run(c.how, func(t *testing.T) {
			address := loopbackAddress(t)
			path := build(t, "./testdata/churn")
			agent := start(t, c.as, c.agent(), "run", "--exe", path, "--listen", address)
			eventually(t, "the agent to answer", func() bool { return ask(address, "ListProcesses", `{}`) != nil })
			all := standings(t, agent.Process.Pid)
			for _, s := range all {
				if want := (standing{permitted: c.left, effective: c.left, noNewPrivileges: true}); s != want {
					t.Errorf("a thread of the agent has %+v, want %+v", s, want)
				}
			}
			if len(all) < 3 {
				t.Errorf("%d threads were looked at: too few to prove something", len(all))
			}
			if !strings.Contains(agent.output(), "dropped the capabilities") {
				t.Errorf("the agent does not say that it dropped any: %s", agent.output())
			}
			service := "late-" + strconv.Itoa(int(c.whose))
			start(t, func(cmd *exec.Cmd) {
				cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: c.whose, Gid: c.whose}}
				cmd.Env = append(cmd.Env, "OTEL_SERVICE_NAME="+service)
			}, path)
			eventually(t, "pauses of what started later", func() bool { return hitsOf(address, "gc.stw", service)["mark termination"] > 3 })
			if ask(address, "RequestAttach", `{"pom":"goroutine.create","duration":"60s","matchers":[{"dimension":"service","values":["`+service+`"]}]}`) == nil {
				t.Fatal("the agent does not attach goroutine.create")
			}
			eventually(t, "goroutines by start function", func() bool { return hits(address, "goroutine.create", "function")[courier] > 20 })
		})
	}
}
