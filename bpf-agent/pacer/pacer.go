// Package pacer holds what watching costs a process inside a budget: it
// measures what a run of a program costs on this machine, adds up the runs,
// has the dearest points detached when they cost too much, and brings them
// back when they fit. It also says how hot a process is, which sets how much
// is carried of it.
package pacer

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// The street: this is what moves from right to left on it, the throttle. Runs
// are counted in bpf-agent/bpf/gotherm.h; what is shed is detached in
// bpf-agent/probe/shed.go.

const (
	// period is how often accounts are looked at: a storm does not run for longer.
	period = 100 * time.Millisecond
	// second is how often heat and gauges are taken.
	second = time.Second
	// mergedPeriod is how often it is asked how much KSM has merged.
	mergedPeriod = 10 * time.Second
)

// Cost is what watching costs a process.
type Cost struct {
	// Ratio is of the CPU time that the process uses, over the last 5 s.
	Ratio  float64
	Budget Budget
	// Total is CPU time since it is watched.
	Total time.Duration
	// RunsPerSecond are of programs, over the last second, and CPUs are those
	// that the process used in it.
	RunsPerSecond, CPUs float64
	Class               Class
	RateLimit           time.Duration
	ScanBatch           int
}

// Pacer is the loop. It is the one who sheds.
type Pacer struct {
	kernel  *probe.Kernel // nil when nothing can be attached
	watcher *probe.Watcher
	gauges  *heat.Gauges
	log     *slog.Logger
	budget  Budget
	costs   Costs

	control *control
	pulses  map[*goproc.Process]*heartbeat

	mu   sync.Mutex
	cost map[*goproc.Process]Cost
	// gone is what watching has cost processes that are not watched any more.
	gone time.Duration
}

// heartbeat is the pulse of a process, and what was made of it.
type heartbeat struct {
	pulse
	activity
	pace   pace
	merged float64
	asked  time.Time // when merged was
}

// New returns a pacer that has held nothing yet. It calibrates: that takes a
// tenth of a second.
func New(k *probe.Kernel, w *probe.Watcher, gauges *heat.Gauges, budget Budget, log *slog.Logger) *Pacer {
	p := &Pacer{
		kernel: k, watcher: w, gauges: gauges, log: log, budget: budget, costs: assumed,
		pulses: map[*goproc.Process]*heartbeat{}, cost: map[*goproc.Process]Cost{},
	}
	if k == nil {
		return p
	}
	costs, err := Calibrate()
	if err != nil {
		log.Warn("what probes cost is assumed, not measured", "err", err)
	}
	p.costs = costs
	log.Info("cost of a program run", "measured", costs.Measured, "emulated", costs.Emulated, "stepped", costs.Stepped,
		"tracepoint", costs.Tracepoint, "sample", costs.Sample, "budget", budget)
	p.control = newControl(budget, pricedPoints(), p.prices())
	return p
}

// pricedPoints is the catalogue as the control sees it.
func pricedPoints() []priced {
	points := make([]priced, len(probe.Catalogue))
	for i, pt := range probe.Catalogue {
		points[i] = priced{name: pt.Name, tier: pt.Tier}
		for _, pr := range pt.Probes {
			points[i].programs = append(points[i].programs, probe.ProgramNumber(pr.Program))
		}
	}
	return points
}

// prices is what a run of each program costs, by its number. One that is at
// several kinds of places is priced for the dearest.
func (p *Pacer) prices() []time.Duration {
	prices := make([]time.Duration, len(bpf.KernelSlotTallies{}.Runs))
	for _, pt := range probe.Catalogue {
		for _, pr := range pt.Probes {
			n := probe.ProgramNumber(pr.Program)
			prices[n] = max(prices[n], p.costs.of(pr, p.kernel.ProgramType(pr.Program)))
		}
	}
	return prices
}

// Run holds the budget until ctx is done.
func (p *Pacer) Run(ctx context.Context) error {
	if p.kernel == nil {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(period)
	defer tick.Stop()
	var felt time.Time
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		now := time.Now()
		watched := p.watcher.Watched()
		usages := p.usages(watched)
		p.obey(p.control.look(now, usages))
		if now.Truncate(second) != felt {
			felt = now.Truncate(second)
			p.feel(now, usages)
		}
		p.publish(usages)
	}
}

// usages reads what the watched processes have used. One that is ending is left out.
func (p *Pacer) usages(watched []probe.Watched) []usage {
	usages := make([]usage, 0, len(watched))
	for _, w := range watched {
		cpu, err := cpuClock(processClock(w.Process.PID))
		if err != nil {
			continue
		}
		tally, err := p.kernel.Tally(w.Slot)
		if err != nil {
			p.log.Error("what watching costs is not known", "pid", w.Process.PID, "error", err)
			continue
		}
		usages = append(usages, usage{
			process: w.Process, slot: w.Slot, cpu: cpu, runs: tally.Runs[:], points: w.Points,
			events: tally.Of[bpf.KernelPointSCHED_LATENCY].Hits,
		})
	}
	return usages
}

// processClock is the id of the CPU clock of another process, as
// clock_getcpuclockid(3) makes it of a pid.
func processClock(pid int) int32 {
	const cpuclockSched = 2
	return int32(^pid<<3 | cpuclockSched)
}

