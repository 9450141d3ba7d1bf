package goproc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func scan(t testing.TB, s Selection) []*Process {
	t.Helper()
	return rescan(t, NewFinder(s, nil))
}

func rescan(t testing.TB, f *Finder) []*Process {
	t.Helper()
	found, err := f.Scan()
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func of(found []*Process, pid int) *Process {
	for _, p := range found {
		if p.PID == pid {
			return p
		}
	}
	return nil
}

// A running target is found by whatever names it, and is what it was built as.
func TestAProcessIsFoundByPidGlobPortAndAll(t *testing.T) {
	path := target(t, newest, stripped)
	before := time.Now()
	r := run(t, path, []string{"OTEL_SERVICE_NAME=till", "OTEL_RESOURCE_ATTRIBUTES=service.version=v3"}, "-listen")
	for _, c := range []struct {
		by    string
		s     Selection
		alone bool
	}{
		{"pid", Selection{PIDs: []int{r.pid()}}, true},
		{"path", Selection{Globs: []string{path}}, true},
		{"glob of the path", Selection{Globs: []string{filepath.Dir(path) + "/*stripped*"}}, true},
		{"glob of the name", Selection{Globs: []string{"no-such-*", newest + "-stripp?d"}}, true},
		{"port", Selection{Ports: []int{r.port}}, true},
		{"everything", Selection{All: true}, false},
		{"all at once", Selection{PIDs: []int{r.pid(), r.pid()}, Globs: []string{path}, Ports: []int{r.port}}, true},
	} {
		found := scan(t, c.s)
		p := of(found, r.pid())
		if p == nil || c.alone && len(found) != 1 {
			t.Errorf("by %s: found %+v", c.by, found)
			continue
		}
		if p.Refused != nil || p.Binary == nil || p.Binary.GoVersion != newest || p.Executable != path {
			t.Errorf("by %s: %+v", c.by, p)
		}
		if (p.Identity != Identity{Service: "till", Version: "v3"}) {
			t.Errorf("by %s: identity %+v", c.by, p.Identity)
		}
		if p.ID != fmt.Sprintf("%d-%d", p.PID, p.life.started) || p.Started.Before(before.Add(-time.Second)) || p.Started.After(time.Now().Add(time.Second)) {
			t.Errorf("by %s: %s started %v, in truth at %v", c.by, p.ID, p.Started, before)
		}
	}
	for _, c := range []struct {
		by string
		s  Selection
	}{
		{"nothing", Selection{}},
		{"another path", Selection{Globs: []string{"/nowhere/*", "stripped"}}},
		{"another port", Selection{Ports: []int{freePort(t)}}},
	} {
		if found := scan(t, c.s); len(found) != 0 {
			t.Errorf("by %s: found %+v", c.by, found)
		}
	}
}

func freePort(t *testing.T) int {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// The agent is not watched by itself, but when that is asked for by pid.
func TestTheAgentDoesNotWatchItself(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	everything := Selection{All: true, Globs: []string{self, "*"}, Ports: []int{l.Addr().(*net.TCPAddr).Port}}
	if p := of(scan(t, everything), os.Getpid()); p != nil {
		t.Errorf("found itself: %+v", p)
	}
	everything.PIDs = []int{os.Getpid()}
	if p := of(scan(t, everything), os.Getpid()); p == nil || p.Refused != nil {
		t.Errorf("asked for by pid: %+v", p)
	}
}

// Who names a process that can't be watched learns why; who asks for all Go
// processes is not told of others.
func TestAProcessThatCanNotBeWatchedIsRefusedWithAReason(t *testing.T) {
	c := run(t, cProgram(t, t.TempDir()), nil)
	narrow := run(t, target(t, newest, plain, "GOARCH=386"), nil)
	good := run(t, target(t, newest, stripped), nil, "-listen")

	gone := exec.Command("true")
	if err := gone.Run(); err != nil {
		t.Fatal(err)
	}
	zombie := exec.Command("true")
	if err := zombie.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = zombie.Wait() }()
	eventually(t, "true has ended", func() bool {
		_, state, err := readLife(zombie.Process.Pid)
		return err == nil && state == 'Z'
	})
	threads, err := os.ReadDir(fmt.Sprintf("/proc/%d/task", good.pid()))
	if err != nil {
		t.Fatal(err)
	}
	thread := 0
	if _, err := fmt.Sscan(threads[len(threads)-1].Name(), &thread); err != nil || thread == good.pid() {
		t.Fatalf("no thread but the first: %v", threads)
	}
	cases := []struct {
		what   string
		pid    int
		reason string
	}{
		{"a stripped C program", c.pid(), "no Go build info"},
		{"a 32-bit program", narrow.pid(), "built for 386 (32-bit): only amd64"},
		{"a dead process", gone.Process.Pid, "no such process"},
		{"a process that waits to be reaped", zombie.Process.Pid, "waits to be reaped"},
		{"a thread", thread, fmt.Sprintf("a thread of process %d", good.pid())},
	}
	if _, err := os.Readlink("/proc/2/exe"); errors.Is(err, os.ErrNotExist) {
		cases = append(cases, struct {
			what   string
			pid    int
			reason string
		}{"a kernel thread", 2, "a kernel thread"})
	}
	var pids []int
	for _, c := range cases {
		pids = append(pids, c.pid)
	}
	f := NewFinder(Selection{PIDs: append(pids, good.pid())}, nil)
	first := rescan(t, f)
	for _, c := range cases {
		p := of(first, c.pid)
		var refusal *Refusal
		if p == nil || p.Binary != nil || !errors.As(p.Refused, &refusal) || !strings.Contains(refusal.Reason, c.reason) {
			t.Errorf("%s: got %+v, want a refusal with %q", c.what, p, c.reason)
		}
	}
	if p := of(first, good.pid()); p == nil || p.Refused != nil {
		t.Errorf("the good one among them: %+v", p)
	}
	if second := rescan(t, f); !slices.Equal(first, second) {
		t.Errorf("nothing changed, and the second scan has others: %v, %v", first, second)
	}
	all := scan(t, Selection{All: true})
	if p := of(all, c.pid()); p != nil {
		t.Errorf("a C program among all Go processes: %+v", p)
	}
	if p := of(all, narrow.pid()); p == nil || p.Refused == nil {
		t.Errorf("a 32-bit Go program is not among all Go processes: %+v", p)
	}
}

// An agent without privileges says so of what it was asked for, and counts the
// rest.
func TestAnUnreadableProcessIsRefusedWithTheRemedy(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("becomes another user to be refused: needs root")
	}
	r := run(t, target(t, newest, stripped), nil, "-listen")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	// The test itself, as nobody, from where nobody can read it.
	dir, err := os.MkdirTemp("", "goproc-nobody-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	b, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	copied := filepath.Join(dir, "goproc.test")
	if err := errors.Join(os.WriteFile(copied, b, 0o755), os.Chmod(dir, 0o755)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(copied)
	cmd.Dir = dir
	cmd.Env = []string{fmt.Sprint("GOPROC_SCAN_PID=", r.pid()), "TMPDIR=" + dir}
	if err := os.Chmod(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// scanAsNobody is the other half of the test above: TestMain runs it in the
// process of nobody.
func scanAsNobody(pid int) error {
	found, err := NewFinder(Selection{PIDs: []int{pid}}, slog.New(slog.DiscardHandler)).Scan()
	if err != nil {
		return err
	}
	var refusal *Refusal
	if len(found) != 1 || !errors.As(found[0].Refused, &refusal) || !strings.Contains(refusal.Reason, "CAP_SYS_PTRACE") {
		return fmt.Errorf("by its pid, got %+v", found)
	}
	all, err := NewFinder(Selection{All: true}, slog.New(slog.DiscardHandler)).Scan()
	if err != nil {
		return err
	}
	if p := of(all, pid); p != nil {
		return fmt.Errorf("who can't be read is among all: %+v", p)
	}
	return nil
}

// A selection that can't be meant is an error that names the value and the limit.
func TestASelectionIsChecked(t *testing.T) {
	for _, c := range []struct {
		s    Selection
		want string
	}{
		{Selection{PIDs: []int{0}}, "pid 0, limits 1"},
		{Selection{PIDs: []int{-4}}, "pid -4"},
		{Selection{Ports: []int{65536}}, "port 65536, limits 1 and 65535"},
		{Selection{Globs: []string{"[x"}}, `glob "[x"`},
		{Selection{Exclude: []string{"[x"}}, `glob "[x"`},
		{Selection{Containers: []string{"abc"}}, `container "abc": 3 digits, limits 4 and 64`},
		{Selection{Containers: []string{"shop-web-1"}}, `container "shop-web-1": not hex digits`},
		{Selection{Cgroups: []string{"system.slice"}}, `cgroup "system.slice": must begin with a slash`},
		{Selection{Cgroups: []string{"/sys/fs/cgroup/system.slice"}}, "must be below where the hierarchy is mounted"},
		{Selection{Cgroups: []string{"/system.slice/"}}, "must be /system.slice"},
		{Selection{Units: []string{"a/b"}}, `unit "a/b": not the name of a unit`},
		{Selection{Units: []string{strings.Repeat("u", 250)}}, "258 bytes, limit 255"},
	} {
		if _, err := NewFinder(c.s, nil).Scan(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.s, err, c.want)
		}
	}
}

// What runs has the code that its file has, in every version and linkage; and
// where it has not, nobody attaches.
func TestCodeInMemoryIsComparedWithTheFile(t *testing.T) {
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		r := run(t, path, nil, "-mode", "pingpong")
		p := of(scan(t, Selection{PIDs: []int{r.pid()}}), r.pid())
		if p.Refused != nil {
			t.Fatal(p.Refused)
		}
		if (p.LoadBias != 0) != p.Binary.PIE {
			t.Errorf("load bias %#x, PIE %t", p.LoadBias, p.Binary.PIE)
		}
		var sites []Site
		for _, function := range []string{"runtime.(*timeHistogram).record", "runtime.startTheWorldWithSema", "runtime.newproc1", "runtime.gopark"} {
			s, err := p.Binary.CheapestSite(function)
			if err != nil {
				t.Fatal(err)
			}
			sites = append(sites, s)
		}
		returns, err := p.Binary.Sites("runtime.startTheWorldWithSema", SiteReturn)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range append(sites, returns...) {
			if err := p.CheckCode(s); err != nil {
				t.Error(err)
			}
		}
		// The file was changed after the process started, in the same place.
		s := sites[0]
		s.Code = slices.Clone(s.Code)
		s.Code[len(s.Code)-1]++
		if err := p.CheckCode(s); err == nil || !strings.Contains(err.Error(), "the file") {
			t.Errorf("other code: %v", err)
		}
		s = sites[0]
		s.Address += 1 << 40
		if err := p.CheckCode(s); err == nil || !strings.Contains(err.Error(), "reading") {
			t.Errorf("no memory there: %v", err)
		}
		s = sites[0]
		s.Code = nil
		if err := p.CheckCode(s); err == nil {
			t.Error("a site without code is equal to any memory")
		}
		r.end()
		if err := p.CheckCode(sites[0]); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("after its end: %v", err)
		}
	})
}

