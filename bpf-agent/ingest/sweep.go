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

	keys   []bpf.KernelKey
	values []bpf.KernelCount // one for each CPU of each key
	cpus   int
}

type coarseSeen struct {
	hits   uint64
	counts bpf.KernelCoarseCount
}

// firstBatch is how many counters are read at once. The kernel gives whole
// hash buckets: when one does not fit, the batch grows.
const firstBatch = 256

func newSweeper(k *probe.Kernel) *sweeper {
	s := &sweeper{
		kernel: k,
		heat:   map[bpf.KernelKey]bpf.KernelCount{},
		coarse: map[uint32]*coarseSeen{},
		cpus:   ebpf.MustPossibleCPU(),
	}
	s.grow(firstBatch)
	return s
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
func (s *sweeper) sweep(slots []*probe.Slot, counted func(bpf.KernelKey, growth), coarse func(slot *probe.Slot, point int, g growth)) error {

	var cursor ebpf.MapBatchCursor
	for {
		n, err := s.kernel.Heat.BatchLookup(&cursor, s.keys, s.values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			if errors.Is(err, unix.ENOSPC) && len(s.keys) < int(s.kernel.Heat.MaxEntries()) {
				s.grow(2 * len(s.keys))
				continue
			}
			return fmt.Errorf("read counters: %w", err)
		}
		for at, key := range s.keys[:n] {
			s.difference(key, s.values[at*s.cpus:(at+1)*s.cpus], counted)
		}
		if err != nil {
			break
		}
	}
	for _, slot := range slots {
		if err := s.sweepCoarse(slot, coarse); err != nil {
			return err
		}
	}
	return nil
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
func (s *sweeper) sweepCoarse(slot *probe.Slot, coarse func(*probe.Slot, int, growth)) error {
	tallies, err := s.kernel.Tally(slot)
	if err != nil {
		return err
	}
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
	for point := range probe.Catalogue {
		delete(s.coarse, probe.CoarseIndex(slot.Number, point))
	}
	return nil
}
