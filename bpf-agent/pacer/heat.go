package pacer

import (
	"math"
	"time"
)

// Class is how hot a process is. It sets how much is carried and how counters
// are read: what happens often in a hot process is carried more often.
type Class uint8

const (
	Cold Class = iota + 1
	Warm
	Hot
)

func (c Class) String() string { return [...]string{"", "cold", "warm", "hot"}[c] }

const (
	// coldAfter is how long a cold process has had no scheduling event.
	coldAfter = 5 * time.Second
	// hotRate is how many goroutine switches a second make a process hot.
	hotRate = 5000
	// hotMerged is the share of resident pages that KSM has merged, from which
	// on a process is hot: its memory changes under it.
	hotMerged = 0.15
	// A warm process's inter-event times have an entropy within these, or it is
	// treated as if.
	leastWarm, greatestWarm = 0.3, 0.7
	// sampledSwitches is how many goroutine switches there are for one that the
	// runtime times: gTrackingPeriod of src/runtime/runtime2.go.
	sampledSwitches = 8
)

// pace is what a class makes of a process.
type pace struct {
	rateLimit time.Duration
	scanBatch int
}

// paceOf returns the pace of a process. That of a warm one depends on its
// entropy: from events that come evenly there is less to learn from each.
func paceOf(c Class, entropy float64) pace {
	switch c {
	case Cold:
		return pace{100 * time.Microsecond, 16}
	case Hot:
		return pace{20 * time.Microsecond, 256}
	}
	if math.IsNaN(entropy) {
		entropy = leastWarm
	}
	at := (min(max(entropy, leastWarm), greatestWarm) - leastWarm) / (greatestWarm - leastWarm)
	// In steps, so that it is not written anew each second.
	limit := time.Duration(100-80*at) * time.Microsecond
	return pace{limit.Round(10 * time.Microsecond), 64}
}

// beat is what a process's scheduling events were, since it is watched.
type beat struct {
	events uint64
	// waited is the sum of the times that goroutines waited for a P.
	waited time.Duration
	// gaps counts the times between two events of a CPU, by octaves: see bpf/pulse.h.
	gaps [32]uint64
	cpu  time.Duration
	// merged is the share of the resident pages that KSM has merged.
	merged float64
	// felt says whether events are being counted.
	felt bool
}

// activity is what a process's events of the last seconds tell of it.
type activity struct {
	// rate is goroutine switches a second: [sampledSwitches] times those that
	// the runtime has timed in the last second.
	rate float64
	// entropy is of inter-event times, see [entropy], over [entropyWindow].
	entropy float64
	// contention is the share of the time that goroutines wanted to run in which
	// they waited for a P. By Little's law the goroutines that wait, on average,
	// are the sum of their waits divided by the time in which they were begun;
	// with w of them, and r CPUs used, it is w / (w + r), in [0, 1).
	contention float64
	// coupling is how much the process moves with another, see [coupling].
	coupling float64
	class    Class
}

// entropyWindow is over how many seconds entropy is taken.
const entropyWindow = 5

// leastGaps is how many gaps an entropy needs: of fewer it would be too low.
const leastGaps = 32

// pulse follows the events of one process.
type pulse struct {
	last  beat
	at    time.Time
	event time.Time // of the last that was seen
	// gaps of the last seconds, and the rates, newest last.
	gaps  [][32]uint64
	rates []float64
}

