package probe

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"strconv"
	"strings"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// DefaultSampleRate is how often programs that sample run on each CPU, in
// hertz. At some microseconds a run, that is less than a thousandth of a CPU;
// it is no divisor of what timers do, so that it does not fall in step with them.
const DefaultSampleRate = 99

// onlineCPUs is the kernel's list of the CPUs that run: "0-3,8".
const onlineCPUs = "/sys/devices/system/cpu/online"

// sampler runs a program on each CPU that is online, at a steady rate of a
// software clock: there is no counter of the processor's that may be missing,
// or in use. A perf event goes for good when its CPU does, so [sampler.follow]
// is to be called from time to time.
type sampler struct {
	program *ebpf.Program
	rate    uint64
	links   map[int]link.Link
}

// follow begins on CPUs that are new, and ends on those that are gone.
func (s *sampler) follow(online []int) error {
	gone := maps.Clone(s.links)
	var new []int
	for _, cpu := range online {
		if s.links[cpu] == nil {
			new = append(new, cpu)
		}
		delete(gone, cpu)
	}
	var errs []error
	for cpu, l := range gone {
		errs = append(errs, l.Close())
		delete(s.links, cpu)
	}
	for i, cpu := range new {
		// CPUs take turns over a period: if they all ran at once, of a process
		// that has two of them only one event would be due.
		if i > 0 {
			time.Sleep(time.Second / time.Duration(s.rate) / time.Duration(len(new)))
		}
		l, err := s.sample(cpu)
		// Went offline since.
		if errors.Is(err, unix.ENODEV) {
			continue
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("sample CPU %d: %w", cpu, err))
			continue
		}
		s.links[cpu] = l
	}
	return errors.Join(errs...)
}

func (s *sampler) sample(cpu int) (link.Link, error) {
	event, err := openClock(cpu, s.rate)
	if err != nil {
		return nil, err
	}
	// The link keeps the event.
	defer unix.Close(event)
	l, err := link.AttachRawLink(link.RawLinkOptions{Target: event, Program: s.program, Attach: ebpf.AttachPerfEvent})
	if err != nil {
		return nil, err
	}
	return l, nil
}

// openClock opens an event that fires rate times a second on a CPU, except
// while that has nothing to do.
func openClock(cpu int, rate uint64) (fd int, err error) {
	return unix.PerfEventOpen(&unix.PerfEventAttr{
		Type:   unix.PERF_TYPE_SOFTWARE,
		Config: unix.PERF_COUNT_SW_CPU_CLOCK,
		Size:   uint32(unsafe.Sizeof(unix.PerfEventAttr{})),
		Sample: rate,
		Bits:   unix.PerfBitFreq | unix.PerfBitExcludeIdle,
	}, -1, cpu, -1, unix.PERF_FLAG_FD_CLOEXEC)
}

// Close ends it on all CPUs. Closing twice is safe.
func (s *sampler) Close() error {
	return s.follow(nil)
}

func online() ([]int, error) {
	text, err := os.ReadFile(onlineCPUs)
	if err != nil {
		return nil, fmt.Errorf("read which CPUs are online: %w", err)
	}
	cpus, err := parseCPUs(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %s: %w", onlineCPUs, err)
	}
	return cpus, nil
}

// maxCPUs is more than a kernel can be built for.
const maxCPUs = 1 << 16

// parseCPUs reads a list of the kernel's, such as "0-3,8".
func parseCPUs(list string) (cpus []int, err error) {
	for part := range strings.SplitSeq(strings.TrimSpace(list), ",") {
		first, last, isRange := strings.Cut(part, "-")
		if !isRange {
			last = first
		}
		from, err := strconv.ParseUint(first, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("CPUs are %q: %w", list, err)
		}
		to, err := strconv.ParseUint(last, 10, 32)
		if err != nil {
			return nil, fmt.Errorf("CPUs are %q: %w", list, err)
		}
		if to < from || to >= maxCPUs {
			return nil, fmt.Errorf("CPUs are %q, must ascend and be less than %d", list, maxCPUs)
		}
		for cpu := from; cpu <= to; cpu++ {
			cpus = append(cpus, int(cpu))
		}
	}
	return cpus, nil
}