// A breakpoint that somebody set is no difference, when the rest is the same.
func TestABreakpointIsNoDifference(t *testing.T) {
	r := run(t, target(t, newest, stripped), nil)
	p := of(scan(t, Selection{PIDs: []int{r.pid()}}), r.pid())
	// main.main ran once, and won't again: its first byte may be overwritten.
	f, ok := p.Binary.Functions.Lookup("main.main")
	if !ok {
		t.Fatal("no main.main")
	}
	memory, err := os.OpenFile(fmt.Sprintf("/proc/%d/mem", r.pid()), os.O_RDWR, 0)
	if err != nil {
		t.Skipf("setting a breakpoint needs to write to /proc/PID/mem: %v", err)
	}
	defer memory.Close()
	s := Site{Function: "main.main", Address: f.Address, Code: make([]byte, codeWindow)}
	if _, err := memory.ReadAt(s.Code, int64(f.Address)); err != nil {
		t.Fatal(err)
	}
	set := func(at uint64, b byte) {
		t.Helper()
		if _, err := memory.WriteAt([]byte{b}, int64(at)); err != nil {
			t.Skipf("this kernel lets nobody write code through /proc/PID/mem: %v", err)
		}
	}
	set(f.Address, 0xcc)
	if err := p.CheckCode(s); err != nil {
		t.Errorf("with a breakpoint: %v", err)
	}
	alone := s
	alone.Code = s.Code[:1]
	if err := p.CheckCode(alone); err == nil {
		t.Error("a breakpoint over all that is compared proves nothing")
	}
	set(f.Address+5, s.Code[5]^0xff)
	if err := p.CheckCode(s); err == nil {
		t.Error("with a breakpoint, and other code after it: no error")
	}
	set(f.Address, s.Code[0]^0xff)
	set(f.Address+5, s.Code[5])
	if err := p.CheckCode(s); err == nil {
		t.Error("with another first byte: no error")
	}
}

