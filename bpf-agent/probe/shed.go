package probe

import (
	"fmt"
	"slices"
	"time"

	"github.com/cilium/ebpf"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// What package pacer sees of the watcher, and does to it. A link is on a file,
// and traps all processes that run it, so points are shed and restored by file.

// Watched is a process that has a slot.
type Watched struct {
	Process *goproc.Process
	Slot    *Slot
	// Points are by their number in the catalogue, without their hits.
	Points []PointStatus
}

// Watched lists the processes that are watched, by pid.
func (w *Watcher) Watched() []Watched {
	var list []Watched
	for _, n := range w.snapshot() {
		if n.slot == nil {
			continue
		}
		one := Watched{Process: n.process, Slot: n.slot, Points: make([]PointStatus, len(Catalogue))}
		w.mu.Lock()
		for i, a := range n.points {
			one.Points[i] = PointStatus{Name: Catalogue[i].Name, State: a.state, Reason: a.reason, Until: a.until}
		}
		w.mu.Unlock()
		list = append(list, one)
	}
	return list
}

// Shedding is a point to detach, by its number, and why.
type Shedding struct {
	Point  int
	Reason string
}

// Shed detaches points from all processes that run a file, until
// [Watcher.Restore] or until what was asked for a while is over.
func (w *Watcher) Shed(file goproc.BinaryID, what []Shedding) {
	w.changing.Lock()
	defer w.changing.Unlock()
	var unused []*sharedLink
	for _, n := range w.running(file) {
		for _, s := range what {
			if n.points[s.Point].state != Attached {
				continue
			}
			unused = append(unused, w.drop(n, s.Point)...)
			w.set(n, s.Point, attached{state: Shed, reason: s.Reason, until: n.points[s.Point].until})
		}
	}
	w.close(unused)
}

// Restore attaches a point again that was shed.
func (w *Watcher) Restore(file goproc.BinaryID, point int) {
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, n := range w.running(file) {
		a := n.points[point]
		if a.state != Shed {
			continue
		}
		closed, err := w.resume(n, point)
		if err != nil {
			w.set(n, point, attached{state: Refused, reason: err.Error()})
			w.log.Warn("point refused", "pid", n.process.PID, "pom", Catalogue[point].Name, "reason", err)
			continue
		}
		w.set(n, point, attached{state: Attached, until: a.until, closed: closed})
	}
}

// running lists the processes with slots that run a file.
func (w *Watcher) running(file goproc.BinaryID) []*watched {
	return slices.DeleteFunc(w.snapshot(), func(n *watched) bool { return n.slot == nil || n.process.Binary.ID != file })
}

// shedOn says why a point is shed on a file; "" when it is not.
func (w *Watcher) shedOn(file goproc.BinaryID, point int) string {
	for _, n := range w.running(file) {
		if a := n.points[point]; a.state == Shed {
			return a.reason
		}
	}
	return ""
}

// ProgramType is the type of a loaded program; [ebpf.UnspecifiedProgram] of one
// that this kernel can't have.
func (k *Kernel) ProgramType(program string) ebpf.ProgramType {
	if p := k.collection.Programs[program]; p != nil {
		return p.Type()
	}
	return ebpf.UnspecifiedProgram
}

// Pulse returns how a slot's scheduling events have followed each other, over
// all CPUs; see bpf/pulse.h.
func (k *Kernel) Pulse(s *Slot) (total bpf.KernelPulse, err error) {
	var perCPU []bpf.KernelPulse
	if err := k.collection.Maps[bpf.KernelMapPulses].Lookup(uint32(s.Number), &perCPU); err != nil {
		return total, fmt.Errorf("read the pulse of slot %d: %w", s.Number, err)
	}
	for i := range perCPU {
		total.Waited += perCPU[i].Waited
		for gap, n := range perCPU[i].Gaps {
			total.Gaps[gap] += n
		}
	}
	return total, nil
}

// ScanBatch is how many counters are read at once while this process is the
// hottest that has any.
func (s *Slot) ScanBatch() int { return int(s.scanBatch.Load()) }

// SetPace sets the least time between two carried events of a point of a
// process, and how many counters are read at once.
func (w *Watcher) SetPace(p *goproc.Process, rateLimit time.Duration, scanBatch int) error {
	if err := w.SetRateLimit(p, rateLimit); err != nil {
		return err
	}
	w.changing.Lock()
	defer w.changing.Unlock()
	if n := w.processes[p.PID]; n != nil && n.slot != nil {
		n.slot.scanBatch.Store(uint32(scanBatch))
	}
	return nil
}
