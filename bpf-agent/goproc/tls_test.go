package goproc

import (
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// Each thread of a running target has, where TLSOffset says, a g whose m has
// the thread's id: in every version and linkage.
func TestThreadLocalStorageHasTheGOfEachThread(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("reading registers of another process needs root")
	}
	each(t, func(t *testing.T, toolchain string, l linkage) {
		path := target(t, toolchain, l)
		b := read(t, path)
		offset, err := b.TLSOffset()
		if err != nil {
			t.Fatal(err)
		}
		procid, err := b.Field("runtime.m", "procid")
		if err != nil {
			t.Fatal(err)
		}
		r := run(t, path, nil, "-mode", "pingpong")
		tasks, err := filepath.Glob(fmt.Sprintf("/proc/%d/task/*", r.pid()))
		if err != nil || len(tasks) == 0 {
			t.Fatalf("threads: %v, %v", tasks, err)
		}
		met := 0
		for _, task := range tasks {
			tid, _ := strconv.Atoi(filepath.Base(task))
			base, err := fsBase(tid)
			if err != nil {
				t.Fatal(err)
			}
			g := peek(t, r.pid(), base+uint64(offset))
			if g == 0 {
				continue // of C, or just being made
			}
			m := peek(t, r.pid(), g+uint64(b.Offsets.GM))
			if m == 0 {
				continue // just being made, too
			}
			if got := peek(t, r.pid(), m+uint64(procid)); got != uint64(tid) {
				t.Errorf("thread %d: the m at %d of thread-local storage is of thread %d", tid, offset, got)
			}
			met++
		}
		if met < 2 {
			t.Errorf("only %d of %d threads have a g", met, len(tasks))
		}
	})
}

// fsBase stops a thread for a moment, and reads the base of FS.
func fsBase(tid int) (uint64, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if err := unix.PtraceSeize(tid); err != nil {
		return 0, fmt.Errorf("tracing thread %d: %w", tid, err)
	}
	if err := unix.PtraceInterrupt(tid); err != nil {
		return 0, fmt.Errorf("stopping thread %d: %w", tid, err)
	}
	var status unix.WaitStatus
	if _, err := unix.Wait4(tid, &status, unix.WALL, nil); err != nil {
		return 0, fmt.Errorf("waiting for thread %d: %w", tid, err)
	}
	defer unix.PtraceDetach(tid)
	var registers unix.PtraceRegs
	if err := unix.PtraceGetRegs(tid, &registers); err != nil {
		return 0, fmt.Errorf("reading registers of thread %d: %w", tid, err)
	}
	return registers.Fs_base, nil
}

// peek reads a word of a process's memory.
func peek(t testing.TB, pid int, address uint64) uint64 {
	t.Helper()
	word := make([]byte, 8)
	local := unix.Iovec{Base: &word[0]}
	local.SetLen(len(word))
	if _, err := unix.ProcessVMReadv(pid, []unix.Iovec{local}, []unix.RemoteIovec{{Base: uintptr(address), Len: len(word)}}, 0); err != nil {
		t.Fatalf("reading memory of %d at %#x: %v", pid, address, err)
	}
	return binary.NativeEndian.Uint64(word)
}