// What happens to processes is told once, and in order: they appear, call exec,
// and end.
func TestRunTellsWhatHappensToProcesses(t *testing.T) {
	old, new := target(t, newest, stripped), target(t, newest, pie)
	events := make(chan Event, 16)
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan error)
	go func() {
		f := NewFinder(Selection{Globs: []string{filepath.Dir(old) + "/*"}}, nil)
		done <- f.Run(ctx, func(e Event) { events <- e })
	}()
	r := run(t, old, nil)
	next := func(kind EventKind) *Process {
		t.Helper()
		for {
			select {
			case e := <-events:
				if e.Process.PID != r.pid() {
					continue
				}
				if e.Kind != kind {
					t.Fatalf("%v %+v, want %v", e.Kind, e.Process, kind)
				}
				return e.Process
			case <-time.After(10 * time.Second):
				t.Fatalf("not within 10 s: %v", kind)
			}
		}
	}
	first := next(Appeared)
	if first.Refused != nil || first.Binary.PIE {
		t.Errorf("appeared: %+v", first)
	}
	r.become(t, new)
	second := next(Replaced)
	if second.ID != first.ID || second == first || !second.Binary.PIE || second.LoadBias == 0 || second.Binary.ID == first.Binary.ID {
		t.Errorf("replaced: %+v by %+v", first, second)
	}
	// By the same file: only the memory is another.
	r.become(t, new)
	third := next(Replaced)
	if third.ID != first.ID || third.Binary != second.Binary {
		t.Errorf("replaced: %+v by %+v", second, third)
	}
	r.end()
	if last := next(Exited); last != third {
		t.Errorf("exited: %+v, which was %+v", last, third)
	}
	stop()
	if err := <-done; err != nil {
		t.Error(err)
	}
}

