package pacer

import (
	"math"
	"math/rand/v2"
	"testing"
	"time"
)

// octave is the gap that a time falls into, as bpf/pulse.h has it.
func octave(d time.Duration) int {
	return min(max(0, int(math.Floor(math.Log2(float64(d)/1024)))), 31)
}

func TestEntropyTellsAClockFromChance(t *testing.T) {
	var clock, chance, all [32]uint64
	random := rand.New(rand.NewPCG(1, 2))
	for i := range 10_000 {
		clock[octave(10*time.Millisecond)]++
		chance[octave(time.Duration(random.ExpFloat64()*float64(time.Millisecond)))]++
		all[i%32]++
	}
	if e := entropy(clock); e != 0 {
		t.Errorf("a clock has entropy %v, must be 0", e)
	}
	if e := entropy(chance); e < 0.5 || e > 0.6 {
		t.Errorf("events at random have entropy %v, must be about 0.55", e)
	}
	if e := entropy(all); e < 0.999 || e > 1.001 {
		t.Errorf("all octaves alike have entropy %v, must be 1", e)
	}
	if e := entropy([32]uint64{leastGaps - 1}); !math.IsNaN(e) {
		t.Errorf("too few gaps have entropy %v, must be none", e)
	}
}

// feelFor lets a pulse feel seconds, each with so many events that waited.
func feelFor(p *pulse, seconds int, events uint64, wait, cpu time.Duration) (act activity) {
	now, b := p.at, p.last
	if now.IsZero() {
		now = time.Unix(1000, 0)
		p.feel(now, beat{felt: true})
	}
	b.felt = true
	for range seconds {
		now = now.Add(time.Second)
		b.events += events
		b.waited += time.Duration(events) * wait
		b.cpu += cpu
		b.gaps[5] += events
		act = p.feel(now, b)
	}
	return act
}

func TestContentionIsTheShareOfTimeWaited(t *testing.T) {
	p := &pulse{}
	// 1,000 switches a second are sampled, 8,000 there are; each waits for 125 µs:
	// one goroutine waits at any time, while one runs.
	act := feelFor(p, 3, 1000, 125*time.Microsecond, time.Second)
	if math.Abs(act.contention-0.5) > 1e-9 {
		t.Errorf("contention is %v, must be a half", act.contention)
	}
	if act.rate != 8000 || act.class != Hot {
		t.Errorf("%v switches a second, %v", act.rate, act.class)
	}
	if act := feelFor(p, 3, 0, 0, time.Second); act.contention != 0 {
		t.Errorf("contention without a switch is %v", act.contention)
	}
}

func TestClassesFollowTheEvents(t *testing.T) {
	p := &pulse{}
	if act := feelFor(p, 10, 100, 0, time.Second); act.class != Warm {
		t.Errorf("800 switches a second are %v, must be warm", act.class)
	}
	if act := feelFor(p, 4, 0, 0, time.Second); act.class != Warm {
		t.Errorf("4 s without an event are %v, must be warm still", act.class)
	}
	if act := feelFor(p, 1, 0, 0, time.Second); act.class != Cold {
		t.Errorf("5 s without an event are %v, must be cold", act.class)
	}
	if act := feelFor(p, 1, 700, 0, time.Second); act.class != Hot {
		t.Errorf("5,600 switches a second are %v, must be hot", act.class)
	}
	merging := p.last
	merging.merged = 0.2
	if act := p.feel(p.at.Add(time.Second), merging); act.class != Hot {
		t.Errorf("a fifth of the memory merged is %v, must be hot", act.class)
	}
	blind := p.last
	blind.felt = false
	if act := p.feel(p.at.Add(time.Second), blind); act.class != Warm || !math.IsNaN(act.rate) {
		t.Errorf("when nobody counts it is %v with %v switches a second, must be warm with none known", act.class, act.rate)
	}
}

func TestPaceIsThatOfTheTable(t *testing.T) {
	for _, c := range []struct {
		class   Class
		entropy float64
		want    pace
	}{
		{Cold, math.NaN(), pace{100 * time.Microsecond, 16}},
		{Hot, 0.5, pace{20 * time.Microsecond, 256}},
		{Warm, 0.3, pace{100 * time.Microsecond, 64}},
		{Warm, 0.5, pace{60 * time.Microsecond, 64}},
		{Warm, 0.7, pace{20 * time.Microsecond, 64}},
		{Warm, 0.95, pace{20 * time.Microsecond, 64}},
		{Warm, math.NaN(), pace{100 * time.Microsecond, 64}},
	} {
		if got := paceOf(c.class, c.entropy); got != c.want {
			t.Errorf("%v with entropy %v gets %v, want %v", c.class, c.entropy, got, c.want)
		}
	}
}

func TestCouplingIsOfProcessesThatMoveTogether(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	shop, till, alone, still, young := &pulse{}, &pulse{}, &pulse{}, &pulse{}, &pulse{}
	for range couplingWindow {
		load := math.Exp(random.NormFloat64())
		shop.rates = append(shop.rates, 1000*load)
		till.rates = append(till.rates, 300*load*(1+0.1*random.Float64()))
		alone.rates = append(alone.rates, 1000*math.Exp(random.NormFloat64()))
		still.rates = append(still.rates, 50)
	}
	young.rates = shop.rates[couplingWindow-5:]
	got := coupling([]*pulse{shop, till, alone, still, young})
	if got[0] < 0.95 || got[1] < 0.95 {
		t.Errorf("two that move together have %v and %v", got[0], got[1])
	}
	if got[2] > 0.5 {
		t.Errorf("one that moves by itself has %v", got[2])
	}
	if got[3] != 0 {
		t.Errorf("one that does not move has %v", got[3])
	}
	if !math.IsNaN(got[4]) {
		t.Errorf("one that was watched for 5 s has %v", got[4])
	}
	if got := coupling([]*pulse{shop}); !math.IsNaN(got[0]) {
		t.Errorf("the only one has %v", got[0])
	}
}
