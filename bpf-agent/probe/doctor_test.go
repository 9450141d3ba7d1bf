package probe

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

func goroot(t *testing.T) string {
	t.Helper()
	out, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Skipf("no go command: %v", err)
	}
	return strings.TrimSpace(string(out))
}

// doctorForTest tells the test binary to say, as whoever it runs as, what it
// finds, and how it goes about watching a pid.
const doctorForTest = "GOTHERM_TEST_DOCTOR_PID"

type diagnosis struct {
	Findings []Finding
	LoadErr  string
	Points   []PointStatus
}

func beDoctor() {
	d := diagnosis{Findings: Doctor()}
	kernel, err := Load(Options{})
	if err != nil {
		d.LoadErr = err.Error()
	}
	var pid int
	fmt.Sscan(os.Getenv(doctorForTest), &pid)
	log := slog.New(slog.NewTextHandler(os.Stderr, nil))
	w := NewWatcher(kernel, goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, log), goproc.NewLedger(), log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	for range 200 {
		if seen := w.Processes(); len(seen) > 0 {
			d.Points = seen[0].Points
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	cancel()
	if err := <-ended; err != nil {
		panic(err)
	}
	if err := json.NewEncoder(os.Stdout).Encode(d); err != nil {
		panic(err)
	}
}

const nobody = 65534

// diagnose runs the doctor as nobody, with some capabilities, on a target of a user's.
func diagnose(t *testing.T, uid uint32, capabilities ...uintptr) diagnosis {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("taking on another user needs root")
	}
	// Where nobody may read and execute it.
	dir, err := os.MkdirTemp("", "gotherm-doctor-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	program := filepath.Join(dir, "doctor")
	self, err := os.ReadFile("/proc/self/exe")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, self, 0o755); err != nil {
		t.Fatal(err)
	}
	watched := target.StartAs(t, uid, target.Build(t, ""))
	command := exec.Command(program)
	command.Dir = dir
	command.Env = append(os.Environ(), fmt.Sprintf("%s=%d", doctorForTest, watched.PID()))
	command.Stderr = os.Stderr
	command.SysProcAttr = &syscall.SysProcAttr{
		Credential:  &syscall.Credential{Uid: nobody, Gid: nobody},
		AmbientCaps: capabilities,
	}
	out, err := command.Output()
	if err != nil {
		t.Fatal(err)
	}
	var d diagnosis
	if err := json.Unmarshal(out, &d); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return d
}

func (d diagnosis) finding(t *testing.T, name string) Finding {
	t.Helper()
	for _, f := range d.Findings {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("no finding %q", name)
	return Finding{}
}

func TestRootMayDoAll(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root")
	}
	for _, f := range Doctor() {
		if f.Required && !f.OK {
			t.Errorf("%s: %s; remedy: %s", f.Name, f.Found, f.Remedy)
		}
		if f.Found == "" || f.For == "" {
			t.Errorf("%s: says not what was found or what for: %+v", f.Name, f)
		}
	}
}

func TestWithoutPrivilegesEachPointIsRefusedWithTheReason(t *testing.T) {
	d := diagnose(t, 0)
	if d.LoadErr == "" {
		t.Error("nobody may load programs")
	}
	for _, name := range []string{"CAP_BPF", "CAP_PERFMON"} {
		f := d.finding(t, name)
		if f.OK || !strings.Contains(f.Remedy, "setcap") {
			t.Errorf("%s: %+v, must be missing and have a remedy", name, f)
		}
	}
	if len(d.Points) != len(Catalogue) {
		t.Fatalf("%d points of the target, must be %d", len(d.Points), len(Catalogue))
	}
	for _, p := range d.Points {
		if p.State != Refused || p.Reason == "" {
			t.Errorf("%s is %s: %q, must be refused with a reason", p.Name, p.State, p.Reason)
		}
	}
}

// The two that loading takes are enough for the processes of one's own user;
// those of others take a third.
func TestWhichCapabilitiesAreEnough(t *testing.T) {
	for _, c := range []struct {
		whose        string
		uid          uint32
		capabilities []uintptr
		refusal      string
	}{
		{"its own user's", nobody, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, ""},
		{"another user's", 0, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON}, "CAP_SYS_PTRACE"},
		{"another user's", 0, []uintptr{unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_SYS_PTRACE}, ""},
	} {
		d := diagnose(t, c.uid, c.capabilities...)
		if f := d.finding(t, "uprobe_multi"); !f.OK {
			t.Skipf("cannot run here: without uprobe_multi it takes CAP_SYS_ADMIN: %s", f.Found)
		}
		if d.LoadErr != "" {
			t.Errorf("load: %s", d.LoadErr)
		}
		if len(d.Points) == 0 {
			t.Error("the target was not seen")
		}
		attached := 0
		for _, p := range d.Points {
			if p.State == Attached || p.State == Firing {
				attached++
			}
			if c.refusal != "" && !strings.Contains(p.Reason, c.refusal) {
				t.Errorf("%s, with %d capabilities: %s is %s: %q, must be refused for want of %s", c.whose, len(c.capabilities), p.Name, p.State, p.Reason, c.refusal)
			}
			if c.refusal == "" && strings.Contains(p.Reason, "CAP_") {
				t.Errorf("%s, with %d capabilities: %s is refused: %s", c.whose, len(c.capabilities), p.Name, p.Reason)
			}
		}
		if c.refusal == "" && attached < 4 {
			t.Errorf("%s, with %d capabilities: %d points are attached", c.whose, len(c.capabilities), attached)
		}
	}
}
