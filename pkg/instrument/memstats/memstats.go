// Package memstats lets a Go program publish its own runtime.MemStats to the
// gotherm agent on its host, and read back what the kernel side has counted
// about it. The two meet in BPF maps that the agent pins for each process that
// it watches (gotherm-agent run --memstats-pin DIR); no port is opened and
// nothing is asked of the agent.
//
//	go memstats.Run(ctx, "/sys/fs/bpf/gotherm", time.Second)
//
// Publishing stops the world, as runtime.ReadMemStats does. The agent has most
// of the same without that, as its gauges mem.*.
//
// Of a process there are two files, which belong to its user and no one else
// may open: one to write and one to read. So a program can't speak for one of
// another user. Programs of the same user could, as they could trace each other
// as well; a value also says when its process started, so that one that was
// left is not taken for a later process's.
package memstats

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
)

// ErrEmpty is of a value that was not written yet.
var ErrEmpty = errors.New("nothing was written yet")

// Publisher writes what one process publishes.
type Publisher struct {
	stats, seen *ebpf.Map
	started     uint64
}

// Open opens what an agent has pinned in dir for this process. Its error is
// fs.ErrNotExist until an agent watches the process, and fs.ErrPermission when
// dir is not open to the user.
func Open(dir string) (*Publisher, error) {
	name, started, err := self()
	if err != nil {
		return nil, err
	}
	p := &Publisher{started: started}
	if p.stats, err = open[Stats](StatsPath(dir, name), nil); err != nil {
		return nil, err
	}
	if p.seen, err = open[Seen](SeenPath(dir, name), &ebpf.LoadPinOptions{ReadOnly: true}); err != nil {
		return nil, errors.Join(err, p.stats.Close())
	}
	return p, nil
}

func open[Value Stats | Seen](path string, options *ebpf.LoadPinOptions) (*ebpf.Map, error) {
	m, err := ebpf.LoadPinnedMap(path, options)
	if err != nil {
		return nil, fmt.Errorf("open pinned map %s: %w", path, err)
	}
	if err := checkMap[Value](m); err != nil {
		return nil, errors.Join(fmt.Errorf("open pinned map %s: %w", path, err), m.Close())
	}
	return m, nil
}

// Publish reads runtime.MemStats, which stops the world, and publishes it.
func (p *Publisher) Publish() error {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return p.PublishStats(&m)
}

// PublishStats publishes what was read before.
func (p *Publisher) PublishStats(m *runtime.MemStats) error {
	return Write(p.stats, NewStats(m, p.started, time.Now().UnixNano()))
}

// Seen returns what the kernel side has counted of each measurement point since
// the process is watched, and when. It fails with [ErrEmpty] in the first second.
func (p *Publisher) Seen() ([]Point, time.Time, error) {
	s, err := ReadSeen(p.seen, p.started)
	if err != nil {
		return nil, time.Time{}, err
	}
	return s.points(), time.Unix(0, s.Time), nil
}

// Close gives the maps back. What was published stays until the agent drops it.
func (p *Publisher) Close() error { return errors.Join(p.stats.Close(), p.seen.Close()) }

// Run publishes again and again until ctx is done, from when an agent watches
// the process. It fails when what the agent has pinned is of another layout, or
// when the process may not open it.
func Run(ctx context.Context, dir string, every time.Duration) error {
	tick := time.NewTicker(every)
	defer tick.Stop()
	var p *Publisher
	defer func() {
		if p != nil {
			p.Close()
		}
	}()
	for {
		if p == nil {
			var err error
			if p, err = Open(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
				return err
			}
		}
		if p != nil {
			if err := p.Publish(); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Write replaces a value, as one.
func Write[Value Stats | Seen](m *ebpf.Map, v *Value) error {
	if err := m.Update(uint32(0), v, ebpf.UpdateLock); err != nil {
		return fmt.Errorf("write %s: %w", m, err)
	}
	return nil
}

// ReadStats reads what the process that started then has published.
func ReadStats(m *ebpf.Map, started uint64) (*Stats, error) {
	var s Stats
	if err := m.LookupWithFlags(uint32(0), &s, ebpf.LookupLock); err != nil {
		return nil, fmt.Errorf("read %s: %w", m, err)
	}
	return &s, s.check(unsafe.Sizeof(s), started)
}

// ReadSeen reads what was handed back to the process that started then.
func ReadSeen(m *ebpf.Map, started uint64) (*Seen, error) {
	var s Seen
	if err := m.LookupWithFlags(uint32(0), &s, ebpf.LookupLock); err != nil {
		return nil, fmt.Errorf("read %s: %w", m, err)
	}
	return &s, s.check(unsafe.Sizeof(s), started)
}

// Name names a process, from inside and from outside of its container: its PID
// namespace, its id in there, and its start in clock ticks since boot.
func Name(namespace string, pid int, started uint64) string {
	namespace = strings.TrimSuffix(strings.TrimPrefix(namespace, "pid:["), "]")
	return fmt.Sprintf("%s-%d-%d", namespace, pid, started)
}

// StatsPath and SeenPath are where the maps of a process are pinned. (bpffs has no
// dots in names.)
func StatsPath(dir, name string) string { return filepath.Join(dir, name+"-stats") }

// SeenPath is the map to read.
func SeenPath(dir, name string) string { return filepath.Join(dir, name+"-seen") }

// self names this process.
func self() (name string, started uint64, err error) {
	namespace, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return "", 0, fmt.Errorf("read the PID namespace: %w", err)
	}
	stat, err := os.ReadFile("/proc/self/stat")
	if err != nil {
		return "", 0, fmt.Errorf("read the start of the process: %w", err)
	}
	// The fields from the third on follow the last parenthesis: proc_pid_stat(5).
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 20 {
		return "", 0, fmt.Errorf("/proc/self/stat has %d fields after the name, wanted 20 or more", len(fields))
	}
	if started, err = strconv.ParseUint(string(fields[19]), 10, 64); err != nil {
		return "", 0, fmt.Errorf("read the start of the process: %w", err)
	}
	return Name(namespace, os.Getpid(), started), started, nil
}