// Who is told that a process called exec looks at that one at once, and at no
// other; and it is told only of those that may be selected.
func TestANoticeOfExecIsLookedInto(t *testing.T) {
	old, new := target(t, newest, stripped), target(t, newest, pie)
	f := NewFinder(Selection{Globs: []string{old, new}}, nil)
	before := reportChanges(nil, rescan(t, f), func(Event) {})
	var told []string
	look := func(r *running) {
		f.Notice(r.pid())
		f.Notice(r.pid())
		f.lookNow(f.noticed(), before, func(e Event) {
			told = append(told, fmt.Sprintf("%v %d pie=%t", e.Kind, e.Process.PID, e.Process.Binary.PIE))
		})
	}
	r, unseen := run(t, old, nil), run(t, old, nil)
	look(r)
	r.become(t, new)
	look(r)
	look(r) // nothing is new
	r.become(t, cProgram(t, t.TempDir()))
	look(r)
	want := []string{
		fmt.Sprintf("appeared %d pie=false", r.pid()),
		fmt.Sprintf("replaced %d pie=true", r.pid()),
		fmt.Sprintf("exited %d pie=true", r.pid()),
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
	// What a scan finds after that is what was not told yet.
	told = nil
	after := reportChanges(before, rescan(t, f), func(e Event) { told = append(told, fmt.Sprint(e.Kind, " ", e.Process.PID)) })
	if want := fmt.Sprint("appeared ", unseen.pid()); len(told) != 1 || told[0] != want || len(after) != 1 {
		t.Errorf("the scan told %q, want %q", told, want)
	}
	only := NewFinder(Selection{PIDs: []int{unseen.pid()}}, nil)
	only.Notice(r.pid())
	if n := only.noticed(); len(n) != 0 {
		t.Errorf("only pid %d is asked for, and %v is to be looked at", unseen.pid(), n)
	}
	for range maxNotices + 10 {
		only.Notice(unseen.pid())
	}
	if n := only.noticed(); len(n) != 1 {
		t.Errorf("one process, many times: %v", n)
	}
}

// What is no Go is read once, though nobody runs it for a while.
func TestWhatIsNoGoIsRememberedAfterItEnded(t *testing.T) {
	path := cProgram(t, t.TempDir())
	f := NewFinder(Selection{Globs: []string{path}}, nil)
	r := run(t, path, nil)
	rescan(t, f)
	if len(f.binaries) != 1 {
		t.Fatalf("%d readings, want 1", len(f.binaries))
	}
	r.end()
	rescan(t, f)
	if len(f.binaries) != 1 || f.known[r.pid()] != nil {
		t.Errorf("after it ended: %d readings, and the process is %+v", len(f.binaries), f.known[r.pid()])
	}
	for i := range uint64(maxReadings) {
		f.binaries[fileID{inode: i}] = &reading{refusal: &Refusal{notGo: true}}
	}
	f.forget(true)
	if len(f.binaries) != 0 {
		t.Errorf("%d readings were too many, and %d are kept", maxReadings+1, len(f.binaries))
	}
}

// A process that execs what is not selected has left; its pid's next owner is
// another process.
func TestAProcessThatBecomesSomethingElseHasLeft(t *testing.T) {
	r := run(t, target(t, newest, stripped), nil)
	f := NewFinder(Selection{All: true}, nil)
	before := of(rescan(t, f), r.pid())
	if before == nil {
		t.Fatal("not found")
	}
	r.become(t, cProgram(t, t.TempDir()))
	if after := of(rescan(t, f), r.pid()); after != nil {
		t.Errorf("still there: %+v", after)
	}
}

// A pid with another start time is another process, though it runs the same file.
func TestAReusedPidIsAnotherProcess(t *testing.T) {
	r := run(t, target(t, newest, stripped), nil)
	f := NewFinder(Selection{PIDs: []int{r.pid()}}, nil)
	real := rescan(t, f)[0]
	// As if what was seen before had been an earlier owner of the pid.
	earlier := *real
	earlier.life.started--
	earlier.ID = fmt.Sprintf("%d-%d", r.pid(), earlier.life.started)
	f.known[r.pid()].process, f.known[r.pid()].life = &earlier, earlier.life
	now := rescan(t, f)[0]
	if now.ID != real.ID || now.Binary != real.Binary {
		t.Errorf("got %+v, want %+v", now, real)
	}
	var told []string
	reportChanges(map[string]*Process{earlier.ID: &earlier}, []*Process{now}, func(e Event) { told = append(told, e.Kind.String()+" "+e.Process.ID) })
	if want := []string{"exited " + earlier.ID, "appeared " + real.ID}; !slices.Equal(told, want) {
		t.Errorf("told %v, want %v", told, want)
	}
	if err := earlier.CheckCode(Site{Function: "f", Address: 1, Code: []byte{1}}); !errors.Is(err, errGone) {
		t.Errorf("comparing code of the earlier one: %v", err)
	}
}

// Ten processes of one file share one reading; and it is forgotten with the last.
func TestABinaryIsReadOnceForAllItsProcesses(t *testing.T) {
	path := target(t, newest, stripped)
	f := NewFinder(Selection{Globs: []string{path}}, nil)
	var targets []*running
	for range 5 {
		targets = append(targets, run(t, path, nil))
	}
	found := rescan(t, f)
	if len(found) != len(targets) {
		t.Fatalf("%d processes, want %d", len(found), len(targets))
	}
	for _, p := range found {
		if p.Binary != found[0].Binary {
			t.Errorf("%s has a reading of its own", p.ID)
		}
	}
	for _, r := range targets {
		r.end()
	}
	if found := rescan(t, f); len(found) != 0 || len(f.binaries) != 0 {
		t.Errorf("after all ended: %v, %d readings", found, len(f.binaries))
	}
}

// The two ways to ask who listens give the same sockets.
func TestListeningSocketsAreTheSameBySockDiagAndByProc(t *testing.T) {
	var ports []int
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "[::]:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Logf("no %s on this machine: %v", address, err)
			continue
		}
		defer l.Close()
		ports = append(ports, l.Addr().(*net.TCPAddr).Port)
	}
	bySockDiag, byProc := map[uint64]bool{}, map[uint64]bool{}
	if err := diagListening(ports, bySockDiag); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/proc/self/net/tcp", "/proc/self/net/tcp6"} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		readListening(bytes.NewReader(b), ports, byProc)
	}
	if len(ports) == 0 || len(bySockDiag) != len(ports) || !maps.Equal(bySockDiag, byProc) {
		t.Errorf("%d ports: by sock_diag %v, by /proc %v", len(ports), bySockDiag, byProc)
	}
}

