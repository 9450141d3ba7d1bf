package goproc

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	programs "github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// The programs that tests look at are built and run for real: testdata/target,
// by each Go version that can be watched, linked in each way that changes what
// there is to read.

// toolchains are the patch releases that the tests build with.
var toolchains = []string{"go1.21.13", "go1.22.12", "go1.23.12", "go1.24.13", "go1.25.14", "go1.26.11", "go1.27.4"}

// newest is the toolchain that -short makes do with.
const newest = "go1.27.4"

// linkage is a way to build.
type linkage struct {
	name  string
	flags []string
	cgo   bool
}

var (
	plain    = linkage{name: "plain"}
	stripped = linkage{name: "stripped", flags: []string{"-ldflags=-s -w"}}
	pie      = linkage{name: "pie", flags: []string{"-buildmode=pie", "-ldflags=-s -w"}}
	linkages = []linkage{plain, pie}

	// What else a linker, a C compiler and the race detector make of it: for the
	// newest version only, and not with -short.
	rarities = []linkage{
		stripped,
		{"pie with symbols", []string{"-buildmode=pie"}, false},
		{"cgo", []string{"-ldflags=-linkmode=external"}, true},
		{"cgo pie, stripped", []string{"-buildmode=pie", "-ldflags=-linkmode=external -s -w"}, true},
		{"cgo pie, packed relocations", []string{"-buildmode=pie", "-ldflags=-linkmode=external -extldflags=-Wl,-z,pack-relative-relocs"}, true},
		{"static pie", []string{"-buildmode=pie", "-ldflags=-linkmode=external -extldflags=-static-pie"}, true},
		{"race", []string{"-race"}, true},
		{"without a build id", []string{"-ldflags=-s -w -buildid="}, false},
	}
)

var builds struct {
	dir string
	mu  sync.Mutex
	of  map[string]*build
}

type build struct {
	once sync.Once
	path string
	err  error
}

func TestMain(m *testing.M) {
	var pid int
	if _, err := fmt.Sscan(os.Getenv("GOPROC_SCAN_PID"), &pid); err == nil {
		if err := scanAsNobody(pid); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	dir, err := os.MkdirTemp("", "goproc-targets-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	builds.dir, builds.of = dir, map[string]*build{}
	code := m.Run()
	os.RemoveAll(dir)
	if err := programs.RemoveBuilds(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = max(code, 1)
	}
	os.Exit(code)
}

// target builds testdata/target, once for all tests.
func target(t testing.TB, toolchain string, l linkage, environment ...string) string {
	t.Helper()
	if testing.Short() && toolchain != newest {
		t.Skipf("building with %s takes a minute: not with -short", toolchain)
	}
	if l.cgo {
		if _, err := exec.LookPath("gcc"); err != nil {
			t.Skip("linking with gcc needs one")
		}
	}
	key := strings.Join(append([]string{toolchain, l.name}, environment...), " ")
	builds.mu.Lock()
	b := builds.of[key]
	if b == nil {
		b = &build{}
		builds.of[key] = b
	}
	builds.mu.Unlock()
	b.once.Do(func() {
		b.path = filepath.Join(builds.dir, strings.NewReplacer(" ", "-", ",", "", "=", "-").Replace(key))
		b.err = goBuild("testdata/target", b.path, toolchain, l, environment...)
	})
	if b.err != nil {
		t.Fatal(b.err)
	}
	return b.path
}

func goBuild(dir, out, toolchain string, l linkage, environment ...string) error {
	cmd := exec.Command("go", append(append([]string{"build", "-p", "1", "-o", out}, l.flags...), ".")...)
	cmd.Dir = dir
	cgo := "CGO_ENABLED=0"
	if l.cgo {
		cgo = "CGO_ENABLED=1"
	}
	cmd.Env = append(os.Environ(), append([]string{"GOTOOLCHAIN=" + toolchain, "GOFLAGS=", "GOWORK=off", "GOARCH=amd64", cgo}, environment...)...)
	if output, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("building %s with %s, %s: %w\n%s", dir, toolchain, l.name, err, output)
	}
	return nil
}

// running is a target that runs until the test ends.
type running struct {
	*exec.Cmd
	orders io.WriteCloser
	port   int
	lines  *bufio.Scanner
	errors bytes.Buffer
}

// run starts a target, and waits until it says that it is ready.
func run(t testing.TB, path string, environment []string, args ...string) *running {
	t.Helper()
	r := &running{Cmd: exec.Command(path, args...)}
	r.Env = append([]string{"GOMAXPROCS=2"}, environment...)
	r.Stderr = &r.errors
	out, err := r.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if r.orders, err = r.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := r.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.end)
	r.lines = bufio.NewScanner(out)
	r.ready(t)
	return r
}

func (r *running) ready(t testing.TB) {
	t.Helper()
	if !r.lines.Scan() {
		r.end()
		t.Fatalf("%s ended before it was ready: %s", r.Path, r.errors.String())
	}
	word, port, _ := strings.Cut(r.lines.Text(), " ")
	if word != "ready" {
		t.Fatalf("%s said %q, not that it is ready", r.Path, r.lines.Text())
	}
	r.port, _ = strconv.Atoi(port)
}

// become has the target call exec.
func (r *running) become(t testing.TB, path string) {
	t.Helper()
	if _, err := fmt.Fprintln(r.orders, "exec", path); err != nil {
		t.Fatal(err)
	}
	r.ready(t)
}

func (r *running) pid() int { return r.Process.Pid }

// end ends the target, and waits until it is no more.
func (r *running) end() {
	r.orders.Close()
	_ = r.Wait()
}

// eventually waits for what another process does.
func eventually(t testing.TB, what string, is func() bool) {
	t.Helper()
	for range 400 {
		if is() {
			return
		}
		time.Sleep(25 * time.Millisecond)
	}
	t.Fatalf("not within 10 s: %s", what)
}

// each runs a test for every toolchain and linkage, the rarities included.
func each(t *testing.T, test func(t *testing.T, toolchain string, l linkage)) {
	if runtime.GOARCH != "amd64" {
		t.Skip("runs what it builds: needs amd64")
	}
	for _, toolchain := range toolchains {
		all := linkages
		if toolchain == newest && !testing.Short() {
			all = append(append([]linkage(nil), linkages...), rarities...)
		}
		for _, l := range all {
			t.Run(toolchain+" "+l.name, func(t *testing.T) { test(t, toolchain, l) })
		}
	}
}
