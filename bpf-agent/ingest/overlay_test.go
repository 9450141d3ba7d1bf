package ingest

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// Containers of one image: overlayfs shows one file of the image in each, as a
// file of its own; but a breakpoint lies in the one below, and so in all.

// container is a mount namespace with its own view of an image, as a runtime makes it.
type container struct {
	t             *testing.T
	image, writes string // what is shared, and what it wrote itself
	merged        string
}

// newContainer makes the directories; start mounts them, where nobody else sees it.
func newContainer(t *testing.T, image string) *container {
	t.Helper()
	dir := t.TempDir()
	c := &container{t: t, image: image, writes: filepath.Join(dir, "upper"), merged: filepath.Join(dir, "merged")}
	for _, d := range []string{c.writes, c.merged, filepath.Join(dir, "work")} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	options := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", image, c.writes, filepath.Join(dir, "work"))
	if err := syscall.Mount("overlay", c.merged, "overlay", 0, options); err != nil {
		t.Skipf("cannot run here: this kernel mounts no overlayfs: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(c.merged, 0); err != nil {
			t.Errorf("unmount overlay: %v", err)
		}
	})
	return c
}

// start starts the image's program in the container: in a mount namespace of
// its own, whose /mnt is the container's root.
func (c *container) start() *target.Target {
	c.t.Helper()
	script := filepath.Join(c.t.TempDir(), "run")
	text := fmt.Sprintf("#!/bin/sh\nexec unshare --mount /bin/sh -c 'mount --bind %s /mnt && exec /mnt/program'\n", c.merged)
	if err := os.WriteFile(script, []byte(text), 0o755); err != nil {
		c.t.Fatal(err)
	}
	program := target.Start(c.t, script)
	program.Ask("stats") // it is the program now
	return program
}

// newImage makes a directory with a program.
func newImage(t *testing.T, from string) string {
	t.Helper()
	needsRoot(t)
	if _, err := exec.LookPath("unshare"); err != nil {
		t.Skipf("a mount namespace is made by unshare: %v", err)
	}
	dir := t.TempDir()
	copyFile(t, from, filepath.Join(dir, "program"))
	return dir
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	in, err := os.Open(from)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o755)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(out, in)
	if err := errors.Join(err, out.Close()); err != nil {
		t.Fatal(err)
	}
}

// countsOnce has a process collect garbage, and checks that each pause is
// counted, and once.
func (a *agent) countsOnce(who string, program *target.Target) {
	a.t.Helper()
	a.waitFor(who+" to be watched", func() bool { s := a.status(program.PID()); return s != nil && s.Process.Refused == nil })
	for _, p := range a.status(program.PID()).Points {
		if p.Name == "gc.stw" && p.State != probe.Attached && p.State != probe.Firing {
			a.t.Fatalf("%s: gc.stw is %s: %s", who, p.State, p.Reason)
		}
	}
	of := heat.Matcher{Dimension: "process", Values: []string{a.status(program.PID()).Process.ID}}
	a.flush()
	start, before := a.total("gc.stw", gcReasons, of).Count(), program.Ask("stats")
	after := program.Ask("collect 20")
	a.flush()
	n, want := a.total("gc.stw", gcReasons, of).Count()-start, 2*(after.NumGC-before.NumGC)
	if d := int64(n) - want; d < -2 || d > 2 {
		a.t.Errorf("%s: %d pauses were counted, twice NumGC is %d", who, n, want)
	}
}

func TestContainersOfOneImageAreToldApart(t *testing.T) {
	for _, options := range []probe.Options{{}, {PerfLinks: true}} {
		t.Run(fmt.Sprintf("perf links %v", options.PerfLinks), func(t *testing.T) {
			image := newImage(t, target.Build(t, ""))
			one, other := newContainer(t, image), newContainer(t, image)
			first, second := one.start(), other.start()
			a := watchSelection(t, options, goproc.Selection{Globs: []string{"/mnt/program"}})
			a.countsOnce("the first container", first)
			a.countsOnce("the second container", second)
			if x, y := a.status(first.PID()).Process, a.status(second.PID()).Process; x.Binary.ID == y.Binary.ID {
				t.Errorf("two containers, and one identity: %+v", x.Binary.ID)
			}
			// Two processes of one container share their links.
			third := one.start()
			a.countsOnce("the first container's second process", third)
			a.countsOnce("the first container's first process", first)
			// When one container goes, the other keeps its probes.
			first.Stop()
			third.Stop()
			a.waitFor("the exits", func() bool { return a.status(first.PID()) == nil && a.status(third.PID()) == nil })
			a.countsOnce("the second container, alone", second)
		})
	}
}