// Who stops to listen, and drains, is still watched; who starts to is found.
func TestAPortLeadsToWhoListensNow(t *testing.T) {
	l, err := net.Listen("tcp", "[::]:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	port := l.Addr().(*net.TCPAddr).Port
	file, err := l.(*net.TCPListener).File()
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	f := NewFinder(Selection{Ports: []int{port}}, nil)
	if found := rescan(t, f); len(found) != 0 {
		t.Errorf("only the agent listens: found %+v", found)
	}
	// Handed over by inheritance, as systemd does.
	heir := exec.Command(target(t, newest, stripped))
	heir.ExtraFiles = []*os.File{file}
	orders, err := heir.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := heir.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { orders.Close(); _ = heir.Wait() }()
	var found []*Process
	eventually(t, "the heir is found", func() bool {
		found = rescan(t, f)
		return len(found) == 1 && found[0].PID == heir.Process.Pid && found[0].Refused == nil
	})
	if again := rescan(t, f); !slices.Equal(again, found) {
		t.Errorf("nothing changed, and found %+v", again)
	}
}

// BenchmarkScan is what a steady system costs, every 500 ms: with all processes
// of this machine, and with one.
func BenchmarkScan(b *testing.B) {
	r := run(b, target(b, newest, stripped), nil, "-listen")
	for _, c := range []struct {
		name string
		s    Selection
	}{
		{"all", Selection{All: true}},
		{"pid", Selection{PIDs: []int{r.pid()}}},
		{"port", Selection{Ports: []int{r.port}}},
	} {
		b.Run(c.name, func(b *testing.B) {
			f := NewFinder(c.s, nil)
			rescan(b, f)
			b.ReportAllocs()
			for b.Loop() {
				rescan(b, f)
			}
			b.ReportMetric(float64(len(f.known)), "pids")
		})
	}
}
