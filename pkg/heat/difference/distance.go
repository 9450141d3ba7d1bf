package difference

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"

	"github.com/gotherm/gotherm/pkg/heat"
)

// permutations is how many ways to tell the arms apart are tried: p can be as little as 1 in 1001.
const permutations = 1000

// distance returns how far the candidate's values are from the baseline's: the
// Wasserstein-1 distance of ln of the values, which is the shift where all have
// been shifted, with the sign of the shift in the mean. Of hits without values
// it is ln of the ratio of how many there are.
//
// P is that of the distance that is left once the baseline has been shifted by
// whatever drift allows, against the same where the arms' names are dealt to
// the blocks by chance: within each pair, or among all. The chance is seeded
// from the data, so that the same data get the same answer.
func (q Question) distance(baseline, candidate []Block) (distance, p float64) {
	arms := append(append(make([]Block, 0, len(baseline)+len(candidate)), baseline...), candidate...)
	n := len(baseline)
	apart := q.valuesApart
	allowance := q.Drift.allowance
	var most float64
	if q.Valued {
		most = allowance(q.Paired, q.gap(q.Candidate), q.values(baseline), q.values(candidate))
	} else {
		apart = q.ratesApart
		most = allowance(q.Paired, q.gap(q.Candidate), q.rates(baseline), q.rates(candidate))
	}
	packed := pack(arms)
	order := make([]int, len(arms))
	for i := range order {
		order[i] = i
	}
	distance, found := apart(packed, order[:n], order[n:], most)
	random := rand.New(rand.NewPCG(digest(arms)))
	asMuch := 0
	for range permutations {
		if q.Paired {
			for i := range n {
				if random.IntN(2) == 0 {
					order[i], order[n+i] = order[n+i], order[i]
				}
			}
		} else {
			random.Shuffle(len(order), func(i, j int) { order[i], order[j] = order[j], order[i] })
		}
		if _, left := apart(packed, order[:n], order[n:], most); left >= found {
			asMuch++
		}
	}
	return distance, float64(asMuch+1) / (permutations + 1)
}

// digest makes two numbers of all counts.
func digest(blocks []Block) (uint64, uint64) {
	h := fnv.New128a()
	var word [8]byte
	for i := range blocks {
		for _, n := range blocks[i].Hits.Counts {
			_, _ = h.Write(binary.LittleEndian.AppendUint64(word[:0], n)) // never fails
		}
	}
	sum := h.Sum(nil)
	return binary.LittleEndian.Uint64(sum), binary.LittleEndian.Uint64(sum[8:])
}

// packed is the blocks' hits in the buckets from the first to the last that has any.
type packed struct {
	counts [][]float64
	of     []float64
}

func pack(blocks []Block) packed {
	first, last := heat.NumBuckets, -1
	for i := range blocks {
		for bucket, n := range blocks[i].Hits.Counts {
			if n > 0 {
				first, last = min(first, bucket), max(last, bucket)
			}
		}
	}
	var p packed
	for i := range blocks {
		counts := make([]float64, max(last-first+1, 0))
		for j := range counts {
			counts[j] = float64(blocks[i].Hits.Counts[first+j])
		}
		p.counts, p.of = append(p.counts, counts), append(p.of, blocks[i].Of)
	}
	return p
}

// running returns the running share of all hits of some blocks: after each bucket, from 0 to 1.
func (p packed) running(which []int, into []float64) []float64 {
	into = append(into[:0], 0)
	for range p.counts[0] {
		into = append(into, 0)
	}
	for _, i := range which {
		for j, n := range p.counts[i] {
			into[j+1] += n
		}
	}
	for j := 1; j < len(into); j++ {
		into[j] += into[j-1]
	}
	total := into[len(into)-1]
	for j := range into {
		into[j] /= total
	}
	return into
}

// ratesApart returns ln of the ratio of the rates of two sets of blocks, and how much of it is beyond most.
func (q Question) ratesApart(p packed, baseline, candidate []int, most float64) (distance, left float64) {
	rate := func(which []int) float64 {
		hits, of := 0.5, 0.0
		for _, i := range which {
			for _, n := range p.counts[i] {
				hits += n
			}
			of += p.of[i]
		}
		return hits / of
	}
	distance = math.Log(rate(candidate) / rate(baseline))
	return distance, max(math.Abs(distance)-most, 0)
}

// valuesApart returns the signed Wasserstein-1 distance of two sets of blocks,
// and the least that is left of it when one is shifted by up to most, up or down.
func (q Question) valuesApart(p packed, baseline, candidate []int, most float64) (distance, left float64) {
	b, c := p.running(baseline, nil), p.running(candidate, nil)
	mean := 0.0
	for j := range b {
		mean += b[j] - c[j]
	}
	distance = math.Copysign(wasserstein(b, c, 0), mean)
	// The distance is convex in the shift: a ternary search finds where it is least.
	low, high := -most, most
	for range 8 {
		third := (high - low) / 3
		if wasserstein(b, c, low+third) < wasserstein(b, c, high-third) {
			high -= third
		} else {
			low += third
		}
	}
	return distance, wasserstein(b, c, (low+high)/2)
}

// wasserstein returns the distance of two running shares when the first is
// shifted by some ln: the area between them on the axis of ln, bucket by bucket.
func wasserstein(b, c []float64, by float64) (area float64) {
	places := by / bucketWidth
	whole := math.Floor(places)
	fraction, shift := places-whole, int(whole)
	value := func(s []float64, j int) float64 { return s[min(max(j, 0), len(s)-1)] }
	// Beyond the buckets that have hits, the shifted one may still be under 1, or over 0.
	for j := min(0, shift); j < len(c)+max(0, shift+1); j++ {
		moved := (1-fraction)*value(b, j-shift) + fraction*value(b, j-shift-1)
		area += math.Abs(moved - value(c, j))
	}
	return area * bucketWidth
}
