package goproc

import (
	"bytes"
	"debug/elf"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math"
	"os"
	"strconv"
	"time"

	"golang.org/x/sys/unix"
)

// Process is a process that runs a Go binary, or seems to.
type Process struct {
	// ID is the pid and the start time in clock ticks since boot, "4242-117733".
	ID         string
	PID        int
	Started    time.Time
	Executable string // as /proc/PID/exe reads
	Identity   Identity
	// Container is the id of the innermost container that it runs in, and Unit
	// the innermost service or scope of systemd; "" for none.
	Container, Unit string
	Binary          *Binary // nil when refused
	// LoadBias is what is added to linked addresses; 0 but for PIE.
	LoadBias uint64
	// Refused says why the process can't be watched; nil when it can.
	Refused error

	life life
}

// life tells one run of a program from the next under the same pid.
type life struct {
	started uint64 // clock ticks since boot
	// Where the kernel put the program's start, stack and environment. Each is
	// drawn anew by exec, also of the same file; so an exec is seen without a
	// look at more than /proc/PID/stat.
	code, stack, environment, environmentEnd uint64
}

// procDir is where the kernel shows processes.
const procDir = "/proc/"

func procPath(pid int, file string) string {
	return procDir + strconv.Itoa(pid) + "/" + file
}

// errGone says that a process ended, or began to run something else, while it
// was looked at.
var errGone = errors.New("the process is gone")

// readLife reads what tells a life from the next, and the state.
func readLife(pid int) (l life, state byte, err error) {
	l, state, _, err = readStat(pid)
	return l, state, err
}

// readStat reads /proc/PID/stat, used in clock ticks of all threads: the fields from the third on follow the last
// parenthesis, as the name before it may have some. (man 5 proc_pid_stat)
// It is read of each Go process in each scan, and so without a copy.
func readStat(pid int) (l life, state byte, used uint64, err error) {
	path := procPath(pid, "stat")
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return life{}, 0, 0, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer unix.Close(fd)
	var line [1024]byte // 52 numbers, of which few are long
	n, err := unix.Read(fd, line[:])
	if err != nil {
		return life{}, 0, 0, &fs.PathError{Op: "read", Path: path, Err: err}
	}
	var user, system uint64
	number := 2
	for field := range bytes.FieldsSeq(line[bytes.LastIndexByte(line[:n], ')')+1 : n]) {
		number++
		var into *uint64
		switch number {
		case 3:
			state = field[0]
			continue
		case 14:
			into = &user
		case 15:
			into = &system
		case 22:
			into = &l.started
		case 26:
			into = &l.code
		case 28:
			into = &l.stack
		case 50:
			into = &l.environment
		case 51:
			into = &l.environmentEnd
		default:
			continue
		}
		for _, digit := range field {
			if digit < '0' || digit > '9' {
				return life{}, 0, 0, fmt.Errorf("field %d of %s is %q", number, path, field)
			}
			*into = *into*10 + uint64(digit-'0')
		}
	}
	if number < 51 {
		return life{}, 0, 0, fmt.Errorf("%s has %d fields, wanted 51 or more", path, number)
	}
	return l, state, user + system, nil
}

// CPUTime is what all threads of the process have used of CPUs, in steps of 10 ms.
func (p *Process) CPUTime() (time.Duration, error) {
	l, _, used, err := readStat(p.PID)
	if err != nil {
		return 0, fmt.Errorf("read the CPU time of pid %d: %w", p.PID, err)
	}
	if l.started != p.life.started {
		return 0, errGone
	}
	return time.Duration(used) * (time.Second / ticksPerSecond), nil
}

// readSmall reads a file of /proc, whose size is not known before: at most
// limit bytes of it.
func readSmall(path string, limit int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, limit))
}

// ticksPerSecond is USER_HZ, which is part of the kernel's interface.
const ticksPerSecond = 100

// startTime is when a process started, from its clock ticks since boot.
func startTime(ticks uint64) time.Time {
	var boot unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_BOOTTIME, &boot); err != nil {
		return time.Time{}
	}
	up := time.Duration(boot.Nano())
	return time.Now().Add(time.Duration(ticks)*(time.Second/ticksPerSecond) - up).Round(0)
}

