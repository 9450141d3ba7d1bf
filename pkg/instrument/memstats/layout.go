package memstats

import (
	"bytes"
	"fmt"
	"runtime"
	"strings"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
)

// Magic and Version begin each value, behind the kernel's lock. A change of
// what follows is a new version: a reader takes its own and no other.
const (
	Magic   = 0x74_6f_67_6d_72_65_68_74 // "thermgot" as bytes
	Version = 1
)

// MaxPoints is how many measurement points a value of [Seen] has room for.
const MaxPoints = 32

// Header begins a value. Its first eight bytes are the kernel's: a lock, which
// makes each read and each write one of the whole value.
type Header struct {
	Lock, _       uint32
	Magic         uint64
	Version, Size uint32
	// Started says when the process started, in clock ticks since boot: field 22
	// of /proc/PID/stat.
	Started uint64
	// Time is when it was written, in nanoseconds since 1970.
	Time int64
}

// Stats is what a program publishes: fields of runtime.MemStats, with its units.
type Stats struct {
	Header
	Alloc, TotalAlloc, Sys, Mallocs, Frees                             uint64
	HeapAlloc, HeapSys, HeapIdle, HeapInuse, HeapReleased, HeapObjects uint64
	StackInuse, StackSys, MSpanInuse, MSpanSys, MCacheInuse, MCacheSys uint64
	BuckHashSys, GCSys, OtherSys, NextGC, LastGC, PauseTotalNs         uint64
	NumGC, NumForcedGC                                                 uint32
	GCCPUFraction                                                      float64
}

// Counted is what the kernel side has counted of a measurement point: hits, and
// the sum of their values in the point's unit.
type Counted struct {
	Name      [32]byte
	Hits, Sum uint64
}

// Seen is what the agent hands back.
type Seen struct {
	Header
	N, _   uint32
	Points [MaxPoints]Counted
}

// NewStats is a value to publish, of a process that started then.
func NewStats(m *runtime.MemStats, started uint64, now int64) *Stats {
	return &Stats{
		Header: header[Stats](started, now),
		Alloc:  m.Alloc, TotalAlloc: m.TotalAlloc, Sys: m.Sys, Mallocs: m.Mallocs, Frees: m.Frees,
		HeapAlloc: m.HeapAlloc, HeapSys: m.HeapSys, HeapIdle: m.HeapIdle, HeapInuse: m.HeapInuse,
		HeapReleased: m.HeapReleased, HeapObjects: m.HeapObjects,
		StackInuse: m.StackInuse, StackSys: m.StackSys, MSpanInuse: m.MSpanInuse, MSpanSys: m.MSpanSys,
		MCacheInuse: m.MCacheInuse, MCacheSys: m.MCacheSys, BuckHashSys: m.BuckHashSys, GCSys: m.GCSys,
		OtherSys: m.OtherSys, NextGC: m.NextGC, LastGC: m.LastGC, PauseTotalNs: m.PauseTotalNs,
		NumGC: m.NumGC, NumForcedGC: m.NumForcedGC, GCCPUFraction: m.GCCPUFraction,
	}
}

// NewSeen is a value to hand back.
func NewSeen(started uint64, now int64, points []Point) *Seen {
	s := &Seen{Header: header[Seen](started, now)}
	for _, p := range points[:min(len(points), MaxPoints)] {
		c := &s.Points[s.N]
		copy(c.Name[:], p.Name)
		c.Hits, c.Sum = p.Hits, p.Sum
		s.N++
	}
	return s
}

func header[Value Stats | Seen](started uint64, now int64) Header {
	var v Value
	return Header{Magic: Magic, Version: Version, Size: uint32(unsafe.Sizeof(v)), Started: started, Time: now}
}

// Check says whether a value is of this layout and about the process that
// started then. A value that was never written is not.
func (h *Header) check(size uintptr, started uint64) error {
	switch {
	case h.Magic == 0 && h.Time == 0:
		return ErrEmpty
	case h.Magic != Magic:
		return fmt.Errorf("value has magic %#x, must be %#x", h.Magic, uint64(Magic))
	case h.Version != Version:
		return fmt.Errorf("value has layout version %d, must be %d", h.Version, Version)
	case h.Size != uint32(size):
		return fmt.Errorf("value says that it has %d bytes, must be %d", h.Size, size)
	case h.Started != started:
		return fmt.Errorf("value is of a process that started at tick %d, must be %d", h.Started, started)
	}
	return nil
}

// Point is what was counted of a measurement point.
type Point struct {
	Name      string
	Hits, Sum uint64
}

func (s *Seen) points() []Point {
	points := make([]Point, min(s.N, MaxPoints))
	for i := range points {
		name, _, _ := bytes.Cut(s.Points[i].Name[:], []byte{0})
		points[i] = Point{strings.ToValidUTF8(string(name), "\uFFFD"), s.Points[i].Hits, s.Points[i].Sum}
	}
	return points
}

// MapSpec describes the map that holds a value: an array of one, which the
// kernel locks for each read and write of the whole.
func MapSpec[Value Stats | Seen](name string) *ebpf.MapSpec {
	var v Value
	size := uint32(unsafe.Sizeof(v))
	word := &btf.Int{Name: "unsigned int", Size: 4}
	rest := (size - 8) / 8
	long := &btf.Int{Name: "unsigned long long", Size: 8}
	return &ebpf.MapSpec{
		Name: name, Type: ebpf.Array, KeySize: 4, ValueSize: size, MaxEntries: 1,
		Key: word,
		Value: &btf.Struct{Name: name, Size: size, Members: []btf.Member{
			{Name: "lock", Type: &btf.Struct{Name: "bpf_spin_lock", Size: 4, Members: []btf.Member{{Name: "val", Type: word}}}},
			{Name: "rest", Type: &btf.Array{Index: word, Type: long, Nelems: rest}, Offset: 64},
		}},
	}
}

// checkMap says whether a map can hold a value.
func checkMap[Value Stats | Seen](m *ebpf.Map) error {
	var v Value
	switch {
	case m.Type() != ebpf.Array:
		return fmt.Errorf("it is a map of type %s, must be %s", m.Type(), ebpf.Array)
	case m.KeySize() != 4 || m.MaxEntries() != 1:
		return fmt.Errorf("its keys have %d bytes and it has %d entries, must be 4 and 1", m.KeySize(), m.MaxEntries())
	case m.ValueSize() != uint32(unsafe.Sizeof(v)):
		return fmt.Errorf("its value has %d bytes, must be %d: agent and program are of different versions of this package", m.ValueSize(), unsafe.Sizeof(v))
	}
	return nil
}
