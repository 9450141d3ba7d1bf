package ingest

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

func BenchmarkTake(b *testing.B) {
	program := target.Start(b, target.Build(b, ""))
	a := watch(b, probe.Options{}, program.PID())
	a.flush()
	for _, goid := range []uint64{0, 17} {
		b.Run(map[uint64]string{0: "plain", 17: "goroutine"}[goid], func(b *testing.B) {
			events := a.latencies(goid)
			for n := 0; b.Loop(); n++ {
				a.ingest.take(recordOf(&events[n%64]))
			}
		})
	}
}

// latencies are events of the process that an agent watches.
func (a *agent) latencies(goid uint64) *[64]bpf.KernelEvent {
	var events [64]bpf.KernelEvent
	for i := range events {
		events[i] = bpf.KernelEvent{
			Key:  bpf.KernelKey{Node: 1, Function: uint32(i % 16), Slot: a.kernel.Slots()[0].Number, Point: uint8(bpf.KernelPointSCHED_LATENCY)},
			Time: uint64(time.Now().UnixNano() - a.ingest.monotonicToWall), Value: 1000 * uint64(i), Goid: goid,
		}
	}
	return &events
}

func recordOf(e *bpf.KernelEvent) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e))
}

// BenchmarkTail says what an event costs to take while somebody looks at those
// of another point, or at these, over what it costs while nobody does. It is
// measured in turns, so that a noisy machine is noisy to all.
func BenchmarkTail(b *testing.B) {
	program := target.Start(b, target.Build(b, ""))
	a := watch(b, probe.Options{}, program.PID())
	program.Freeze()
	defer program.Thaw()
	a.flush()
	const (
		turns     = 40
		events    = 200_000 // what comes in 100 ms, of two million a second
		rate      = 10_000
		here      = "sched.latency"
		elsewhere = "gc.stw"
	)
	measure := func(pom string) time.Duration {
		some := a.latencies(17)
		var tail *Tail
		if pom != "" {
			tail = a.tail(pom, rate)
			defer tail.Close()
			tail.from = time.Now()
		}
		begin := time.Now()
		for n := range events {
			a.ingest.take(recordOf(&some[n%64]))
		}
		if tail != nil {
			tail.end(tail.from.Add(tailPeriod))
		}
		return time.Since(begin)
	}
	spent := map[string]time.Duration{}
	for turn := range turns {
		for _, pom := range []string{"", elsewhere, here} {
			if took := measure(pom); turn > 0 { // the first warms up
				spent[pom] += took
			}
		}
	}
	report := func(name string, value float64) {
		fmt.Printf("%s %.4g\n", name, value)
		b.ReportMetric(value, name)
	}
	report("tail_ns_per_event", float64(spent[here])/(turns-1)/events)
	report("tail_ratio", float64(spent[here])/float64(spent[""]))
	report("tail_elsewhere_ratio", float64(spent[elsewhere])/float64(spent[""]))
}
