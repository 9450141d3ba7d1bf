package probe

import (
	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// reasons names the runtime's stwReason: src/runtime/proc.go, stwReasonStrings,
// which is the same in Go 1.21 to 1.27. The point says already
// that it is about the world being stopped, so "GC" is left out.
var reasons = [...]string{
	0:  "unknown",
	1:  "mark termination",
	2:  "sweep termination",
	3:  "write heap dump",
	4:  "goroutine profile",
	5:  "goroutine profile cleanup",
	6:  "all goroutines stack trace",
	7:  "read mem stats",
	8:  "AllThreadsSyscall",
	9:  "GOMAXPROCS",
	10: "start trace",
	11: "stop trace",
	12: "CountPagesInUse (test)",
	13: "ReadMetricsSlow (test)",
	14: "ReadMemStatsSlow (test)",
	15: "PageCachePagesLeaked (test)",
	16: "ResetDebugLog (test)",
}

// stopReason names the runtime's number for why the world was stopped.
func stopReason(_ *goproc.Binary, number uint8) string {
	if int(number) < len(reasons) {
		return reasons[number]
	}
	return reasons[0]
}

// holders names what has a CPU, enum holder of bpf/thread.h. What only the
// runtime does in its own name is the scheduler's: what it does for a
// goroutine, or in one of its own such as those of the garbage collector, is
// the goroutine's.
var holders = [...]string{
	bpf.KernelHolderHOLDER_UNKNOWN:   "unknown",
	bpf.KernelHolderHOLDER_GOROUTINE: "goroutine",
	bpf.KernelHolderHOLDER_SCHEDULER: "scheduler",
	bpf.KernelHolderHOLDER_FOREIGN:   "not Go",
}

func holder(_ *goproc.Binary, number uint8) string {
	if int(number) < len(holders) {
		return holders[number]
	}
	return holders[0]
}
