package goproc

import (
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Selection says which processes to look at: those that any of its parts names.
// The agent itself is looked at only when PIDs has it.
type Selection struct {
	// PIDs are looked at whatever they run, and refused with a reason when that
	// can't be watched.
	PIDs []int
	// Globs are patterns, as filepath.Match has them, of the executable's path;
	// without a slash, of its last element.
	Globs []string
	// Ports are TCP ports that a process listens on, in any network namespace.
	// Once found, it stays selected: what it does while it drains is worth
	// seeing.
	Ports []int
	// Containers are what ids of containers begin with, of as many digits as
	// the user wants to give.
	Containers []string
	// Cgroups are paths of control groups, as /proc/PID/cgroup has them: what
	// runs in one of them or below is looked at.
	Cgroups []string
	// Units are names of systemd's services and scopes; ".service" may be left out.
	Units []string
	// All is every Go process.
	All bool
	// Exclude are globs, as Globs are, of what is not looked at though another
	// part names it. Who names it by pid is told so.
	Exclude []string
}

// patterns says whether the selection names processes otherwise than by pid.
func (s Selection) patterns() bool {
	return s.All || len(s.Globs)+len(s.Ports) > 0 || s.placed()
}

// placed says whether it matters where processes are among the control groups.
func (s Selection) placed() bool {
	return len(s.Containers)+len(s.Cgroups)+len(s.Units) > 0
}

// holds says whether a place is one that was named.
func (s Selection) holds(p place) bool {
	return slices.ContainsFunc(s.Containers, p.inContainer) ||
		slices.ContainsFunc(s.Cgroups, p.cgroup) ||
		slices.ContainsFunc(s.Units, p.inUnit)
}

// Validate fails when the selection has a value that can't be meant.
func (s Selection) Validate() error {
	for _, pid := range s.PIDs {
		if pid < 1 || pid > 1<<22 {
			return fmt.Errorf("selection: pid %d, limits 1 and %d", pid, 1<<22)
		}
	}
	for _, glob := range slices.Concat(s.Globs, s.Exclude) {
		if _, err := filepath.Match(glob, ""); err != nil {
			return fmt.Errorf("selection: glob %q: %w", glob, err)
		}
	}
	for _, port := range s.Ports {
		if port < 1 || port > 65535 {
			return fmt.Errorf("selection: port %d, limits 1 and 65535", port)
		}
	}
	for _, one := range []struct {
		what   string
		values []string
		check  func(string) error
	}{
		{"container", s.Containers, checkContainerPrefix},
		{"cgroup", s.Cgroups, checkCgroup},
		{"unit", s.Units, checkUnit},
	} {
		for _, value := range one.values {
			if err := one.check(value); err != nil {
				return fmt.Errorf("selection: %s %q: %w", one.what, value, err)
			}
		}
	}
	return nil
}

// matches returns the first of some globs that matches an executable's path, "" for none.
func matches(globs []string, executable string) string {
	executable = strings.TrimSuffix(executable, " (deleted)")
	for _, glob := range globs {
		name := executable
		if !strings.Contains(glob, "/") {
			name = filepath.Base(executable)
		}
		if ok, _ := filepath.Match(glob, name); ok {
			return glob
		}
	}
	return ""
}

// EventKind says what happened to a process.
type EventKind uint8

const (
	// Appeared: it was not there, or not selected, before.
	Appeared EventKind = iota
	// Exited: it ended, or runs something now that is not selected.
	Exited
	// Replaced: the same process, with the same ID, runs a program anew: exec.
	Replaced
)

func (k EventKind) String() string {
	switch k {
	case Appeared:
		return "appeared"
	case Exited:
		return "exited"
	case Replaced:
		return "replaced"
	}
	return "EventKind(" + strconv.Itoa(int(k)) + ")"
}

// Event is a change in the set of selected processes. After Replaced, Process
// is what runs now.
type Event struct {
	Kind    EventKind
	Process *Process
}

// Finder finds the selected processes, again and again, and remembers what it
// found. A process that was seen before costs a stat of its executable, and
// where that is Go, a read of /proc/PID/stat; its binary is read once, however
// many processes run it.
type Finder struct {
	selection Selection
	log       *slog.Logger
	notices   chan int

	mu        sync.Mutex
	scans     uint64
	known     map[int]*sighting
	binaries  map[fileID]*reading
	listeners listeners
	unread    bool // said that some executables can't be read
}

// sighting is what is remembered of a pid.
type sighting struct {
	file    fileID
	life    life
	process *Process // nil when it is none of our business
	scan    uint64   // the last that saw it
}

// fileID tells one state of a file from the next, before anything is read of
// it. It is what a BinaryID is, and the times of the inode in the place of the
// build id: they change when an inode is reused, and for builds without an id.
type fileID struct {
	device, inode   uint64
	size            int64
	modified, moved unix.Timespec
}

// reading is what reading a binary came to.
type reading struct {
	binary  *Binary
	refusal *Refusal
}

// NewFinder makes a finder; it looks at nothing until Scan or Run. A nil log
// discards.
func NewFinder(selection Selection, log *slog.Logger) *Finder {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	return &Finder{
		selection: selection,
		log:       log,
		notices:   make(chan int, maxNotices),
		known:     map[int]*sighting{},
		binaries:  map[fileID]*reading{},
		listeners: listeners{ports: selection.Ports},
	}
}

const (
	// every is how long Run rests between two scans.
	every = 500 * time.Millisecond
	// pace is how long it rests after it has looked at what it was told of, so
	// that a machine that builds does not make it busy.
	pace = 10 * time.Millisecond
	// maxNotices is of how many processes it can be told meanwhile.
	maxNotices = 1024
)

// Notice tells Run that a process has called exec, and is to be looked at now.
// It never blocks: what there is no room for is left to the next scan.
func (f *Finder) Notice(pid int) {
	if !f.selection.patterns() && !slices.Contains(f.selection.PIDs, pid) {
		return
	}
	select {
	case f.notices <- pid:
	default:
	}
}

// Run scans about every 500 ms, looks at once at what it is told of by Notice,
// and reports changes, one at a time, until ctx is done. It fails when the
// selection is not valid, or /proc can't be listed.
func (f *Finder) Run(ctx context.Context, report func(Event)) error {
	before := map[string]*Process{}
	scans := time.NewTicker(every)
	defer scans.Stop()
	for {
		now, err := f.Scan()
		if err != nil {
			return err
		}
		before = reportChanges(before, now, report)
		for scan := false; !scan; {
			select {
			case <-ctx.Done():
				return nil
			case <-scans.C:
				scan = true
			case pid := <-f.notices:
				f.lookNow(f.noticed(pid), before, report)
				time.Sleep(pace)
			}
		}
	}
}

// noticed is all pids that there are notices of, each once.
func (f *Finder) noticed(pids ...int) []int {
	for range len(f.notices) {
		pids = append(pids, <-f.notices)
	}
	slices.Sort(pids)
	return slices.Compact(pids)
}

// lookNow looks at some processes only, and reports what is new of them. What
// has ended is left to the next scan.
func (f *Finder) lookNow(pids []int, before map[string]*Process, report func(Event)) {
	for _, pid := range pids {
		f.mu.Lock()
		old := f.known[pid]
		seen, err := f.look(pid, f.listeners.has(pid))
		if err == nil && seen != nil {
			seen.scan = f.scans
			f.known[pid] = seen
		}
		f.mu.Unlock()
		if err != nil || seen == nil || seen == old {
			continue
		}
		was, is := map[string]*Process{}, []*Process{}
		if old != nil && old.process != nil && before[old.process.ID] != nil {
			was[old.process.ID] = before[old.process.ID]
			delete(before, old.process.ID)
		}
		if seen.process != nil {
			is = append(is, seen.process)
		}
		maps.Copy(before, reportChanges(was, is, report))
	}
}

// reportChanges reports what ended first: a pid may have a new owner.
func reportChanges(before map[string]*Process, now []*Process, report func(Event)) map[string]*Process {
	after := make(map[string]*Process, len(now))
	for _, p := range now {
		after[p.ID] = p
	}
	for id, p := range before {
		if after[id] == nil {
			report(Event{Exited, p})
		}
	}
	for _, p := range now {
		switch old := before[p.ID]; {
		case old == nil:
			report(Event{Appeared, p})
		case old != p:
			report(Event{Replaced, p})
		}
	}
	return after
}

// Scan looks once, and lists the selected processes by pid: those that are
// refused too, with Refused set. A process that did not change since the last
// scan is the same *Process.
func (f *Finder) Scan() ([]*Process, error) {
	if err := f.selection.Validate(); err != nil {
		return nil, err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	pids, err := f.candidates()
	if err != nil {
		return nil, err
	}
	var listening map[int]bool
	if len(f.selection.Ports) > 0 {
		listening = f.listeners.find(pids)
	}
	var found []*Process
	f.scans++
	unreadable, changed := 0, false
	for _, pid := range pids {
		seen, err := f.look(pid, listening[pid])
		if errors.Is(err, fs.ErrPermission) {
			unreadable++
		}
		if seen == nil {
			continue
		}
		seen.scan = f.scans
		changed = changed || f.known[pid] != seen
		f.known[pid] = seen
		if seen.process != nil {
			found = append(found, seen.process)
		}
	}
	f.forget(changed)
	if unreadable > 0 && !f.unread {
		f.unread = true
		f.log.Warn("some executables may not be read, so it is not known whether they are Go: needs the same user, or CAP_SYS_PTRACE", "processes", unreadable)
	}
	return found, nil
}

// candidates lists the pids to look at, ascending, each once. When only pids
// are selected, nobody else is looked at.
func (f *Finder) candidates() ([]int, error) {
	pids := slices.Clone(f.selection.PIDs)
	if f.selection.patterns() {
		dir, err := os.Open(procDir)
		if err != nil {
			return nil, fmt.Errorf("listing processes: %w", err)
		}
		defer dir.Close()
		names, err := dir.Readdirnames(-1)
		if err != nil {
			return nil, fmt.Errorf("listing processes: %w", err)
		}
		for _, name := range names {
			if pid, err := strconv.Atoi(name); err == nil {
				pids = append(pids, pid)
			}
		}
	}
	slices.Sort(pids)
	return slices.Compact(pids), nil
}

// look says what is known of a pid now: nil when there is no such process, or
// nothing can be said of it for now. An error only tells why.
func (f *Finder) look(pid int, listening bool) (*sighting, error) {
	named := slices.Contains(f.selection.PIDs, pid)
	before := f.known[pid]
	if pid == os.Getpid() && !named {
		return nil, nil
	}
	var st unix.Stat_t
	exe := procPath(pid, "exe")
	err := unix.Stat(exe, &st)
	if err == nil && named && (before == nil || before.file == (fileID{})) {
		err = notThread(pid)
	}
	if err != nil {
		if !named && !listening {
			return nil, err
		}
		return f.refusePID(pid, before, err), nil
	}
	file := fileOf(&st)
	switch {
	case before == nil:
	case before.process == nil:
		if before.file == file && !listening && !f.mayHaveMoved() {
			return before, nil
		}
	// A file that runs can be moved, deleted, given another mode, or copied by
	// overlayfs for that: its times tell, and the process still runs what it ran.
	case before.file.device == file.device && before.file.inode == file.inode:
		if now, state, err := readLife(pid); err == nil && state != 'Z' && now == before.life {
			return before, nil
		}
	}
	seen, err := f.meet(pid, file, named, listening)
	switch {
	case err == nil:
		return seen, nil
	case named || listening:
		return f.refusePID(pid, before, err), nil
	default:
		return nil, err
	}
}

// movesLookedFor is how many scans may pass until it is noticed that a process
// was moved into a control group that is selected. Runtimes and systemd move a
// process before it runs its program, so this is for what is moved by hand; and
// to read of a control group takes a lock that the whole kernel shares.
const movesLookedFor = 10

func (f *Finder) mayHaveMoved() bool {
	return f.selection.placed() && f.scans%movesLookedFor == 0
}

// notThread fails for the id of a thread, which /proc shows as well, but does
// not list.
func notThread(pid int) error {
	status, err := readSmall(procPath(pid, "status"), 4096)
	if err != nil {
		return err
	}
	_, rest, _ := strings.Cut(string(status), "\nTgid:")
	group, _, _ := strings.Cut(rest, "\n")
	if group = strings.TrimSpace(group); group != strconv.Itoa(pid) {
		return fmt.Errorf("a thread of process %s, not a process", group)
	}
	return nil
}

func fileOf(st *unix.Stat_t) fileID {
	return fileID{st.Dev, st.Ino, st.Size, st.Mtim, st.Ctim}
}

// meet reads a process that was not known, or is not what it was.
func (f *Finder) meet(pid int, file fileID, named, listening bool) (*sighting, error) {
	seen := &sighting{file: file}
	exe := procPath(pid, "exe")
	path, err := os.Readlink(exe)
	if err != nil {
		return nil, err
	}
	at, err := placeOf(pid)
	if err != nil {
		return nil, err
	}
	excluded := matches(f.selection.Exclude, path)
	if !named && (excluded != "" || !listening && !f.selection.All && matches(f.selection.Globs, path) == "" && !f.selection.holds(at)) {
		return seen, nil
	}
	life, state, err := readLife(pid)
	if err != nil {
		return nil, err
	}
	if state == 'Z' {
		return nil, errGone
	}
	read, err := f.read(exe, path, file)
	if err != nil {
		return nil, err
	}
	if read.refusal != nil && read.refusal.notGo && !named && !listening {
		return seen, nil
	}
	p := &Process{
		ID: fmt.Sprintf("%d-%d", pid, life.started), PID: pid, Started: startTime(life.started),
		Executable: clean(path), Container: at.container(), Unit: clean(at.unit()), life: life,
	}
	environment, err := readEnvironment(pid, life)
	if err != nil {
		return nil, err
	}
	var build *buildinfo.BuildInfo
	if read.refusal != nil {
		refusal := *read.refusal
		refusal.Path = p.Executable
		p.Refused, build = &refusal, refusal.build
	} else if bias, err := life.loadBias(read.binary); err != nil {
		if errors.Is(err, errGone) || errors.Is(err, fs.ErrNotExist) {
			return nil, errGone
		}
		p.Refused, build = refuse(p.Executable, "%s", reasonOf(err)), read.binary.Build
	} else {
		p.Binary, p.LoadBias, build = read.binary, bias, read.binary.Build
	}
	p.Identity = identify(environment, build, path)
	switch {
	case p.Refused != nil:
	case excluded != "":
		p.Refused, p.Binary = refuse(p.Executable, "the operator excludes it: %s", excluded), nil
	case optsOut(environment):
		p.Refused, p.Binary = refuse(p.Executable, "it opts out, by GOTHERM=off in its environment"), nil
	}
	// All of that must have been of one life: between two reads it may have
	// ended, or called exec.
	if after, _, err := readLife(pid); err != nil || after != life {
		return nil, errGone
	}
	seen.life, seen.process = life, p
	return seen, nil
}

// read reads the executable of a process, or remembers it.
func (f *Finder) read(exe, path string, file fileID) (*reading, error) {
	if r := f.binaries[file]; r != nil {
		return r, nil
	}
	open, err := openExecutable(exe)
	if err != nil {
		return nil, err
	}
	defer open.Close()
	var st unix.Stat_t
	if err := unix.Fstat(int(open.Fd()), &st); err != nil {
		return nil, err
	}
	if fileOf(&st) != file {
		return nil, errGone // exec since
	}
	b, refusal := readFile(open, clean(path))
	if refusal == nil && b.Arch != runtime.GOARCH { // it runs in an emulator
		refusal = refuse(clean(path), "built for %s: only %s can be watched here", b.Arch, runtime.GOARCH)
		refusal.build = b.Build
	}
	r := &reading{b, refusal}
	f.binaries[file] = r
	return r, nil
}

// refusePID says why a pid that was asked for can't be looked at.
func (f *Finder) refusePID(pid int, before *sighting, err error) *sighting {
	now, state, lifeErr := readLife(pid)
	reason := reasonOf(err)
	switch {
	case lifeErr != nil:
		now, reason = life{}, "no such process"
	case state == 'Z':
		reason = "it has ended, and waits to be reaped"
	case errors.Is(err, errGone):
		return before // it was caught changing: the next scan will tell
	case errors.Is(err, fs.ErrNotExist):
		reason = "a kernel thread: it runs no executable"
	case errors.Is(err, fs.ErrPermission):
		reason = "its /proc entry " + reason
	}
	if before != nil && before.process != nil && before.file == (fileID{}) && before.life == now {
		if r, ok := before.process.Refused.(*Refusal); ok && r.Reason == reason {
			return before
		}
	}
	p := &Process{ID: fmt.Sprintf("%d-%d", pid, now.started), PID: pid, life: now, Refused: refuse("pid "+strconv.Itoa(pid), "%s", reason)}
	if lifeErr == nil {
		p.Started = startTime(now.started)
	}
	return &sighting{life: now, process: p}
}

// maxReadings is over how many readings those that nobody runs are dropped too
// when they only say that a file is no Go.
const maxReadings = 4096

// forget drops the pids that the last scan did not see, and the binaries that
// nobody runs any more.
func (f *Finder) forget(changed bool) {
	for pid, seen := range f.known {
		if seen.scan != f.scans {
			delete(f.known, pid)
			changed = true
		}
	}
	if !changed {
		return
	}
	used := make(map[fileID]bool, len(f.binaries))
	for _, seen := range f.known {
		used[seen.file] = true
	}
	// What is no Go is remembered for longer: programs of a build, or of a
	// script, run again and again, each for a moment.
	room := len(f.binaries) <= maxReadings
	for file, r := range f.binaries {
		if !used[file] && !(room && r.refusal != nil && r.refusal.notGo) {
			delete(f.binaries, file)
		}
	}
}
