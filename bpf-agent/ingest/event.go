package ingest

import (
	"fmt"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

const (
	eventSize     = int(unsafe.Sizeof(bpf.KernelEvent{}))
	longEventSize = int(unsafe.Sizeof(bpf.KernelLongEvent{}))
)

// extras are what a long event carries beside its value.
type extras = [len(bpf.KernelLongEvent{}.Extra)]uint64

// decode reads an event where it lies: the result is gone when the record is.
// extra is nil where the event carries none.
func decode(record []byte) (e *bpf.KernelEvent, extra *extras, err error) {
	if len(record) != eventSize && len(record) != longEventSize {
		return nil, nil, fmt.Errorf("event of %d bytes, must be %d or %d", len(record), eventSize, longEventSize)
	}
	if uintptr(unsafe.Pointer(&record[0]))%unsafe.Alignof(bpf.KernelEvent{}) != 0 {
		return nil, nil, fmt.Errorf("event is not aligned to %d bytes", unsafe.Alignof(bpf.KernelEvent{}))
	}
	e = (*bpf.KernelEvent)(unsafe.Pointer(&record[0]))
	if int(e.Key.Point) >= len(probe.Catalogue) {
		return nil, nil, fmt.Errorf("event of point %d, the catalogue has %d", e.Key.Point, len(probe.Catalogue))
	}
	if len(record) == longEventSize {
		extra = &(*bpf.KernelLongEvent)(unsafe.Pointer(e)).Extra
	}
	return e, extra, nil
}
