package mem

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/instrument/memstats"
)

// Pins are the maps through which programs publish their runtime.MemStats and
// read what was counted about them: two files in a directory of bpffs for each
// process, which its user owns and no one else may open; see package memstats.
// Whose they are is decided here, from what the kernel says of the process, and
// not by what is written.
type Pins struct {
	dir  string
	open map[*goproc.Process]*pinned
}

type pinned struct {
	name        string
	started     uint64
	stats, seen *ebpf.Map
	// refused says why there is nothing pinned.
	refused error
	// last is when the program has published what was last read.
	last int64
}

// OpenPins makes the directory if it is not there: 0750, so that a group can be
// let in. One that is there must be the agent's, and no one else may write to it.
func OpenPins(dir string) (*Pins, error) {
	if err := os.Mkdir(dir, 0o750); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("make the directory of pinned maps: %w", err)
	}
	var on unix.Statfs_t
	if err := unix.Statfs(dir, &on); err != nil {
		return nil, fmt.Errorf("look at directory %s: %w", dir, err)
	}
	if on.Type != unix.BPF_FS_MAGIC {
		return nil, fmt.Errorf("directory %s is on a file system of type %#x, must be on bpffs, %#x: mount -t bpf bpffs /sys/fs/bpf", dir, on.Type, unix.BPF_FS_MAGIC)
	}
	var is unix.Stat_t
	if err := unix.Lstat(dir, &is); err != nil {
		return nil, fmt.Errorf("look at directory %s: %w", dir, err)
	}
	if is.Mode&unix.S_IFMT != unix.S_IFDIR || int(is.Uid) != os.Geteuid() || is.Mode&0o022 != 0 {
		return nil, fmt.Errorf("directory %s has mode %#o and owner %d, must be a directory of user %d that no one else may write to", dir, is.Mode&0o7777, is.Uid, os.Geteuid())
	}
	p := &Pins{dir: dir, open: map[*goproc.Process]*pinned{}}
	return p, p.removeLeft()
}

var pinName = regexp.MustCompile(`^[0-9]+-[0-9]+-[0-9]+-(stats|seen)$`)

// removeLeft removes what an agent has left that was killed.
func (p *Pins) removeLeft() error {
	files, err := os.ReadDir(p.dir)
	if err != nil {
		return fmt.Errorf("list pinned maps: %w", err)
	}
	for _, f := range files {
		if pinName.MatchString(f.Name()) {
			if err := os.Remove(filepath.Join(p.dir, f.Name())); err != nil {
				return fmt.Errorf("remove a map that was left: %w", err)
			}
		}
	}
	return nil
}

// Close unpins all.
func (p *Pins) Close() error {
	var errs []error
	for process := range p.open {
		errs = append(errs, p.drop(process))
	}
	return errors.Join(errs...)
}

// keep drops what is of processes that are gone.
func (p *Pins) keep(alive func(*goproc.Process) bool) error {
	var errs []error
	for process := range p.open {
		if !alive(process) {
			errs = append(errs, p.drop(process))
		}
	}
	return errors.Join(errs...)
}

func (p *Pins) drop(process *goproc.Process) error {
	one := p.open[process]
	delete(p.open, process)
	var errs []error
	for _, m := range []*ebpf.Map{one.stats, one.seen} {
		if m != nil {
			errs = append(errs, m.Unpin(), m.Close())
		}
	}
	return errors.Join(errs...)
}

// of returns the maps of a process, and makes them when they are not there.
// first says that this was so.
func (p *Pins) of(process *goproc.Process) (one *pinned, first bool) {
	if one := p.open[process]; one != nil {
		return one, false
	}
	one = &pinned{}
	p.open[process] = one
	if one.refused = one.pin(p.dir, process); one.refused != nil {
		err := p.drop(process)
		p.open[process] = &pinned{refused: errors.Join(one.refused, err)}
	}
	return p.open[process], true
}

func (one *pinned) pin(dir string, process *goproc.Process) error {
	owner, err := ownerOf(process)
	if err != nil {
		return err
	}
	one.name, one.started = owner.name, owner.started
	if one.stats, err = ebpf.NewMap(memstats.MapSpec[memstats.Stats]("memstats")); err != nil {
		return fmt.Errorf("make a map: %w", err)
	}
	if one.seen, err = ebpf.NewMap(memstats.MapSpec[memstats.Seen]("memstats_seen")); err != nil {
		return fmt.Errorf("make a map: %w", err)
	}
	for _, file := range []struct {
		m    *ebpf.Map
		path string
		mode os.FileMode
	}{{one.stats, memstats.StatsPath(dir, one.name), 0o600}, {one.seen, memstats.SeenPath(dir, one.name), 0o400}} {
		if err := file.m.Pin(file.path); err != nil {
			return fmt.Errorf("pin a map: %w", err)
		}
		if err := os.Chmod(file.path, file.mode); err != nil {
			return fmt.Errorf("let the program open its map: %w", err)
		}
		if err := os.Lchown(file.path, owner.uid, owner.gid); err != nil {
			return fmt.Errorf("let the program open its map: %w", err)
		}
	}
	return nil
}

// owner is who a process is, as it may find itself, and whose it is.
type owner struct {
	name     string
	started  uint64
	uid, gid int
}

func ownerOf(process *goproc.Process) (o owner, err error) {
	_, ticks, _ := strings.Cut(process.ID, "-")
	if o.started, err = strconv.ParseUint(ticks, 10, 64); err != nil {
		return o, fmt.Errorf("read the start of process %s: %w", process.ID, err)
	}
	namespace, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", process.PID))
	if err != nil {
		return o, fmt.Errorf("read the PID namespace of %d: %w", process.PID, err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", process.PID))
	if err != nil {
		return o, fmt.Errorf("read whose process %d is: %w", process.PID, err)
	}
	// Of user and group the second is the effective one; of process ids the last
	// is that of the innermost namespace: proc_pid_status(5).
	found := map[string]int{}
	for line := range strings.Lines(string(status)) {
		key, values, _ := strings.Cut(line, ":")
		fields := strings.Fields(values)
		var field string
		switch {
		case (key == "Uid" || key == "Gid") && len(fields) == 4:
			field = fields[1]
		case key == "NSpid" && len(fields) > 0:
			field = fields[len(fields)-1]
		default:
			continue
		}
		if found[key], err = strconv.Atoi(field); err != nil {
			return o, fmt.Errorf("read %s of process %d: %w", key, process.PID, err)
		}
	}
	if len(found) != 3 {
		return o, fmt.Errorf("status of process %d lacks one of Uid, Gid and NSpid", process.PID)
	}
	o.uid, o.gid = found["Uid"], found["Gid"]
	o.name = memstats.Name(namespace, found["NSpid"], o.started)
	return o, process.Alive()
}

// published returns what a program has published since this was last asked; nil
// for nothing.
func (one *pinned) published() (*memstats.Stats, error) {
	s, err := memstats.ReadStats(one.stats, one.started)
	if errors.Is(err, memstats.ErrEmpty) || err == nil && s.Time == one.last {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	one.last = s.Time
	return s, nil
}

// tell hands back what was counted.
func (one *pinned) tell(now time.Time, points []memstats.Point) error {
	return memstats.Write(one.seen, memstats.NewSeen(one.started, now.UnixNano(), points))
}