// To change anything of a file of the image, overlayfs copies it: what started
// before runs the old file, and what starts after runs the copy, under one name
// and one inode number.
func TestAFileThatIsCopiedUpIsAnother(t *testing.T) {
	image := newImage(t, target.Build(t, ""))
	c := newContainer(t, image)
	old := c.start()
	a := watchSelection(t, probe.Options{}, goproc.Selection{Globs: []string{"/mnt/program"}})
	a.countsOnce("before the copy", old)
	process := a.status(old.PID()).Process

	program := filepath.Join(c.merged, "program")
	if err := os.Chmod(program, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(c.writes, "program")); err != nil {
		t.Fatalf("overlayfs has not copied it: %v", err)
	}
	copied := c.start()
	a.countsOnce("the copy", copied)
	a.countsOnce("what runs the old file", old)
	if s := a.status(old.PID()); s.Process != process {
		t.Error("the one that runs the old file is taken for another process, though it did not call exec")
	}

	// A new release comes as a new file under the old name.
	copyFile(t, target.Build(t, "", "-ldflags=-s -w"), program+".new")
	if err := os.Rename(program+".new", program); err != nil {
		t.Fatal(err)
	}
	replaced := c.start()
	a.countsOnce("the new release", replaced)
	a.countsOnce("the copy, which is deleted now", copied)
	a.countsOnce("what runs the oldest file", old)
}

// Who comes only after the copy can't attach to what runs the old file: the
// kernel finds the copy by its name. It must not be told that all is well.
func TestProbesThatLieInAnotherFileAreSaidToBeSilent(t *testing.T) {
	image := newImage(t, target.Build(t, ""))
	c := newContainer(t, image)
	old := c.start()
	if err := os.Chmod(filepath.Join(c.merged, "program"), 0o700); err != nil {
		t.Fatal(err)
	}
	copied := c.start()
	a := watchSelection(t, probe.Options{}, goproc.Selection{PIDs: []int{old.PID(), copied.PID()}})
	a.countsOnce("the copy", copied)
	a.waitFor("silence", func() bool {
		s := a.status(old.PID())
		old.Ask("collect 20")
		return s != nil && s.Health.Vitality == probe.Silent
	})
	if h := a.status(copied.PID()).Health; h.Vitality != probe.Alive && h.Vitality != probe.Idle {
		t.Errorf("the copy, which is hit, is %+v", h)
	}
}

// A file system gives the number of a file that is gone to the next.
func TestAnInodeNumberThatIsUsedAgainIsAnotherFile(t *testing.T) {
	dir := newImage(t, target.Build(t, ""))
	path := filepath.Join(dir, "program")
	a := watchSelection(t, probe.Options{}, goproc.Selection{Globs: []string{dir + "/*"}})
	first := target.Start(t, path)
	a.countsOnce("the first file", first)
	was := a.status(first.PID()).Process.Binary.ID
	first.Stop()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	// Another build: the places of the first are in the middle of its instructions.
	next := target.Build(t, "", "-ldflags=-s -w", "-gcflags=all=-B")
	for i := range 50 {
		path = filepath.Join(dir, fmt.Sprint("program", i))
		copyFile(t, next, path)
		var st syscall.Stat_t
		if err := syscall.Stat(path, &st); err != nil {
			t.Fatal(err)
		}
		if st.Ino != was.Inode {
			continue
		}
		second := target.Start(t, path)
		a.countsOnce("the second file", second)
		if is := a.status(second.PID()).Process.Binary.ID; is == was || is.Inode != was.Inode {
			t.Errorf("the second file is %+v, the first was %+v", is, was)
		}
		return
	}
	t.Skip("cannot run here: this file system did not give an inode number again in 50 files")
}