// feel takes in the beat of a second. Values that can't be told are NaN.
func (p *pulse) feel(now time.Time, b beat) activity {
	act := activity{rate: math.NaN(), entropy: math.NaN(), contention: math.NaN(), coupling: math.NaN(), class: Warm}
	first := p.at.IsZero()
	took, before := now.Sub(p.at).Seconds(), p.last
	p.at, p.last = now, b
	if first {
		p.event = now
		return act
	}
	if !b.felt || !before.felt {
		// Nobody counts. Where that is because it was too dear, it is hot.
		p.gaps, p.rates, p.event = nil, nil, now
		return act
	}
	act.rate = sampledSwitches * float64(b.events-before.events) / took
	waiting := sampledSwitches * (b.waited - before.waited).Seconds() / took
	if running := (b.cpu - before.cpu).Seconds() / took; waiting+running > 0 {
		act.contention = waiting / (waiting + max(running, 0))
	}
	var gaps [32]uint64
	for i := range gaps {
		gaps[i] = b.gaps[i] - before.gaps[i]
	}
	p.gaps = append(p.gaps, gaps)
	p.gaps = p.gaps[max(0, len(p.gaps)-entropyWindow):]
	for _, g := range p.gaps[:len(p.gaps)-1] {
		for i, n := range g {
			gaps[i] += n
		}
	}
	act.entropy = entropy(gaps)
	p.rates = append(p.rates, act.rate)
	p.rates = p.rates[max(0, len(p.rates)-couplingWindow):]
	if b.events != before.events {
		p.event = now
	}
	switch {
	case act.rate > hotRate || b.merged > hotMerged:
		act.class = Hot
	case now.Sub(p.event) >= coldAfter:
		act.class = Cold
	}
	return act
}

// entropy is Shannon's, of the octaves in which times lie, over the greatest
// that is possible, log2 of their number: 0 where all times lie in one octave,
// as of a clock's ticks, about 0.55 where events come at random at an even rate,
// and 1 where no octave is more likely than another. NaN for too few times.
func entropy(octaves [32]uint64) float64 {
	var n uint64
	for _, count := range octaves {
		n += count
	}
	if n < leastGaps {
		return math.NaN()
	}
	var bits float64
	for _, count := range octaves {
		if count > 0 {
			p := float64(count) / float64(n)
			bits -= p * math.Log2(p)
		}
	}
	return bits / math.Log2(float64(len(octaves)))
}

const (
	// couplingWindow is over how many seconds coupling is taken, and
	// leastCoupling how many it needs.
	couplingWindow = 60
	leastCoupling  = 10
)

// coupling returns, for each process, how much its rate moves with that of the
// other that it moves with most: the greatest Pearson correlation of the
// logarithms of their rates, second by second over the last minute; 0 where
// there is none, or a negative one. With n seconds, processes that have nothing
// to do with each other reach about 2/√n by chance. NaN for too few seconds, or
// when there is no other. 100 processes take some 3 ms.
func coupling(pulses []*pulse) []float64 {
	shapes := make([][]float64, len(pulses))
	for i, p := range pulses {
		shapes[i] = shape(p.rates)
	}
	greatest := make([]float64, len(pulses))
	for i := range greatest {
		greatest[i] = math.NaN()
	}
	for i := range shapes {
		for j := range i {
			a, b := shapes[i], shapes[j]
			if len(a) == 0 || len(a) != len(b) {
				// Only of processes that were watched for as long.
				n := min(len(pulses[i].rates), len(pulses[j].rates))
				a, b = newest(pulses[i].rates, n), newest(pulses[j].rates, n)
			}
			if len(a) < leastCoupling {
				continue
			}
			var r float64
			for k := range a {
				r += a[k] * b[k]
			}
			for _, one := range []int{i, j} {
				if math.IsNaN(greatest[one]) {
					greatest[one] = 0
				}
				greatest[one] = min(1, max(greatest[one], r))
			}
		}
	}
	return greatest
}

func newest(rates []float64, n int) []float64 { return shape(rates[len(rates)-n:]) }

// shape is rates as logarithms, less their mean, scaled to length 1; all zero
// where they do not change.
func shape(rates []float64) []float64 {
	s := make([]float64, len(rates))
	var mean, square float64
	for i, r := range rates {
		s[i] = math.Log1p(r)
		mean += s[i] / float64(len(s))
	}
	for i := range s {
		s[i] -= mean
		square += s[i] * s[i]
	}
	for i := range s {
		if square > 1e-12 {
			s[i] /= math.Sqrt(square)
		} else {
			s[i] = 0
		}
	}
	return s
}