func (p *Pacer) obey(orders []order) {
	for _, o := range orders {
		if o.shed != nil {
			for _, s := range o.shed {
				p.log.Info("shed", "pom", probe.Catalogue[s.Point].Name, "inode", o.file.Inode, "reason", s.Reason)
			}
			p.watcher.Shed(o.file, o.shed)
		}
		for _, point := range o.restore {
			p.log.Info("brought back", "pom", probe.Catalogue[point].Name, "inode", o.file.Inode)
			p.watcher.Restore(o.file, point)
		}
	}
}

// feel takes the heat of each process, and paces it.
func (p *Pacer) feel(now time.Time, usages []usage) {
	alive := map[*goproc.Process]bool{}
	var processes []*goproc.Process
	var pulses []*pulse
	for _, u := range usages {
		h := p.pulses[u.process]
		if h == nil {
			h = &heartbeat{pace: pace{probe.DefaultRateLimit, probe.DefaultScanBatch}}
			p.pulses[u.process] = h
		}
		alive[u.process] = true
		kernel, err := p.kernel.Pulse(u.slot)
		if err != nil {
			p.log.Error("pulse not felt", "pid", u.process.PID, "error", err)
			continue
		}
		if now.Sub(h.asked) >= mergedPeriod {
			h.asked, h.merged = now, mergedShare(u.process.PID)
		}
		state := u.points[bpf.KernelPointSCHED_LATENCY].State
		h.activity = h.feel(now, beat{
			events: u.events, waited: time.Duration(kernel.Waited), gaps: kernel.Gaps, cpu: u.cpu, merged: h.merged,
			felt: state == probe.Attached || state == probe.Firing,
		})
		if state == probe.Shed {
			h.class = Hot // it was too busy to be watched
		}
		if want := paceOf(h.class, h.entropy); want != h.pace {
			if err := p.watcher.SetPace(u.process, want.rateLimit, want.scanBatch); err == nil {
				h.pace = want // one that is gone meanwhile needs none
			}
		}
		processes, pulses = append(processes, u.process), append(pulses, &h.pulse)
	}
	for i, c := range coupling(pulses) {
		h := p.pulses[processes[i]]
		h.coupling = c
		p.gauge(now, processes[i], probe.HeatRate, h.rate)
		p.gauge(now, processes[i], probe.HeatEntropy, h.entropy)
		p.gauge(now, processes[i], probe.HeatContention, h.contention)
		p.gauge(now, processes[i], probe.HeatCoupling, h.coupling)
		p.gauge(now, processes[i], probe.WatchCost, p.control.accounts[processes[i]].ratio())
		p.gauge(now, processes[i], probe.WatchBudget, float64(p.budget))
	}
	for process := range p.pulses {
		if !alive[process] {
			delete(p.pulses, process)
		}
	}
}

func (p *Pacer) gauge(now time.Time, process *goproc.Process, name string, value float64) {
	if math.IsNaN(value) {
		return
	}
	p.gauges.Set(heat.GaugeKey{
		Name: name, Process: process.ID, Service: process.Identity.Service, Version: process.Identity.Version,
	}, now, value)
}

// mergedShare is the share of a process's resident pages that KSM has merged;
// 0 where the kernel does not say.
func mergedShare(pid int) float64 {
	merged, err := os.ReadFile(fmt.Sprintf("/proc/%d/ksm_merging_pages", pid))
	if err != nil {
		return 0
	}
	pages, err := strconv.ParseFloat(strings.TrimSpace(string(merged)), 64)
	if err != nil || pages == 0 {
		return 0
	}
	statm, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", pid))
	if err != nil {
		return 0
	}
	var size, resident float64
	if _, err := fmt.Sscan(string(statm), &size, &resident); err != nil || resident == 0 {
		return 0
	}
	return pages / resident
}

// publish lets others see what watching costs now.
func (p *Pacer) publish(usages []usage) {
	p.mu.Lock()
	defer p.mu.Unlock()
	before := p.cost
	p.cost = make(map[*goproc.Process]Cost, len(usages))
	for _, u := range usages {
		a, h := p.control.accounts[u.process], p.pulses[u.process]
		if h == nil {
			continue // not felt yet
		}
		c := Cost{
			Ratio: a.ratio(), Budget: p.budget, Total: a.spent,
			Class: h.class, RateLimit: h.pace.rateLimit, ScanBatch: h.pace.scanBatch,
		}
		c.RunsPerSecond, c.CPUs = a.recent()
		p.cost[u.process] = c
		delete(before, u.process)
	}
	for _, c := range before {
		p.gone += c.Total
	}
}

// Of returns what watching costs a process; false when it is not watched.
func (p *Pacer) Of(process *goproc.Process) (Cost, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	c, ok := p.cost[process]
	return c, ok
}

// Overall returns what watching costs all processes together. Total is also of
// those that are gone.
func (p *Pacer) Overall() Cost {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := Cost{Budget: p.budget, Total: p.gone}
	for _, c := range p.cost {
		all.Ratio += c.Ratio * c.CPUs
		all.CPUs += c.CPUs
		all.Total += c.Total
		all.RunsPerSecond += c.RunsPerSecond
	}
	if all.CPUs > 0 {
		all.Ratio /= all.CPUs
	}
	return all
}

// Costs is what a run of a program costs.
func (p *Pacer) Costs() Costs { return p.costs }
