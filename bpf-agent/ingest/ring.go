package ingest

import (
	"errors"
	"fmt"
	"os"
	"sync/atomic"
	"unsafe"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"
)

// ring reads a BPF ring buffer in place. It is here because cilium/ebpf's
// reader copies each record; when a release of it has one that does not, this
// file goes.
//
//	consumer page | producer page | data ........ |
//	   we write     kernel writes   a record: length and flags (u32), page (u32), bytes, padded to 8
//
// Positions count bytes since the beginning and never wrap. The kernel offers
// the data twice in a row, so that a record that wraps around is whole in
// memory. It is mapped once, for what is mapped twice counts twice as resident
// memory: the record that wraps around is copied.
type ring struct {
	consumerPage, producerPages []byte

	consumed, produced *uint64
	data               []byte
	mask               uint64
	// wrapped holds the last record that wrapped around.
	wrapped []byte
}

const (
	// giveBack is after how many bytes read writers may have them again.
	giveBack = 16 << 10

	recordHeader  = 8
	recordBusy    = 1 << 31 // reserved, not yet committed
	recordDiscard = 1 << 30 // reserved, then given up
)

func openRing(m *ebpf.Map) (*ring, error) {
	page, size := os.Getpagesize(), int(m.MaxEntries())
	consumer, err := unix.Mmap(m.FD(), 0, page, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("map the ring's consumer page: %w", err)
	}
	producer, err := unix.Mmap(m.FD(), int64(page), page+size, unix.PROT_READ, unix.MAP_SHARED)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("map the ring's data: %w", err), unix.Munmap(consumer))
	}
	return &ring{
		consumerPage:  consumer,
		producerPages: producer,
		consumed:      (*uint64)(unsafe.Pointer(&consumer[0])),
		produced:      (*uint64)(unsafe.Pointer(&producer[0])),
		data:          producer[page:],
		mask:          uint64(size - 1),
	}, nil
}

// close gives the memory back. Closing twice is safe.
func (r *ring) close() error {
	if r.data == nil {
		return nil
	}
	r.data, r.consumed, r.produced = nil, nil, nil
	return errors.Join(unix.Munmap(r.producerPages), unix.Munmap(r.consumerPage))
}

// size returns how many bytes the ring holds.
func (r *ring) size() uint64 { return r.mask + 1 }

// end is the position up to which producers have reserved.
func (r *ring) end() uint64 { return atomic.LoadUint64(r.produced) }

// position is up to where the ring has been read.
func (r *ring) position() uint64 { return atomic.LoadUint64(r.consumed) }

// read calls f with each committed record up to the position end. The record
// is the ring's memory: it is gone when f returns. It stops early at a record
// that is still being written.
func (r *ring) read(end uint64, f func(record []byte)) error {
	position := r.position()
	given := position
	defer func() { atomic.StoreUint64(r.consumed, position) }()
	for position < end {
		header := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.data[position&r.mask])))
		if header&recordBusy != 0 {
			break
		}
		length := uint64(header &^ (recordBusy | recordDiscard))
		start := position&r.mask + recordHeader
		next := position + (recordHeader+length+7)&^7
		if next > end {
			return fmt.Errorf("read ring: record at %d ends at %d, past the end %d", position, next, end)
		}
		if header&recordDiscard == 0 {
			f(r.record(start, length))
		}
		position = next
		// Not after each: the cache line goes to and fro between the CPUs of reader and writers.
		if position-given >= giveBack {
			given = position
			atomic.StoreUint64(r.consumed, position)
		}
	}
	return nil
}

// record returns the bytes of a record that starts in the data at start.
func (r *ring) record(start, length uint64) []byte {
	size := r.size()
	if start+length <= size {
		return r.data[start : start+length : start+length]
	}
	// The header never wraps, but the record may begin at the very end.
	r.wrapped = append(r.wrapped[:0], r.data[min(start, size):]...)
	r.wrapped = append(r.wrapped, r.data[max(start, size)-size:start+length-size]...)
	return r.wrapped
}
