package probe

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/features"
	"github.com/cilium/ebpf/rlimit"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/heat"
)

// MaxSlots is how many processes can be watched at once.
const MaxSlots = 256

// DefaultRateLimit is the least time between two carried events of a point of a process.
const DefaultRateLimit = 100 * time.Microsecond

// DefaultScanBatch is how many counters are read at once.
const DefaultScanBatch = 64

// Options for loading. The zero value is what an agent wants.
type Options struct {
	// PerfLinks attaches by perf events, one for each site, as kernels before
	// 6.6 must, even where uprobe_multi is there.
	PerfLinks bool
	// MaxCounters is how many series and buckets are counted in the kernel; 0
	// lets the number of CPUs decide.
	MaxCounters uint32
	// SampleRate is how often CPUs are sampled, in hertz; 0 is [DefaultSampleRate].
	SampleRate uint64
}

// Kernel owns the loaded programs and their maps. All of it goes when it is
// closed or when the agent dies: nothing is pinned.
type Kernel struct {
	// What package ingest reads.
	Events, Heat, Coarse, Tallies *ebpf.Map

	collection *ebpf.Collection
	perfLinks  bool
	sampleRate uint64
	// missing says why a program is not loaded, by its name.
	missing map[string]error

	slots [MaxSlots]atomic.Pointer[Slot]
	mu    sync.Mutex // held while slots and files change
	// files numbers the files that processes run, for the cookies of links.
	files    map[goproc.BinaryID]uint64
	lastFile uint64
}

// countersMemory bounds what the per-CPU counters take.
const countersMemory = 32 << 20

// Load loads the programs into the kernel. [Doctor] explains an error.
func Load(options Options) (*Kernel, error) {
	if err := inHostPIDNamespace(); err != nil {
		return nil, err
	}
	restore, err := beDumpable()
	if err != nil {
		return nil, err
	}
	defer restore()
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("raise the limit of locked memory: %w", err)
	}
	spec, err := bpf.LoadKernel()
	if err != nil {
		return nil, fmt.Errorf("read compiled programs: %w", err)
	}
	perfLinks := options.PerfLinks || features.HaveBPFLinkUprobeMulti() != nil
	if perfLinks {
		for _, p := range spec.Programs {
			if p.AttachType == ebpf.AttachTraceUprobeMulti {
				p.AttachType = ebpf.AttachNone
			}
		}
	}
	missing, err := leaveOut(spec)
	if err != nil {
		return nil, err
	}
	if err := spec.Variables[bpf.KernelVarBounds].Set(paddedBounds()); err != nil {
		return nil, fmt.Errorf("write bucket bounds: %w", err)
	}
	if err := spec.Variables[bpf.KernelVarSendsSeen].Set(missing[bpf.KernelProgTcpSending] == nil); err != nil {
		return nil, fmt.Errorf("write whether sends are seen: %w", err)
	}
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return nil, fmt.Errorf("count possible CPUs: %w", err)
	}
	entries := options.MaxCounters
	if entries == 0 {
		entries = uint32(min(max(countersMemory/(16*cpus), 4096), 65536))
	}
	spec.Maps[bpf.KernelMapHeat].MaxEntries = entries

	collection, err := ebpf.NewCollection(spec)
	if err != nil {
		return nil, fmt.Errorf("load programs: %w", err)
	}
	return &Kernel{
		Events:     collection.Maps[bpf.KernelMapEvents],
		Heat:       collection.Maps[bpf.KernelMapHeat],
		Coarse:     collection.Maps[bpf.KernelMapCoarse],
		Tallies:    collection.Maps[bpf.KernelMapTallies],
		collection: collection,
		perfLinks:  perfLinks,
		sampleRate: cmp.Or(options.SampleRate, DefaultSampleRate),
		missing:    missing,
		files:      map[goproc.BinaryID]uint64{},
	}, nil
}

// leaveOut takes out of a spec the programs that need what this kernel does not
// have: a tracepoint, or its types at all. It says so of each by name.
func leaveOut(spec *ebpf.CollectionSpec) (map[string]error, error) {
	missing := map[string]error{}
	types, noTypes := btf.LoadKernelSpec()
	for name, p := range spec.Programs {
		if p.Type != ebpf.PerfEvent && (p.Type != ebpf.Tracing || p.AttachType != ebpf.AttachTraceRawTp) {
			continue
		}
		if noTypes != nil {
			missing[name] = fmt.Errorf("read the kernel's types: %w", noTypes)
			delete(spec.Programs, name)
			continue
		}
		if p.Type == ebpf.PerfEvent {
			continue
		}
		var tracepoint *btf.Typedef
		if err := types.TypeByName("btf_trace_"+p.AttachTo, &tracepoint); errors.Is(err, btf.ErrNotFound) {
			missing[name] = fmt.Errorf("this kernel has no tracepoint %s", p.AttachTo)
			delete(spec.Programs, name)
		} else if err != nil {
			return nil, fmt.Errorf("look for tracepoint %s: %w", p.AttachTo, err)
		}
	}
	return missing, nil
}

