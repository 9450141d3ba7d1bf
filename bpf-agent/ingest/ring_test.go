package ingest

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// paperRing is a ring in ordinary memory, written as the kernel writes one.
type paperRing struct {
	ring
	counters [2]uint64
}

func newPaperRing(size int) *paperRing {
	p := &paperRing{}
	p.ring = ring{consumed: &p.counters[0], produced: &p.counters[1], data: make([]byte, size), mask: uint64(size - 1)}
	return p
}

// put appends a record with a header's flags.
func (p *paperRing) put(flags uint32, record []byte) {
	at := p.counters[1]
	write := func(i uint64, b byte) { p.data[i&p.mask] = b }
	var header [recordHeader]byte
	binary.NativeEndian.PutUint32(header[:], flags|uint32(len(record)))
	for i, b := range append(header[:], record...) {
		write(at+uint64(i), b)
	}
	p.counters[1] = at + uint64(recordHeader+len(record)+7)&^7
}

func (p *paperRing) readAll(t *testing.T) (records []string) {
	t.Helper()
	if err := p.read(p.end(), func(b []byte) { records = append(records, string(b)) }); err != nil {
		t.Fatal(err)
	}
	return records
}

func TestRingGivesRecordsInOrderAndWholeWhereItWraps(t *testing.T) {
	p := newPaperRing(64)
	for i := range 100 {
		want := fmt.Sprintf("record %0*d", i%20, i)
		p.put(0, []byte(want))
		if got := p.readAll(t); len(got) != 1 || got[0] != want {
			t.Fatalf("record %d is %q, must be %q", i, got, want)
		}
	}
}

func TestRingSkipsWhatWasGivenUpAndWaitsForWhatIsBeingWritten(t *testing.T) {
	p := newPaperRing(256)
	p.put(0, []byte("one"))
	p.put(recordDiscard, []byte("given up"))
	p.put(0, []byte("two"))
	busy := p.counters[1]
	p.put(recordBusy, []byte("three"))
	p.put(0, []byte("four"))
	if got := p.readAll(t); fmt.Sprint(got) != "[one two]" {
		t.Errorf("read %q, must be one and two", got)
	}
	if got := p.readAll(t); got != nil {
		t.Errorf("read %q past a record that is being written", got)
	}
	binary.NativeEndian.PutUint32(p.data[busy:], uint32(len("three")))
	if got := p.readAll(t); fmt.Sprint(got) != "[three four]" {
		t.Errorf("read %q, must be three and four", got)
	}
}

func TestRingRefusesARecordThatIsLongerThanWhatWasWritten(t *testing.T) {
	p := newPaperRing(64)
	p.put(0, []byte("honest"))
	binary.NativeEndian.PutUint32(p.data, 1000)
	if err := p.read(p.end(), func([]byte) { t.Error("it was handed out") }); err == nil {
		t.Error("no error")
	}
}

func FuzzDecode(f *testing.F) {
	long := bpf.KernelLongEvent{
		Event: bpf.KernelEvent{Key: bpf.KernelKey{Function: 0x1000, Node: 1, Cpu: 2, Slot: 3, Point: uint8(bpf.KernelPointSCHED_LATENCY)}, Time: 5, Value: 6, Goid: 7},
		Extra: extras{8},
	}
	record := unsafe.Slice((*byte)(unsafe.Pointer(&long)), unsafe.Sizeof(long))
	f.Add(record)
	f.Add(record[:eventSize])
	f.Add(record[1:])
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, record []byte) {
		e, extra, err := decode(record)
		if err != nil {
			return
		}
		if int(e.Key.Point) >= len(probe.Catalogue) {
			t.Errorf("point %d is not in the catalogue", e.Key.Point)
		}
		// Nothing is lost or made up: the event is the record.
		read := bytes.Clone(unsafe.Slice((*byte)(unsafe.Pointer(e)), unsafe.Sizeof(*e)))
		if extra != nil {
			read = append(read, unsafe.Slice((*byte)(unsafe.Pointer(extra)), unsafe.Sizeof(*extra))...)
		}
		if !bytes.Equal(read, record) {
			t.Error("event and record differ")
		}
	})
}

func TestPaceFollowsTheRing(t *testing.T) {
	p := newPace()
	p.next(0)
	if p.wait > shortestWait*11/10 {
		t.Errorf("after one look that found nothing the next is in %v, must be about %v", p.wait, shortestWait)
	}
	for range 200 {
		p.next(0)
	}
	if p.wait != longestWait {
		t.Errorf("an empty ring is looked at every %v, must be %v", p.wait, longestWait)
	}
	if p.next(100 * eventBytes); p.wait != longestWait {
		t.Errorf("a ring that fills slowly is looked at every %v, must stay %v", p.wait, longestWait)
	}
	if p.next(100_000 * eventBytes); p.wait != shortestWait {
		t.Errorf("a ring that fills fast is looked at every %v, must be %v", p.wait, shortestWait)
	}
}

// The reader keeps up with millions of events a second because it makes no garbage.
func TestTakingAnEventMakesNoGarbage(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	a.flush()
	slot := a.kernel.Slots()[0]
	event := bpf.KernelEvent{
		Key:  bpf.KernelKey{Node: 1, Slot: slot.Number, Point: uint8(bpf.KernelPointSCHED_LATENCY)},
		Time: uint64(time.Now().UnixNano() - a.ingest.monotonicToWall), Value: 1000, Goid: 17,
	}
	record := unsafe.Slice((*byte)(unsafe.Pointer(&event)), unsafe.Sizeof(event))
	a.ingest.take(record)
	if n := testing.AllocsPerRun(1000, func() { a.ingest.take(record) }); n >= 1 {
		t.Errorf("%v allocations for an event", n)
	}
}

// The kernel hands out whole hash buckets: a batch that is too small for one must grow.
func TestSweepGrowsItsBatch(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	a.flush()
	if err := a.watcher.SetPace(a.status(program.PID()).Process, time.Hour, 1); err != nil {
		t.Fatal(err)
	}
	a.rateLimit(program.PID(), time.Hour)
	program.Ask("switch 20000")
	program.Freeze()
	defer program.Thaw()
	a.flush()
	if one := a.checkConserved("sched.latency"); one.Counted == 0 {
		t.Error("nothing was counted")
	}
}
