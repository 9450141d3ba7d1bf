package mem

import (
	"bufio"
	"context"
	"encoding/json"
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
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/instrument/memstats"
)

const nobody = 65534

// mountBPF mounts a file system for pinned maps, that others may look into.
func mountBPF(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("pinning maps needs root")
	}
	// Not t.TempDir, whose parent is the agent's alone.
	dir, err := os.MkdirTemp("", "gotherm-bpffs-")
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("bpffs", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount bpffs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount bpffs: %v", err)
		}
		if err := os.Remove(dir); err != nil {
			t.Error(err)
		}
	})
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// The program is another process, of another user: examples/memstats.
func TestProgramPublishesAndReadsBack(t *testing.T) {
	mounted := mountBPF(t)
	dir := filepath.Join(mounted, "gotherm")
	pins, err := OpenPins(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(dir, 0, nobody); err != nil { // its group is let in
		t.Fatal(err)
	}
	build := t.TempDir()
	binary := filepath.Join(build, "example")
	if out, err := exec.Command("go", "build", "-o", binary, "../../examples/memstats").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	for at := build; at != os.TempDir() && at != "/"; at = filepath.Dir(at) {
		if err := os.Chmod(at, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	program := exec.Command(binary, "-pin", dir)
	program.Stderr = os.Stderr
	program.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := program.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := program.Start(); err != nil {
		t.Fatal(err)
	}
	defer program.Process.Kill()

	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer kernel.Close()
	finder := goproc.NewFinder(goproc.Selection{PIDs: []int{program.Process.Pid}}, slog.Default())
	watcher := probe.NewWatcher(kernel, finder, goproc.NewLedger(), slog.Default())
	gauges := &heat.Gauges{}
	poller := New(kernel, watcher, gauges, pins, slog.Default())
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 2)
	go func() { ended <- watcher.Run(ctx) }()
	go func() { ended <- poller.Run(ctx) }()

	type line struct {
		NumGC        uint32
		PauseTotalNs uint64
		Points       []memstats.Point
	}
	var first, last line
	of := func(points []memstats.Point, name string) memstats.Point {
		for _, p := range points {
			if p.Name == name {
				return p
			}
		}
		t.Errorf("nothing of %s was handed back", name)
		return memstats.Point{}
	}
	lines := bufio.NewScanner(out)
	var cycles uint64
	for n := 0; n < 200 && cycles < 3 && lines.Scan(); n++ {
		last = line{} // Unmarshal would write over what first has
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			t.Fatalf("the program said %q: %v", lines.Text(), err)
		}
		if n == 0 {
			first = last
		}
		cycles = of(last.Points, "gc.cycle").Hits - of(first.Points, "gc.cycle").Hits
	}
	// What is handed back is some polls old, in which there are few collections.
	if had := uint64(last.NumGC - first.NumGC); cycles < 3 || cycles > had+3 || cycles+8 < had {
		t.Errorf("%d collections were counted, the program had %d", cycles, had)
	}
	if stw := of(last.Points, "gc.stw"); stw.Hits < 2*cycles || stw.Sum == 0 || stw.Sum > 100*last.PauseTotalNs {
		t.Errorf("%d pauses of %d ns in all were counted, in %d collections, of %d ns", stw.Hits, stw.Sum, cycles, last.PauseTotalNs)
	}
	now := time.Now()
	series, err := gauges.Query(probe.MemStats+"num_gc", nil, now.Add(-time.Minute), now.Add(time.Second), time.Second)
	if err != nil || len(series) != 1 {
		t.Fatalf("%d series of what was published: %v", len(series), err)
	}
	points := series[0].Points
	if got := points[len(points)-1].Last; got == 0 || got > float64(last.NumGC)+20 {
		t.Errorf("published were %g collections, the program had %d", got, last.NumGC)
	}

	// Another user may not speak for it, nor read what it is told; nor may it
	// write what it is told itself.
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 2 {
		t.Fatalf("%d maps are pinned: %v", len(files), err)
	}
	for _, f := range files {
		var is unix.Stat_t
		if err := unix.Stat(filepath.Join(dir, f.Name()), &is); err != nil {
			t.Fatal(err)
		}
		want := uint32(0o600)
		if strings.HasSuffix(f.Name(), "-seen") {
			want = 0o400
		}
		if is.Uid != nobody || is.Mode&0o777 != want {
			t.Errorf("%s has owner %d and mode %#o, must be %d and %#o", f.Name(), is.Uid, is.Mode&0o777, nobody, want)
		}
	}

	if err := program.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	program.Wait()
	for end := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if files, err := os.ReadDir(dir); err != nil || len(files) == 0 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("maps of a process that has gone are still pinned after a minute")
		}
	}
	cancel()
	for range cap(ended) {
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	if err := pins.Close(); err != nil {
		t.Error(err)
	}
}

func TestDirectoryOfPinsMustBeTheAgentsAlone(t *testing.T) {
	mounted := mountBPF(t)
	if _, err := OpenPins(t.TempDir()); err == nil || !strings.Contains(err.Error(), "bpffs") {
		t.Errorf("a directory on disk: error %v", err)
	}
	open := filepath.Join(mounted, "open")
	if err := os.Mkdir(open, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPins(open); err == nil || !strings.Contains(err.Error(), "no one else may write") {
		t.Errorf("a directory that everyone may write to: error %v", err)
	}
	if err := os.Chmod(open, 0o750); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(open, nobody, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := OpenPins(open); err == nil || !strings.Contains(err.Error(), "owner 65534") {
		t.Errorf("another user's directory: error %v", err)
	}
}