// Close unloads all. Closing twice is safe.
func (k *Kernel) Close() error {
	k.collection.Close()
	return nil
}

// paddedBounds is heat.Bounds as the programs search it: a power of two long,
// and nothing lies over the bounds that are not there.
func paddedBounds() (b [256]uint64) {
	for i := range b {
		b[i] = ^uint64(0)
	}
	copy(b[:], heat.Bounds[:])
	return b
}

// The inode number of the first PID namespace: PROC_PID_INIT_INO of the
// kernel's include/linux/proc_ns.h.
const hostPIDNamespace = "pid:[4026531836]"

// inHostPIDNamespace makes sure that the process ids that the programs see are
// those that the agent sees.
func inHostPIDNamespace() error {
	ns, err := os.Readlink("/proc/self/ns/pid")
	if err != nil {
		return fmt.Errorf("read the agent's PID namespace: %w", err)
	}
	if ns != hostPIDNamespace {
		return errors.New("the agent is in a PID namespace of its own, so it can't tell which process a probe fires in")
	}
	return nil
}

// Slot is the place of a process in the kernel's maps.
type Slot struct {
	Number  uint8
	Process *goproc.Process

	config    bpf.KernelProcess
	serving   bpf.KernelServing
	retired   atomic.Int64
	scanBatch atomic.Uint32
}

// Retired says since when the process is not watched any more; zero while it is.
func (s *Slot) Retired() time.Time {
	if ns := s.retired.Load(); ns != 0 {
		return time.Unix(0, ns)
	}
	return time.Time{}
}

// Slot returns the slot of a number, nil when nobody has it.
func (k *Kernel) Slot(number uint8) *Slot { return k.slots[number].Load() }

// Slots returns the slots in use, also those that were retired but still hold counts.
func (k *Kernel) Slots() (used []*Slot) {
	for i := range k.slots {
		if s := k.slots[i].Load(); s != nil {
			used = append(used, s)
		}
	}
	return used
}

// admit gives a process a slot. None of its points is wanted yet.
func (k *Kernel) admit(p *goproc.Process) (*Slot, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	for i := range k.slots {
		if k.slots[i].Load() != nil {
			continue
		}
		offsets := p.Binary.Offsets
		s := &Slot{Number: uint8(i), Process: p, config: bpf.KernelProcess{
			File:        k.file(p.Binary.ID),
			Text:        p.Binary.Functions.Text() + p.LoadBias,
			RateLimitNs: uint64(DefaultRateLimit),
			G_m:         offsets.GM,
			G_goid:      offsets.GGoid,
			G_startpc:   offsets.GStartpc,
			G_labels:    offsets.GLabels,
			Labels:      uint32(labelLayout(p.Binary)),
			M_curg:      offsets.MCurg,
			M_p:         offsets.MP,
			P_id:        offsets.PID,
		}}
		s.scanBatch.Store(DefaultScanBatch)
		// Where the code does not tell, no point that needs it is attached.
		if tls, err := p.Binary.TLSOffset(); err == nil {
			s.config.TlsG = int32(tls)
		}
		if offsets.TimeToRun != 0 {
			s.config.TimeToRun = offsets.TimeToRun + p.LoadBias
		}
		if err := k.configure(s); err != nil {
			return nil, err
		}
		for _, f := range families {
			if f.admit == nil {
				continue
			}
			if err := f.admit(k, s); err != nil {
				return nil, err
			}
		}
		k.slots[i].Store(s)
		if err := k.collection.Maps[bpf.KernelMapSlots].Put(uint32(p.PID), uint32(i)); err != nil {
			k.slots[i].Store(nil)
			return nil, fmt.Errorf("note process %d as watched: %w", p.PID, err)
		}
		return s, nil
	}
	return nil, fmt.Errorf("all %d slots for processes are in use", MaxSlots)
}

// file numbers a file. Numbers begin with 1: no cookie is 0.
func (k *Kernel) file(id goproc.BinaryID) uint64 {
	n, ok := k.files[id]
	if !ok {
		k.lastFile++
		n = k.lastFile
		k.files[id] = n
	}
	return n
}

