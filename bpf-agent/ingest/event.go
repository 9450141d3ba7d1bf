package ingest

import (
	"fmt"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// decode reads an event where it lies: the result is gone when the record is.
func decode(record []byte) (*bpf.KernelEvent, error) {
	if len(record) != int(unsafe.Sizeof(bpf.KernelEvent{})) {
		return nil, fmt.Errorf("event of %d bytes, must be %d", len(record), unsafe.Sizeof(bpf.KernelEvent{}))
	}
	if uintptr(unsafe.Pointer(&record[0]))%unsafe.Alignof(bpf.KernelEvent{}) != 0 {
		return nil, fmt.Errorf("event is not aligned to %d bytes", unsafe.Alignof(bpf.KernelEvent{}))
	}
	e := (*bpf.KernelEvent)(unsafe.Pointer(&record[0]))
	if int(e.Key.Point) >= len(probe.Catalogue) {
		return nil, fmt.Errorf("event of point %d, the catalogue has %d", e.Key.Point, len(probe.Catalogue))
	}
	return e, nil
}
