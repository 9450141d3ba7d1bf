package probe

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"
)

// Finding is one thing that this kernel and these capabilities allow, or don't.
type Finding struct {
	Name string
	// For says what it is needed for.
	For string
	OK  bool
	// Required things must be OK, or nothing is measured.
	Required bool
	// Found is what was seen.
	Found string
	// Remedy is what to do; empty when it is OK or when nothing can be done.
	Remedy string
}

// Doctor examines what the agent may do here. It changes nothing.
func Doctor() []Finding {
	restore, err := beDumpable()
	if err == nil {
		defer restore()
	}
	findings := []Finding{
		kernelRelease(),
		pidNamespace(),
	}
	caps, err := effectiveCapabilities()
	if err != nil {
		findings = append(findings, Finding{
			Name: "capabilities", For: "knowing what the agent may do", Required: true,
			Found: err.Error(), Remedy: "mount /proc where the agent runs",
		})
	}
	for _, c := range capabilities {
		findings = append(findings, c.finding(caps))
	}
	return append(findings,
		lockdown(),
		memlock(),
		kernelBTF(),
		feature("uprobe programs", "all measurement points", true, features.HaveProgramType(ebpf.Kprobe),
			"run a kernel with CONFIG_BPF_SYSCALL, CONFIG_BPF_EVENTS and CONFIG_UPROBES"),
		feature("ring buffer", "events that are carried one by one", true, features.HaveMapType(ebpf.RingBuf),
			"run Linux 5.8 or newer"),
		feature("bpf_probe_read_user", "goroutine ids and start functions", true,
			features.HaveProgramHelper(ebpf.Kprobe, asm.FnProbeReadUser), "run Linux 5.5 or newer"),
		feature("bpf_get_numa_node_id", "the node dimension", true,
			features.HaveProgramHelper(ebpf.Kprobe, asm.FnGetNumaNodeId), "run Linux 4.10 or newer"),
		uprobeMulti(),
		perfLinks(),
		clockSampling(),
		paranoid(),
	)
}

func kernelRelease() Finding {
	f := Finding{Name: "kernel", For: "all measurement points", OK: true, Required: true}
	var name unix.Utsname
	if err := unix.Uname(&name); err != nil {
		f.OK, f.Found = false, err.Error()
		return f
	}
	f.Found = unix.ByteSliceToString(name.Sysname[:]) + " " + unix.ByteSliceToString(name.Release[:]) + " " + unix.ByteSliceToString(name.Machine[:])
	return f
}

func pidNamespace() Finding {
	f := Finding{Name: "PID namespace", For: "telling which process a probe fires in", OK: true, Required: true, Found: "the host's"}
	if err := inHostPIDNamespace(); err != nil {
		f.OK, f.Found = false, err.Error()
		f.Remedy = "run the agent on the host, or its container with --pid=host (Kubernetes: hostPID: true)"
	}
	return f
}

// capability is one bit of capabilities(7), and what gotherm needs it for.
type capability struct {
	name     string
	bit      uint
	purpose  string
	required bool
	// runs says whether it is still needed once all is loaded. The kernel may be nil.
	runs func(*Kernel) bool
}

var capabilities = []capability{
	{"CAP_BPF", unix.CAP_BPF, "loading programs and maps; dropped after that", true, never},
	{"CAP_PERFMON", unix.CAP_PERFMON, "programs that read a process's memory, and samples of CPU time", true, always},
	{"CAP_SYS_PTRACE", unix.CAP_SYS_PTRACE, "processes of other users: their executable, code and environment", false, always},
	{"CAP_DAC_READ_SEARCH", unix.CAP_DAC_READ_SEARCH, "processes of other users: --port, and executables that not everyone may read", false, always},
	{"CAP_SYS_ADMIN", unix.CAP_SYS_ADMIN, "attaching by perf events, where there is no uprobe_multi; else dropped", false, onlyPerfLinks},
}

func never(*Kernel) bool           { return false }
func always(*Kernel) bool          { return true }
func onlyPerfLinks(k *Kernel) bool { return k != nil && k.perfLinks }

func (c capability) finding(effective uint64) Finding {
	f := Finding{Name: c.name, For: c.purpose, Required: c.required, OK: effective&(1<<c.bit) != 0, Found: "in effect"}
	// Before 5.8, and by rule still, CAP_SYS_ADMIN stands for the two that were split from it.
	if !f.OK && (c.bit == unix.CAP_BPF || c.bit == unix.CAP_PERFMON) && effective&(1<<unix.CAP_SYS_ADMIN) != 0 {
		f.OK, f.Found = true, "CAP_SYS_ADMIN stands for it"
	}
	if !f.OK {
		f.Found = "not in effect"
		f.Remedy = fmt.Sprintf("run as root, or: setcap %s+ep gotherm-agent", setcapList)
		switch c.bit {
		case unix.CAP_SYS_ADMIN:
			f.Remedy = "nothing to do where uprobe_multi is there; else run as root"
		case unix.CAP_DAC_READ_SEARCH:
			f.Remedy = "nothing to do without --port; else add cap_dac_read_search to those"
		}
	}
	return f
}

const setcapList = "cap_bpf,cap_perfmon,cap_sys_ptrace"