// forgetFile forgets the number of the file that a slot's process ran, when no
// other slot has it: then there is no link on it either.
func (k *Kernel) forgetFile(s *Slot) {
	for _, other := range k.Slots() {
		if other != s && other.config.File == s.config.File {
			return
		}
	}
	delete(k.files, s.Process.Binary.ID)
}

func (k *Kernel) configure(s *Slot) error {
	if err := k.collection.Maps[bpf.KernelMapProcesses].Put(uint32(s.Number), &s.config); err != nil {
		return fmt.Errorf("configure process %d: %w", s.Process.PID, err)
	}
	return nil
}

// want switches the counting of a point on or off. The link may be there for
// another process that runs the same file.
func (k *Kernel) want(s *Slot, point int, on bool) error {
	if on {
		for _, f := range families {
			if f.first != nil && f.points&(1<<point) != 0 && s.config.Points&f.points == 0 {
				if err := f.first(k, s); err != nil {
					return err
				}
			}
		}
		s.config.Points |= 1 << point
	} else {
		s.config.Points &^= 1 << point
	}
	return k.configure(s)
}

// retire ends the watching of a process. What was counted stays until [Kernel.Free].
func (k *Kernel) retire(s *Slot) error {
	s.config.Points = 0
	err := k.configure(s)
	if e := k.collection.Maps[bpf.KernelMapSlots].Delete(uint32(s.Process.PID)); e != nil && !errors.Is(e, ebpf.ErrKeyNotExist) {
		err = errors.Join(err, fmt.Errorf("forget process %d: %w", s.Process.PID, e))
	}
	s.retired.Store(time.Now().UnixNano())
	return err
}

// Free lets another process have a retired slot. Whoever calls it has taken
// everything out of the maps that it wants, and deleted the slot's keys of Heat.
func (k *Kernel) Free(s *Slot) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	cpus, err := ebpf.PossibleCPU()
	if err != nil {
		return fmt.Errorf("count possible CPUs: %w", err)
	}
	err = errors.Join(
		k.put(bpf.KernelMapTallies, s, make([]bpf.KernelSlotTallies, cpus)),
		k.put(bpf.KernelMapPacing, s, &bpf.KernelLastCarried{}),
		k.put(bpf.KernelMapPulses, s, make([]bpf.KernelPulse, cpus)),
		k.forgetWords(s),
	)
	for _, f := range families {
		if f.clear != nil {
			err = errors.Join(err, f.clear(k, s))
		}
	}
	for point := range Catalogue {
		if e := k.Coarse.Put(CoarseIndex(s.Number, point), &bpf.KernelCoarseCount{}); e != nil {
			err = errors.Join(err, fmt.Errorf("empty coarse counts of slot %d: %w", s.Number, e))
		}
	}
	if err != nil {
		return err
	}
	k.forgetFile(s)
	k.slots[s.Number].Store(nil)
	return nil
}

// put writes what a map that is indexed by slots has of one.
func (k *Kernel) put(name string, s *Slot, value any) error {
	if err := k.collection.Maps[name].Put(uint32(s.Number), value); err != nil {
		return fmt.Errorf("write %s of slot %d: %w", name, s.Number, err)
	}
	return nil
}

// maxPoints is MAX_POINTS of the programs.
const maxPoints = len(bpf.KernelSlotTallies{}.Of)

// CoarseIndex is where the coarse counts of a slot's point are.
func CoarseIndex(slot uint8, point int) uint32 { return uint32(slot)*uint32(maxPoints) + uint32(point) }

// Tally returns how a slot's hits of each point have been accounted, and how
// often each program has run, over all CPUs.
func (k *Kernel) Tally(s *Slot) (total bpf.KernelSlotTallies, err error) {
	var perCPU []bpf.KernelSlotTallies
	if err := k.Tallies.Lookup(uint32(s.Number), &perCPU); err != nil {
		return total, fmt.Errorf("read tallies of slot %d: %w", s.Number, err)
	}
	for i := range perCPU {
		for point := range perCPU[i].Of {
			one, sum := &perCPU[i].Of[point], &total.Of[point]
			sum.Hits += one.Hits
			sum.Carried += one.Carried
			sum.Counted += one.Counted
			sum.Coarse += one.Coarse
			sum.Sum += one.Sum
		}
		for program, n := range perCPU[i].Runs {
			total.Runs[program] += n
		}
	}
	return total, nil
}
