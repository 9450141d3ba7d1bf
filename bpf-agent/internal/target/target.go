// Package target builds and runs the programs that tests of the agent watch:
// those of testdata, real processes on the loopback interface.
package target

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Answer is what the program says of itself after each command.
type Answer struct {
	GoVersion  string
	NumGC      int64
	PauseTotal time.Duration
	// LatencyCounts are those of /sched/latencies:seconds; count i is of
	// [LatencyBounds[i], LatencyBounds[i+1]) nanoseconds.
	LatencyBounds []float64
	LatencyCounts []uint64
	// Goroutines is the start function of goroutines by id, as their stacks say.
	Goroutines map[uint64]string
	Served     uint64
	// Spawned counts the goroutines of storms.
	Spawned uint64
	// Memory is there after the command "memory".
	Memory *Memory
	// HTTP and TLS are the addresses of the web server.
	HTTP, TLS string
	Error     string
}

// Memory is what the program's runtime says of its memory.
type Memory struct {
	runtime.MemStats
	Goroutines int
	// Assist is /cpu/classes/gc/mark/assist:cpu-seconds.
	Assist float64
}

// Latencies returns how many latencies the runtime has counted.
func (a *Answer) Latencies() (n uint64) {
	for _, c := range a.LatencyCounts {
		n += c
	}
	return n
}

var builds struct {
	sync.Mutex
	paths map[string]string
}

// Made is the environment variable with a directory of targets that were built
// before, for a machine without a Go toolchain: see internal/vm.
const Made = "GOTHERM_TARGETS"

// MadeName is the name in that directory of what [Build] would build.
func MadeName(release string, flags ...string) string {
	return "target" + strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' || r == '.' {
			return r
		}
		return '_'
	}, fmt.Sprint(release, flags))
}

// Compile builds the program into a file, with this Go release.
func Compile(path string, flags ...string) error {
	if out, err := compile("program", path, flags).CombinedOutput(); err != nil {
		return fmt.Errorf("build target: %w\n%s", err, out)
	}
	return nil
}

func compile(program, path string, flags []string) *exec.Cmd {
	build := exec.Command("go", "build", "-o", path)
	_, file, _, _ := runtime.Caller(0)
	build.Dir = filepath.Join(filepath.Dir(file), "testdata", program)
	build.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=-buildvcs=false")
	for _, flag := range flags {
		if strings.HasPrefix(flag, "-") {
			build.Args = append(build.Args, flag)
		} else {
			build.Env = append(build.Env, flag)
		}
	}
	return build
}

// Build builds the program with a Go release, "go1.23.12"; "" is the one that
// runs the tests. Flags go to go build; those without a dash, "GOARCH=arm64", to
// its environment. It is built once per test process.
func Build(t testing.TB, release string, flags ...string) string {
	t.Helper()
	if dir := os.Getenv(Made); dir != "" {
		path := filepath.Join(dir, MadeName(release, flags...))
		if _, err := os.Stat(path); err != nil {
			t.Skipf("cannot run here: there is no Go toolchain, and %v", err)
		}
		return path
	}
	return build(t, "program", release, flags)
}

// StartWeb builds and starts testdata/web: a server, whose addresses and
// requests are in the answer to "stats", the one command that it knows.
func StartWeb(t testing.TB, release string, flags ...string) *Target {
	t.Helper()
	// Its module is of the oldest release of Go, for which the newer ones would
	// match patterns as that did.
	return Start(t, build(t, "web", release, flags), "GODEBUG=httpmuxgo121=0")
}

// StartIdle builds and starts testdata/idle: a program that links and does nothing.
func StartIdle(t testing.TB) *Target {
	t.Helper()
	return Start(t, build(t, "idle", "", nil))
}

func build(t testing.TB, program, release string, flags []string) string {
	t.Helper()
	if os.Getenv(Made) != "" {
		t.Skipf("cannot run here: there is no Go toolchain to build %s", program)
	}
	builds.Lock()
	defer builds.Unlock()
	name := fmt.Sprint(program, release, flags)
	if path := builds.paths[name]; path != "" {
		return path
	}
	// Not t.TempDir: it outlives the test that happens to be first.
	dir, err := os.MkdirTemp("", "gotherm-target-")
	if err != nil {
		t.Fatal(err)
	}
	// Another user may run it too.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "target")
	command := compile(program, path, flags)
	if release != "" {
		command.Env = append(command.Env, "GOTOOLCHAIN="+release)
		have := exec.Command("go", "version")
		have.Env = command.Env
		if out, err := have.CombinedOutput(); err != nil {
			t.Skipf("Go release %s can't be had: %v\n%s", release, err, out)
		}
	}
	if out, err := command.CombinedOutput(); err != nil {
		t.Fatalf("build target with %q: %v\n%s", release, err, out)
	}
	if builds.paths == nil {
		builds.paths = map[string]string{}
	}
	builds.paths[name] = path
	return path
}

