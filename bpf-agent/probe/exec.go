package probe

import (
	"encoding/binary"
	"errors"
	"fmt"
	"sync"

	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// execProgram is the one program that feeds no measurement point.
const execProgram = "exec_notice"

// execWatch calls back with the pid of each process that calls exec, as soon as
// it has: bpf/exec.bpf.c. When that can't be had, scans see processes later.
type execWatch struct {
	link    link.Link
	reader  *ringbuf.Reader
	reading sync.WaitGroup
}

// watchExecs calls noticed, which must not block, until the watch is stopped.
func (k *Kernel) watchExecs(noticed func(pid int)) (*execWatch, error) {
	reader, err := ringbuf.NewReader(k.collection.Maps[bpf.KernelMapExecs])
	if err != nil {
		return nil, fmt.Errorf("read the ring of execs: %w", err)
	}
	l, err := link.AttachRawTracepoint(link.RawTracepointOptions{
		Name: "sched_process_exec", Program: k.collection.Programs[execProgram],
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("attach %s: %w", execProgram, err), reader.Close())
	}
	w := &execWatch{link: l, reader: reader}
	w.reading.Go(func() {
		var record ringbuf.Record
		for reader.ReadInto(&record) == nil { // fails when it is closed
			if len(record.RawSample) >= 4 {
				noticed(int(binary.NativeEndian.Uint32(record.RawSample)))
			}
		}
	})
	return w, nil
}

func (w *execWatch) stop() error {
	err := errors.Join(w.link.Close(), w.reader.Close())
	w.reading.Wait()
	if err != nil {
		return fmt.Errorf("detach %s: %w", execProgram, err)
	}
	return nil
}
