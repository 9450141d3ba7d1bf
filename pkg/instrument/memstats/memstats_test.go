package memstats

import (
	"errors"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// bpffs mounts a file system for pinned maps.
func bpffs(t *testing.T) string {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("pinning maps needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("bpffs", dir, "bpf", 0, ""); err != nil {
		t.Fatalf("mount bpffs: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Errorf("unmount bpffs: %v", err)
		}
	})
	return dir
}

// pin pins what an agent would for this process.
func pin(t *testing.T, dir string, stats, seen *ebpf.MapSpec) (*ebpf.Map, *ebpf.Map) {
	t.Helper()
	name, _, err := self()
	if err != nil {
		t.Fatal(err)
	}
	var made []*ebpf.Map
	for path, spec := range map[string]*ebpf.MapSpec{StatsPath(dir, name): stats, SeenPath(dir, name): seen} {
		m, err := ebpf.NewMap(spec)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { m.Close() })
		if err := m.Pin(path); err != nil {
			t.Fatal(err)
		}
		made = append(made, m)
		if path == SeenPath(dir, name) && len(made) == 1 || path == StatsPath(dir, name) && len(made) == 2 {
			made[0], made[len(made)-1] = made[len(made)-1], made[0]
		}
	}
	return made[0], made[1]
}

func TestWhatIsPublishedIsRead(t *testing.T) {
	dir := bpffs(t)
	if _, err := Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("before an agent watches: error %v", err)
	}
	stats, seen := pin(t, dir, MapSpec[Stats]("stats"), MapSpec[Seen]("seen"))
	p, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	if _, err := ReadStats(stats, p.started); !errors.Is(err, ErrEmpty) {
		t.Errorf("before anything was published: error %v", err)
	}
	if _, _, err := p.Seen(); !errors.Is(err, ErrEmpty) {
		t.Errorf("before anything was counted: error %v", err)
	}
	runtime.GC()
	if err := p.Publish(); err != nil {
		t.Fatal(err)
	}
	s, err := ReadStats(stats, p.started)
	if err != nil {
		t.Fatal(err)
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if s.NumGC == 0 || s.NumGC > m.NumGC || s.HeapAlloc == 0 || s.PauseTotalNs > m.PauseTotalNs {
		t.Errorf("published %+v, the runtime says %d collections", s, m.NumGC)
	}
	if err := Write(seen, NewSeen(p.started, 42, []Point{{"gc.stw", 7, 900}, {"gc.cycle", 3, 5000}})); err != nil {
		t.Fatal(err)
	}
	points, at, err := p.Seen()
	if err != nil || at.UnixNano() != 42 || len(points) != 2 || points[1] != (Point{"gc.cycle", 3, 5000}) {
		t.Errorf("handed back %v at %v, %v", points, at, err)
	}
	if err := Write(p.seen, NewSeen(p.started, 43, nil)); !errors.Is(err, os.ErrPermission) {
		t.Errorf("a program could write what it is handed back: error %v", err)
	}
}

// A value is never seen half old and half new.
func TestValuesAreReplacedAsOne(t *testing.T) {
	dir := bpffs(t)
	stats, _ := pin(t, dir, MapSpec[Stats]("stats"), MapSpec[Seen]("seen"))
	var writers sync.WaitGroup
	stop := make(chan struct{})
	for w := range 2 {
		writers.Go(func() {
			for i := uint64(w); ; i += 2 {
				select {
				case <-stop:
					return
				default:
				}
				s := NewStats(&runtime.MemStats{Alloc: i, HeapSys: i, OtherSys: i, PauseTotalNs: i}, 1, 1)
				if err := Write(stats, s); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	for range 20_000 {
		s, err := ReadStats(stats, 1)
		if errors.Is(err, ErrEmpty) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		if s.Alloc != s.HeapSys || s.Alloc != s.OtherSys || s.Alloc != s.PauseTotalNs {
			t.Fatalf("a value is %d, %d, %d and %d", s.Alloc, s.HeapSys, s.OtherSys, s.PauseTotalNs)
		}
	}
	close(stop)
	writers.Wait()
}

func TestAnotherLayoutIsRefused(t *testing.T) {
	dir := bpffs(t)
	larger := MapSpec[Seen]("stats")
	pin(t, dir, larger, MapSpec[Seen]("seen"))
	if _, err := Open(dir); err == nil || !strings.Contains(err.Error(), "bytes, must be") {
		t.Errorf("a value of another size: error %v", err)
	}
	good := NewStats(&runtime.MemStats{}, 5, 1)
	for what, change := range map[string]func(*Stats){
		"magic":          func(s *Stats) { s.Magic++ },
		"layout version": func(s *Stats) { s.Version++ },
		"says that it":   func(s *Stats) { s.Size-- },
		"started at":     func(s *Stats) { s.Started++ },
	} {
		bad := *good
		change(&bad)
		if err := bad.check(uintptr(good.Size), 5); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("another %s: error %v", what, err)
		}
	}
}

// The example is a program that builds.
