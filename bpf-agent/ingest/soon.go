package ingest

import (
	"time"

	"golang.org/x/sys/unix"
)

// readerSlice is the shortest that the kernel grants.
const readerSlice = 100 * time.Microsecond

// runSoon asks that this thread be run soon after it wakes, for a short time.
// Of fair threads that wait for a CPU, the one runs first whose slice would end
// first: so the reader need not wait for those that run now to end theirs, of
// some milliseconds, while the ring fills. Its share of the CPU stays what it
// was, so it takes nothing from the programs that it watches, and it needs no
// privilege. A real-time priority would do the same, but a reader that falls
// behind would then keep a machine of one CPU from all else.
//
// Kernels before 6.12 know no slices of single threads, and change nothing.
func runSoon() {
	a, err := unix.SchedGetAttr(0, 0)
	if err != nil || a.Policy != unix.SCHED_NORMAL {
		return // Whoever started the agent has said how it is to run.
	}
	a.Runtime = uint64(readerSlice)
	_ = unix.SchedSetAttr(0, a, 0)
}
