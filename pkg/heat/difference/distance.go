package difference

import (
	"encoding/binary"
	"hash/fnv"
	"math"
	"math/rand/v2"
	"slices"

	"github.com/gotherm/gotherm/pkg/heat"
)

// permutations is how many ways to tell the arms apart are tried: p can be as little as 1 in 1001.
const permutations = 1000

// leastShape is the distance, as ln, that is nothing where no shift explains it:
// drift within the windows widens what it moves.
const leastShape = 0.01

// distance returns how far the candidate's values are from the baseline's: the
// Wasserstein-1 distance of ln of the values, which is the shift where all have
// been shifted, with the sign of the shift in the mean. Of hits without values
// it is ln of the ratio of how many there are.
//
// P is that of the distance that is left once the baseline has been shifted by
// whatever drift makes of it in 99 of 100 cases, against the same where the
// arms' names are dealt to the blocks by chance: within each pair, or among all.
// The hundredth case is added to it (Berger and Boos, J. Am. Stat. Assoc. 89,
// 1994: a p-value over the confidence set of what is not known). The chance is
// seeded from the data, so that the same data get the same answer.
func (q Question) distance(baseline, candidate []Block) (distance, p float64) {
	arms := slices.Concat(baseline, candidate)
	n := len(baseline)
	of := q.values
	if !q.Valued {
		of = q.rates
	}
	most := q.Drift.allowance(q.Paired, q.gap(q.Candidate), of(baseline), of(candidate)) * rareDeviations / allowedDeviations
	apart := newDealt(arms, n, most, q.Valued).apart
	order := make([]int, len(arms))
	for i := range order {
		order[i] = i
	}
	distance, found := apart(order)
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
		if _, left := apart(order); left >= found {
			asMuch++
		}
	}
	return distance, min(float64(asMuch+1)/(permutations+1)+rare, 1)
}

// Drift is beyond rareDeviations standard deviations, up or down, in this share of cases.
const rareDeviations, rare = 2.576, 0.01

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

// dealt works out how far apart two arms are when blocks are dealt to them. It
// has its own memory, since that is done a thousand times.
type dealt struct {
	// below has, by block, the running sums of hits over the buckets that any has hits in.
	below [][]float64
	of    []float64
	// first is how many of the blocks are dealt to the first arm.
	first int
	// most is how far drift may have shifted the first, as ln.
	most   float64
	valued bool
	// b and c are the running shares of both arms, with room on both sides for any shift of b.
	b, c []float64
	room int
}

func newDealt(blocks []Block, first int, most float64, valued bool) *dealt {
	from, last := heat.NumBuckets, -1
	for i := range blocks {
		for bucket, n := range blocks[i].Hits.Counts {
			if n > 0 {
				from, last = min(from, bucket), max(last, bucket)
			}
		}
	}
	d := &dealt{first: first, most: most, valued: valued, room: int(math.Ceil(most/bucketWidth)) + 1}
	for i := range blocks {
		below, total := make([]float64, 0, heat.NumBuckets), 0.0
		for bucket := from; bucket <= last; bucket++ {
			total += float64(blocks[i].Hits.Counts[bucket])
			below = append(below, total)
		}
		d.below, d.of = append(d.below, below), append(d.of, blocks[i].Of)
	}
	d.b, d.c = make([]float64, len(d.below[0])+2*d.room), make([]float64, len(d.below[0])+2*d.room)
	return d
}

// apart returns how far the arms are apart, and how much of it drift does not
// explain, when the blocks are dealt to them in some order.
func (d *dealt) apart(order []int) (distance, left float64) {
	if !d.valued {
		distance = math.Log(d.rate(order[d.first:]) / d.rate(order[:d.first]))
		return distance, max(math.Abs(distance)-d.most, 0)
	}
	d.run(d.b, order[:d.first])
	d.run(d.c, order[d.first:])
	mean := 0.0
	for j := range d.b {
		mean += d.b[j] - d.c[j]
	}
	distance = math.Copysign(d.wasserstein(0), mean)
	// The distance is convex in the shift: a ternary search finds where it is least.
	low, high := -d.most, d.most
	for range 8 {
		third := (high - low) / 3
		if d.wasserstein(low+third) < d.wasserstein(high-third) {
			high -= third
		} else {
			low += third
		}
	}
	return distance, max(d.wasserstein((low+high)/2)-leastShape, 0)
}

// rate returns the hits per Of of some blocks.
func (d *dealt) rate(which []int) float64 {
	hits, of := 0.5, 0.0
	for _, i := range which {
		if below := d.below[i]; len(below) > 0 {
			hits += below[len(below)-1]
		}
		of += d.of[i]
	}
	return hits / of
}

// run sets the running share of all hits of some blocks: 0 under all buckets, 1 over them.
func (d *dealt) run(into []float64, which []int) {
	middle := into[d.room : len(into)-d.room]
	clear(middle)
	for _, i := range which {
		for j, n := range d.below[i] {
			middle[j] += n
		}
	}
	total := middle[len(middle)-1]
	for j := range middle {
		middle[j] /= max(total, 1)
	}
	for j := len(into) - d.room; j < len(into); j++ {
		into[j] = 1
	}
}

// wasserstein returns the distance of the arms when the first is shifted by
// some ln, up to most: the area between the running shares on the axis of ln.
func (d *dealt) wasserstein(by float64) (area float64) {
	places := by / bucketWidth
	whole := math.Floor(places)
	part, shift := places-whole, int(whole)
	from, to := max(shift+1, 0), len(d.c)+min(shift, 0)
	for j := from; j < to; j++ {
		moved := (1-part)*d.b[j-shift] + part*d.b[j-shift-1]
		area += math.Abs(moved - d.c[j])
	}
	return area * bucketWidth
}