func effectiveCapabilities() (uint64, error) {
	status, err := os.Open("/proc/self/status")
	if err != nil {
		return 0, fmt.Errorf("read the agent's capabilities: %w", err)
	}
	defer status.Close()
	lines := bufio.NewScanner(status)
	for lines.Scan() {
		if hex, ok := strings.CutPrefix(lines.Text(), "CapEff:"); ok {
			caps, err := strconv.ParseUint(strings.TrimSpace(hex), 16, 64)
			if err != nil {
				return 0, fmt.Errorf("read the agent's capabilities: %w", err)
			}
			return caps, nil
		}
	}
	return 0, errors.New("read the agent's capabilities: no CapEff in /proc/self/status")
}

// lockdown forbids programs to read the kernel's memory or to write a
// process's. Ours do neither, so it is told and no more.
func lockdown() Finding {
	f := Finding{Name: "lockdown", For: "nothing: no program reads the kernel's memory or writes a process's", OK: true}
	text, err := os.ReadFile("/sys/kernel/security/lockdown")
	if err != nil {
		f.Found = "not in this kernel, or securityfs is not mounted"
		return f
	}
	_, rest, _ := strings.Cut(string(text), "[")
	f.Found, _, _ = strings.Cut(rest, "]")
	return f
}

func memlock() Finding {
	f := Finding{Name: "locked memory", For: "maps, on kernels before 5.11", OK: true, Required: true}
	if err := rlimit.RemoveMemlock(); err != nil {
		f.OK, f.Found = false, err.Error()
		f.Remedy = "ulimit -l unlimited (systemd: LimitMEMLOCK=infinity)"
		return f
	}
	f.Found = "not limited"
	return f
}

func kernelBTF() Finding {
	f := Finding{Name: "BTF", For: "oncpu, and what is seen at tracepoints", OK: true, Found: "/sys/kernel/btf/vmlinux"}
	if _, err := btf.LoadKernelSpec(); err != nil {
		f.OK, f.Found = false, err.Error()
		f.Remedy = "run a kernel with CONFIG_DEBUG_INFO_BTF"
	}
	return f
}

func feature(name, purpose string, required bool, err error, remedy string) Finding {
	f := Finding{Name: name, For: purpose, OK: err == nil, Required: required, Found: "there"}
	if err != nil {
		f.Found, f.Remedy = err.Error(), remedy
		if errors.Is(err, os.ErrPermission) {
			f.Found = "can't tell: " + err.Error()
			f.Remedy = "see the capabilities"
		}
	}
	return f
}

func uprobeMulti() Finding {
	return feature("uprobe_multi", "attaching all sites at once, without CAP_SYS_ADMIN", false,
		features.HaveBPFLinkUprobeMulti(), "run Linux 6.6 or newer; until then perf events are used")
}

// perfLinks opens a uprobe, without a program and for the agent itself only, at
// a place that is never executed.
func perfLinks() Finding {
	f := Finding{Name: "perf-event uprobes", For: "attaching where there is no uprobe_multi", Found: "there"}
	text, err := os.ReadFile("/sys/bus/event_source/devices/uprobe/type")
	if err != nil {
		f.Found, f.Remedy = err.Error(), "run a kernel with CONFIG_UPROBE_EVENTS and CONFIG_PERF_EVENTS"
		return f
	}
	kind, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 32)
	if err != nil {
		f.Found = err.Error()
		return f
	}
	err = openUprobe(uint32(kind))
	f.OK = err == nil
	if err != nil {
		f.Found = err.Error()
		f.Remedy = "run as root: since the fix of CVE-2025-38466 this needs CAP_SYS_ADMIN"
	}
	return f
}

// clockSampling opens the event that CPUs are sampled by, without a program.
func clockSampling() Finding {
	f := Finding{Name: "cpu-clock events", For: "oncpu", Found: "there"}
	cpus, err := online()
	if err == nil {
		var event int
		if event, err = openClock(cpus[0], 1); err == nil {
			err = unix.Close(event)
		}
	}
	f.OK = err == nil
	if err != nil {
		f.Found = err.Error()
		f.Remedy = "run a kernel with CONFIG_PERF_EVENTS, with CAP_PERFMON, and in a container whose seccomp profile allows perf_event_open"
	}
	return f
}

func openUprobe(kind uint32) error {
	file, err := os.Open("/proc/self/exe")
	if err != nil {
		return err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil {
		return err
	}
	path, err := unix.BytePtrFromString(fmt.Sprintf("/proc/self/fd/%d", file.Fd()))
	if err != nil {
		return err
	}
	attr := unix.PerfEventAttr{
		Type: kind,
		Size: uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Ext1: uint64(uintptr(unsafe.Pointer(path))),
		// The end of the file is not mapped as code, so no breakpoint is written.
		Ext2: uint64(info.Size() - 16),
	}
	fd, err := unix.PerfEventOpen(&attr, 0, -1, -1, unix.PERF_FLAG_FD_CLOEXEC)
	runtime.KeepAlive(path)
	if err != nil {
		return fmt.Errorf("open a uprobe perf event: %w", err)
	}
	return unix.Close(fd)
}

func paranoid() Finding {
	f := Finding{Name: "perf_event_paranoid", For: "perf-event uprobes", OK: true}
	text, err := os.ReadFile("/proc/sys/kernel/perf_event_paranoid")
	if err != nil {
		f.OK, f.Found = false, err.Error()
		return f
	}
	f.Found = strings.TrimSpace(string(text))
	level, err := strconv.Atoi(f.Found)
	if err != nil {
		f.OK, f.Found = false, err.Error()
		return f
	}
	if level >= 3 {
		f.OK = false
		f.Remedy = "sysctl kernel.perf_event_paranoid=2, or CAP_SYS_ADMIN; uprobe_multi does not mind"
	}
	return f
}
