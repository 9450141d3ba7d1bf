package probe

import "github.com/gotherm/gotherm/bpf-agent/bpf"

// programs has the number under which the runs of a program are counted, by
// its name.
var programs = map[string]int{
	bpf.KernelProgGcStop:           int(bpf.KernelProgramRUN_GC_STOP),
	bpf.KernelProgGcStart:          int(bpf.KernelProgramRUN_GC_START),
	bpf.KernelProgGcStarted:        int(bpf.KernelProgramRUN_GC_STARTED),
	bpf.KernelProgSchedLatency:     int(bpf.KernelProgramRUN_SCHED_LATENCY),
	bpf.KernelProgSchedRun:         int(bpf.KernelProgramRUN_SCHED_RUN),
	bpf.KernelProgGoroutineCreate:  int(bpf.KernelProgramRUN_GOROUTINE_CREATE),
	bpf.KernelProgGoroutineExit:    int(bpf.KernelProgramRUN_GOROUTINE_EXIT),
	bpf.KernelProgGoroutinePark:    int(bpf.KernelProgramRUN_GOROUTINE_PARK),
	bpf.KernelProgGoroutinePreempt: int(bpf.KernelProgramRUN_GOROUTINE_PREEMPT),
	bpf.KernelProgGoroutineReady:   int(bpf.KernelProgramRUN_GOROUTINE_READY),
	bpf.KernelProgOncpu:            int(bpf.KernelProgramRUN_ONCPU),
	bpf.KernelProgHttpBegin:        int(bpf.KernelProgramRUN_HTTP_BEGIN),
	bpf.KernelProgHttpEnd:          int(bpf.KernelProgramRUN_HTTP_END),
	bpf.KernelProgHttpLabelled:     int(bpf.KernelProgramRUN_HTTP_LABELLED),
	bpf.KernelProgTcpSending:       int(bpf.KernelProgramRUN_TCP_SENDING),
	bpf.KernelProgTcpSent:          int(bpf.KernelProgramRUN_TCP_SENT),
	bpf.KernelProgTcpEstablished:   int(bpf.KernelProgramRUN_TCP_ESTABLISHED),
	bpf.KernelProgTcpAccept:        int(bpf.KernelProgramRUN_TCP_ACCEPT),
	bpf.KernelProgGcAssist:         int(bpf.KernelProgramRUN_GC_ASSIST),
	bpf.KernelProgGcAssisted:       int(bpf.KernelProgramRUN_GC_ASSISTED),
	bpf.KernelProgAlloc:            int(bpf.KernelProgramRUN_ALLOC),
	bpf.KernelProgAllocated:        int(bpf.KernelProgramRUN_ALLOCATED),
	bpf.KernelProgKsmMerge:         int(bpf.KernelProgramRUN_KSM_MERGE),
	bpf.KernelProgKsmMergeZeros:    int(bpf.KernelProgramRUN_KSM_MERGE_ZEROS),
}

// ProgramNumber is the index of a program in [bpf.KernelSlotTallies].Runs.
func ProgramNumber(program string) int { return programs[program] }
