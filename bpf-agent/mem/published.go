package mem

import (
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/instrument/memstats"
)

// exchange takes what a program has published, and hands back what was counted.
func (p *Poller) exchange(now time.Time, process *goproc.Process, slot *probe.Slot) {
	one, first := p.pins.of(process)
	if one.refused != nil {
		if first {
			p.log.Warn("the process can't publish its memory", "pid", process.PID, "reason", one.refused)
		}
		return
	}
	stats, err := one.published()
	if err != nil {
		p.log.Warn("what the process publishes is not taken any more", "pid", process.PID, "reason", err)
		if err := p.pins.drop(process); err != nil {
			p.log.Error("unpin", "pid", process.PID, "error", err)
		}
		p.pins.open[process] = &pinned{refused: err}
		return
	}
	if stats != nil {
		for name, value := range publishedValues(stats) {
			p.set(now, process, probe.MemStats+name, value)
		}
	}
	if slot == nil {
		return
	}
	tally, err := p.kernel.Tally(slot)
	if err != nil {
		p.log.Error("what was counted is not handed back", "pid", process.PID, "error", err)
		return
	}
	points := make([]memstats.Point, len(probe.Catalogue))
	for i := range points {
		points[i] = memstats.Point{Name: probe.Catalogue[i].Name, Hits: tally.Of[i].Hits, Sum: tally.Of[i].Sum}
	}
	if err := one.tell(now, points); err != nil {
		p.log.Error("what was counted is not handed back", "pid", process.PID, "error", err)
	}
}

func publishedValues(s *memstats.Stats) map[string]float64 {
	return map[string]float64{
		"total_alloc":     float64(s.TotalAlloc),
		"sys":             float64(s.Sys),
		"mallocs":         float64(s.Mallocs),
		"frees":           float64(s.Frees),
		"heap_alloc":      float64(s.HeapAlloc),
		"heap_sys":        float64(s.HeapSys),
		"heap_idle":       float64(s.HeapIdle),
		"heap_inuse":      float64(s.HeapInuse),
		"heap_released":   float64(s.HeapReleased),
		"heap_objects":    float64(s.HeapObjects),
		"stack_inuse":     float64(s.StackInuse),
		"gc_sys":          float64(s.GCSys),
		"next_gc":         float64(s.NextGC),
		"num_gc":          float64(s.NumGC),
		"pause_total":     float64(s.PauseTotalNs),
		"gc_cpu_fraction": s.GCCPUFraction,
	}
}