// loadBias is how far from its linked addresses a binary runs: the kernel says
// where it put the first of the segments with code.
// (fs/binfmt_elf.c: load_elf_binary, start_code)
func (l life) loadBias(b *Binary) (uint64, error) {
	if l.code <= 1 { // not for us to see; a process that has ended has 0
		return 0, fs.ErrPermission
	}
	linked := uint64(math.MaxUint64)
	for _, s := range b.segments {
		if s.flags&elf.PF_X != 0 {
			linked = min(linked, s.address)
		}
	}
	bias := l.code - linked
	if bias%4096 != 0 || bias != 0 && !b.PIE {
		return 0, fmt.Errorf("its code lies at %#x, linked is %#x: the executable in memory is another one", l.code, linked)
	}
	return bias, nil
}

// readEnvironment reads the environment that a process was started with. For
// the file of another user's process it takes CAP_DAC_READ_SEARCH, by which all
// files can be read; for the memory that the file shows, CAP_SYS_PTRACE does.
func readEnvironment(pid int, l life) ([]byte, error) {
	environment, err := readSmall(procPath(pid, "environ"), maxEnvironment)
	if !errors.Is(err, fs.ErrPermission) || l.environment <= 1 || l.environmentEnd < l.environment {
		return environment, err
	}
	environment = make([]byte, min(l.environmentEnd-l.environment, maxEnvironment))
	if err := readMemory(pid, l.environment, environment); err != nil {
		return nil, fmt.Errorf("reading the environment: %w", err)
	}
	return environment, nil
}

// readMemory fills b with the memory of a process.
func readMemory(pid int, address uint64, b []byte) error {
	if len(b) == 0 {
		return nil
	}
	local := unix.Iovec{Base: &b[0]}
	local.SetLen(len(b))
	n, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(address), Len: len(b)}}, 0)
	if err != nil {
		return fmt.Errorf("reading %d bytes of memory at %#x: %w", len(b), address, err)
	}
	if n != len(b) {
		return fmt.Errorf("memory at %#x has %d of %d bytes", address, n, len(b))
	}
	return nil
}

// ReadMemory fills b with the process's memory at an address as it runs, while
// it runs. Who must know that it was still this process asks [Process.Alive]
// behind it.
func (p *Process) ReadMemory(address uint64, b []byte) error { return readMemory(p.PID, address, b) }

// Alive fails when the process is gone, even if its id is another one's by now.
func (p *Process) Alive() error {
	now, _, err := readLife(p.PID)
	if err != nil {
		return errors.New(reasonOf(err))
	}
	if now != p.life {
		return errGone
	}
	return nil
}

// CheckCode compares the memory of the process at a site with the file. Attach
// only where they are equal: a stale path or a reused inode would put a
// breakpoint into the middle of an instruction.
//
// A breakpoint that is there already is no difference: where the first byte in
// memory is INT3 (0xCC), the bytes after it must be equal, and the first is
// taken for what a debugger or another observer, or an earlier probe of ours,
// put over the same instruction. The kernel itself reads the file and not the
// breakpoint.
func (p *Process) CheckCode(s Site) error {
	if err := p.checkCode(s); err != nil {
		return fmt.Errorf("comparing %s of pid %d with its file: %w", s.Function, p.PID, err)
	}
	return nil
}

func (p *Process) checkCode(s Site) error {
	if len(s.Code) == 0 {
		return errors.New("the site has no code")
	}
	now, _, err := readLife(p.PID)
	if err != nil {
		return errors.New(reasonOf(err))
	}
	if now.started != p.life.started {
		return errGone
	}
	memory := make([]byte, len(s.Code))
	address := s.Address + p.LoadBias
	if err := readMemory(p.PID, address, memory); err != nil {
		return err
	}
	if bytes.Equal(memory, s.Code) {
		return nil
	}
	if len(memory) > 1 && memory[0] == 0xcc && bytes.Equal(memory[1:], s.Code[1:]) {
		return nil
	}
	return fmt.Errorf("memory at %#x has % x, the file % x", address, memory, s.Code)
}
