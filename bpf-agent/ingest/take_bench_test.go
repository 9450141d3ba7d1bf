package ingest

import (
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
	slot := a.kernel.Slots()[0]
	for _, goid := range []uint64{0, 17} {
		b.Run(map[uint64]string{0: "plain", 17: "goroutine"}[goid], func(b *testing.B) {
			events := make([]bpf.KernelEvent, 64)
			for i := range events {
				events[i] = bpf.KernelEvent{
					Key:  bpf.KernelKey{Node: 1, Function: uint32(i % 16), Slot: slot.Number, Point: uint8(bpf.KernelPointSCHED_LATENCY)},
					Time: uint64(time.Now().UnixNano() - a.ingest.monotonicToWall), Value: 1000 * uint64(i), Goid: goid,
				}
			}
			for n := 0; b.Loop(); n++ {
				e := &events[n%64]
				a.ingest.take(unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e)))
			}
		})
	}
}