// RemoveBuilds removes what was built; for TestMain.
func RemoveBuilds() error {
	builds.Lock()
	defer builds.Unlock()
	var errs []error
	for _, path := range builds.paths {
		errs = append(errs, os.RemoveAll(filepath.Dir(path)))
	}
	return errors.Join(errs...)
}

// Target is the running program.
type Target struct {
	t       testing.TB
	command *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
}

// Start starts the program, and ends it with the test.
func Start(t testing.TB, path string, env ...string) *Target {
	t.Helper()
	return start(t, exec.Command(path), env)
}

// StartAs is Start as another user, which root can.
func StartAs(t testing.TB, uid uint32, path string, env ...string) *Target {
	t.Helper()
	command := exec.Command(path)
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	return start(t, command, env)
}

// StartTo is Start with standard error to a writer, which has all of it when
// [Target.Stop] returns.
func StartTo(t testing.TB, stderr io.Writer, path string, env ...string) *Target {
	t.Helper()
	command := exec.Command(path)
	command.Stderr = stderr
	return start(t, command, env)
}

func start(t testing.TB, command *exec.Cmd, env []string) *Target {
	t.Helper()
	target := &Target{t: t, command: command}
	target.command.Env = append(os.Environ(), env...)
	if command.Stderr == nil {
		command.Stderr = os.Stderr
	}
	var err error
	if target.in, err = target.command.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := target.command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	target.out = bufio.NewReader(out)
	if err := target.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Stop)
	return target
}

// Freeze stops all threads of the program, so that it makes no hit until
// [Target.Thaw]: one that answers still schedules goroutines. A thread that is
// in a probe is stopped when it leaves it.
func (t *Target) Freeze() {
	t.t.Helper()
	if err := t.command.Process.Signal(syscall.SIGSTOP); err != nil {
		t.t.Fatalf("freeze target: %v", err)
	}
	for end := time.Now().Add(10 * time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if t.isFrozen() {
			return
		}
	}
	t.t.Fatal("the target's threads did not stop in 10 s")
}

// Thaw lets a frozen program run on.
func (t *Target) Thaw() {
	t.t.Helper()
	if err := t.command.Process.Signal(syscall.SIGCONT); err != nil {
		t.t.Fatalf("thaw target: %v", err)
	}
}

// isFrozen says whether each thread is in state T: proc_pid_stat(5).
func (t *Target) isFrozen() bool {
	stats, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", t.PID()))
	if err != nil || len(stats) == 0 {
		return false
	}
	for _, path := range stats {
		stat, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(stat, []byte(") T ")) {
			return false
		}
	}
	return true
}

// PID returns the process id.
func (t *Target) PID() int { return t.command.Process.Pid }

// Stop ends the program, as one that has done its work. Stopping twice is safe.
func (t *Target) Stop() {
	t.in.Close()
	if err := t.command.Wait(); err != nil && t.command.ProcessState == nil {
		t.t.Errorf("target did not end: %v", err)
	} else if code := t.command.ProcessState.ExitCode(); code != 0 {
		t.t.Errorf("target ended with %s", t.command.ProcessState)
	}
}

// Tell gives a command and does not wait for its end; see [Target.Answer].
func (t *Target) Tell(format string, args ...any) {
	t.t.Helper()
	if _, err := fmt.Fprintf(t.in, format+"\n", args...); err != nil {
		t.t.Fatalf("tell target: %v", err)
	}
}

// Answer waits for the end of a command.
func (t *Target) Answer() *Answer {
	t.t.Helper()
	line, err := t.out.ReadBytes('\n')
	if err != nil {
		t.t.Fatalf("target does not answer: %v", err)
	}
	var a Answer
	if err := json.Unmarshal(line, &a); err != nil {
		t.t.Fatalf("target answered %q: %v", line, err)
	}
	if a.Error != "" {
		t.t.Fatalf("target failed: %s", a.Error)
	}
	return &a
}

// Ask gives a command and waits for its end.
func (t *Target) Ask(format string, args ...any) *Answer {
	t.t.Helper()
	t.Tell(format, args...)
	return t.Answer()
}
