package ingest

import (
	"errors"
	"fmt"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// sweeper reads the counters in the kernel and tells what they grew by.
//
// Reading and deleting, the usual way, loses what is counted between the two.
// Here nothing is deleted while its process lives.
type sweeper struct {
	kernel *probe.Kernel
	// What was last seen of each counter.
	heat   map[bpf.KernelKey]bpf.KernelCount
	coarse map[uint32]*coarseSeen
	// fine is how many hits each slot had counted with dimensions at the last walk.
	fine map[uint8]uint64

	keys   []bpf.KernelKey
	values []bpf.KernelCount // one for each CPU of each key
	cpus   int
}

type coarseSeen struct {
	hits   uint64
	counts bpf.KernelCoarseCount
}

// coldBatch is the scan batch of cold processes.
const coldBatch = 16

func newSweeper(k *probe.Kernel) *sweeper {
	return &sweeper{
		kernel: k,
		fine:   map[uint8]uint64{},
		heat:   map[bpf.KernelKey]bpf.KernelCount{},
		coarse: map[uint32]*coarseSeen{},
		cpus:   ebpf.MustPossibleCPU(),
	}
}

func (s *sweeper) grow(batch int) {
	s.keys = make([]bpf.KernelKey, batch)
	s.values = make([]bpf.KernelCount, batch*s.cpus)
}

// growth is what a counter grew by: n hits of a bucket, whose values sum up to
// sum and are at most greatest.
type growth struct {
	bucket           int
	n, sum, greatest uint64
}

// sweep calls counted with each counter that grew; its key has no bucket. It
// calls coarse with the counters that have no dimensions.
//
// All processes share the map of counters, and it is walked only when any of
// them has counted something, in batches of the scan batch of the hottest that
// has. What only cold processes have counted may wait while lazy. It says
// whether all was read.
func (s *sweeper) sweep(slots []*probe.Slot, lazy bool, counted func(bpf.KernelKey, growth), coarse func(slot *probe.Slot, point int, g growth)) (bool, error) {
	batch := 0
	fine := map[uint8]uint64{}
	for _, slot := range slots {
		tallies, err := s.kernel.Tally(slot)
		if err != nil {
			return false, err
		}
		if err := s.sweepCoarse(slot, &tallies, coarse); err != nil {
			return false, err
		}
		// A program counts before it adds to the tally: what is in this is in the map.
		for _, t := range tallies.Of {
			fine[slot.Number] += t.Counted - t.Coarse
		}
		retired := !slot.Retired().IsZero()
		if fine[slot.Number] != s.fine[slot.Number] || retired {
			batch = max(batch, slot.ScanBatch())
		}
		lazy = lazy && !retired
	}
	if batch == 0 || lazy && batch <= coldBatch {
		return batch == 0, nil
	}
	if err := s.walk(batch, counted); err != nil {
		return false, err
	}
	s.fine = fine
	return true, nil
}

// walk reads all counters, so many at once. The kernel gives whole hash
// buckets: when one does not fit, the batch grows.
func (s *sweeper) walk(batch int, counted func(bpf.KernelKey, growth)) error {
	var cursor ebpf.MapBatchCursor
	for {
		for len(s.keys) < batch {
			s.grow(max(batch, 2*len(s.keys)))
		}
		n, err := s.kernel.Heat.BatchLookup(&cursor, s.keys[:batch], s.values[:batch*s.cpus], nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			if errors.Is(err, unix.ENOSPC) && batch < int(s.kernel.Heat.MaxEntries()) {
				batch *= 2
				continue
			}
			return fmt.Errorf("read counters: %w", err)
		}
		for at, key := range s.keys[:n] {
			s.difference(key, s.values[at*s.cpus:(at+1)*s.cpus], counted)
		}
		if err != nil {
			return nil
		}
	}
}

func (s *sweeper) difference(key bpf.KernelKey, perCPU []bpf.KernelCount, counted func(bpf.KernelKey, growth)) {
	var total bpf.KernelCount
	for _, c := range perCPU {
		total.Count += c.Count
		total.Sum += c.Sum
	}
	seen := s.heat[key]
	// A program adds to the sum first: one that is between the two is taken next time.
	if total.Count == seen.Count {
		return
	}
	s.heat[key] = total
	g := growth{bucket: int(key.Bucket), n: total.Count - seen.Count, sum: total.Sum - seen.Sum}
	g.greatest = heat.MaxOf(g.bucket, g.n, g.sum)
	key.Bucket = 0
	counted(key, g)
}

// sweepCoarse reads the coarse counters of a slot, where there are any.
func (s *sweeper) sweepCoarse(slot *probe.Slot, tallies *bpf.KernelSlotTallies, coarse func(*probe.Slot, int, growth)) error {
	for point := range probe.Catalogue {
		hits := tallies.Of[point].Coarse
		index := probe.CoarseIndex(slot.Number, point)
		seen := s.coarse[index]
		if hits == 0 || seen != nil && seen.hits == hits {
			continue
		}
		if seen == nil {
			seen = &coarseSeen{}
			s.coarse[index] = seen
		}
		var now bpf.KernelCoarseCount
		if err := s.kernel.Coarse.Lookup(index, &now); err != nil {
			return fmt.Errorf("read coarse counters of slot %d: %w", slot.Number, err)
		}
		sum := now.Sum - seen.counts.Sum
		rest := sum
		for bucket := range now.Count {
			n := now.Count[bucket] - seen.counts.Count[bucket]
			if n == 0 {
				continue
			}
			// There is one sum for all buckets: it goes with the first that grew.
			coarse(slot, point, growth{bucket, n, rest, min(heat.UpperNanoseconds(bucket), sum)})
			rest = 0
		}
		seen.counts, seen.hits = now, hits
	}
	return nil
}

// forget deletes the counters of a slot, after they were read for the last time.
func (s *sweeper) forget(slot *probe.Slot) error {
	var gone []bpf.KernelKey
	for key := range s.heat {
		if key.Slot == slot.Number {
			gone = append(gone, key)
		}
	}
	if len(gone) > 0 {
		if _, err := s.kernel.Heat.BatchDelete(gone, nil); err != nil {
			return fmt.Errorf("delete counters of slot %d: %w", slot.Number, err)
		}
	}
	for _, key := range gone {
		delete(s.heat, key)
	}
	delete(s.fine, slot.Number)
	for point := range probe.Catalogue {
		delete(s.coarse, probe.CoarseIndex(slot.Number, point))
	}
	return nil
}
