package pacer

import (
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// The points of the tests, by number. Create and exit are for each goroutine;
// ready has a program of its own and shares the one of create.
const (
	pause = iota
	latency
	create
	exit
	ready
)

var testPoints = []priced{
	pause:   {"pause", "T1", []int{0}},
	latency: {"latency", "T2", []int{1}},
	create:  {"create", "T3", []int{2}},
	exit:    {"exit", "T3", []int{3}},
	ready:   {"ready", "T3", []int{2, 4}},
}

var testCosts = []time.Duration{10 * time.Microsecond, time.Microsecond, time.Microsecond, time.Microsecond, time.Microsecond}

// world is a machine in which a control sheds and restores. What programs cost
// is taken from what the process would do: it always uses its CPUs whole.
type world struct {
	t       *testing.T
	control *control
	now     time.Time
	targets []*simulated
	// detaching takes so long after the order.
	detaching time.Duration
	sheds     []string // in order, by name
}

// simulated is a process that does something cpus × rates times a second.
type simulated struct {
	usage
	cpus  float64
	rates []float64 // of each program, a second
	cost  time.Duration
}

func newWorld(t *testing.T, budget Budget) *world {
	return &world{t: t, control: newControl(budget, testPoints, testCosts), now: time.Unix(1000, 0), detaching: 50 * time.Millisecond}
}

func (w *world) process(inode uint64, cpus float64, rates ...float64) *simulated {
	s := &simulated{cpus: cpus, rates: append(rates, make([]float64, len(testCosts)-len(rates))...)}
	s.process = &goproc.Process{PID: 100 + len(w.targets), Binary: &goproc.Binary{ID: goproc.BinaryID{Inode: inode}}}
	s.runs = make([]uint64, len(testCosts))
	s.points = make([]probe.PointStatus, len(testPoints))
	for i, p := range testPoints {
		s.points[i] = probe.PointStatus{Name: p.name, State: probe.Attached}
		if p.tier == "T3" {
			s.points[i].State = probe.Available
		}
	}
	w.targets = append(w.targets, s)
	return s
}

// ask is RequestAttach.
func (w *world) ask(s *simulated, d time.Duration, points ...int) {
	for _, p := range points {
		s.points[p].State, s.points[p].Until = probe.Attached, w.now.Add(d)
	}
}

// pass lets time pass, and looks ten times a second.
func (w *world) pass(d time.Duration) {
	for end := w.now.Add(d); w.now.Before(end); {
		w.work(period)
		usages := make([]usage, len(w.targets))
		for i, s := range w.targets {
			for j, p := range s.points {
				if !p.Until.IsZero() && !w.now.Before(p.Until) {
					s.points[j].State, s.points[j].Until = probe.Available, time.Time{}
				}
			}
			usages[i] = s.usage
			usages[i].points = slices.Clone(s.points)
		}
		for _, o := range w.control.look(w.now, usages) {
			if o.shed != nil {
				w.work(w.detaching)
			}
			for _, s := range w.targets {
				if s.file() != o.file {
					continue
				}
				for _, shed := range o.shed {
					if s.points[shed.Point].State == probe.Attached {
						s.points[shed.Point].State, s.points[shed.Point].Reason = probe.Shed, shed.Reason
					}
				}
				for _, point := range o.restore {
					if s.points[point].State == probe.Shed {
						s.points[point].State, s.points[point].Reason = probe.Attached, ""
					}
				}
			}
			for _, shed := range o.shed {
				w.sheds = append(w.sheds, testPoints[shed.Point].name)
			}
		}
	}
}

func (w *world) work(d time.Duration) {
	w.now = w.now.Add(d)
	for _, s := range w.targets {
		running := map[int]bool{}
		for _, other := range w.targets {
			if other.file() != s.file() { // links are on files
				continue
			}
			for i, p := range other.points {
				for _, program := range testPoints[i].programs {
					running[program] = running[program] || p.State == probe.Attached
				}
			}
		}
		s.cpu += time.Duration(s.cpus * float64(d))
		for program := range running {
			if running[program] {
				n := uint64(s.rates[program] * d.Seconds())
				s.runs[program] += n
				s.cost += time.Duration(n) * testCosts[program]
			}
		}
	}
}

// ratio is what programs cost a process, of its CPU time, while f runs.
func (s *simulated) ratio(f func()) float64 {
	cost, cpu := s.cost, s.cpu
	f()
	return (s.cost - cost).Seconds() / (s.cpu - cpu).Seconds()
}

func (s *simulated) states(points ...int) (states []string) {
	for _, p := range points {
		states = append(states, s.points[p].State.String())
	}
	return states
}

func TestWhatFitsIntoTheBudgetStays(t *testing.T) {
	w := newWorld(t, 0.01)
	w.process(1, 2, 5, 15_000)
	w.pass(5 * time.Minute)
	if w.sheds != nil {
		t.Errorf("shed %v of a process that costs 0.75 %%", w.sheds)
	}
}

func TestASleepingProcessMayBeHitNowAndThen(t *testing.T) {
	w := newWorld(t, 0.01)
	// 1 ms of CPU a second, of which 400 µs are the probes'.
	w.process(1, 0.001, 0, 400)
	w.pass(time.Minute)
	if w.sheds != nil {
		t.Errorf("shed %v of a process that sleeps", w.sheds)
	}
}

func TestAStormIsShedAtOnce(t *testing.T) {
	w := newWorld(t, 0.01)
	s := w.process(1, 1.9, 5, 100_000, 900_000, 900_000)
	w.pass(10 * time.Second)
	w.sheds = nil
	w.ask(s, time.Minute, create, exit)
	w.pass(2 * period)
	if got := s.states(create, exit); !slices.Equal(got, []string{"shed", "shed"}) {
		t.Fatalf("0.2 s after goroutines are watched in a storm, create and exit are %v", got)
	}
	if reason := s.points[create].Reason; !strings.Contains(reason, "CPUs that process 100 uses, the budget is 1 %") {
		t.Errorf("reason is %q", reason)
	}
}

func TestTheDearestOfTheHighestTierGoesFirst(t *testing.T) {
	w := newWorld(t, 0.01)
	s := w.process(1, 2, 5, 16_000, 30_000, 60_000)
	w.ask(s, time.Hour, create, exit)
	w.pass(10 * time.Second)
	if len(w.sheds) < 2 || w.sheds[0] != "exit" || w.sheds[1] != "create" {
		t.Errorf("shed %v, must begin with exit and create", w.sheds)
	}
	if slices.Contains(w.sheds, "latency") {
		t.Errorf("shed %v: latency fits alone", w.sheds)
	}
}

func TestTier2GoesWhenThatIsNotEnoughAndTier1Stays(t *testing.T) {
	w := newWorld(t, 0.01)
	// A collection costs 20 %, latencies 10 %.
	s := w.process(1, 1, 4000, 100_000)
	w.pass(10 * time.Second)
	if got := s.states(pause, latency); !slices.Equal(got, []string{"attached", "shed"}) {
		t.Errorf("pause and latency are %v", got)
	}
	if s.rates[0] = 40_000; true { // 40 times the budget
		w.pass(10 * time.Second)
	}
	if got := s.states(pause); got[0] != "shed" {
		t.Errorf("pauses that cost 40 times the budget are %v", got)
	}
}

func TestPointsThatShareAProgramAreShedUntilItEnds(t *testing.T) {
	w := newWorld(t, 0.01)
	s := w.process(1, 1, 0, 0, 50_000)
	w.ask(s, time.Hour, create, ready)
	w.pass(3 * period)
	if got := s.states(create, ready); !slices.Equal(got, []string{"shed", "shed"}) {
		t.Errorf("create and ready, which share a program, are %v", got)
	}
}

// What is asked for in a storm is seen for moments, which the budget pays for.
func TestWhatIsAskedForIsWatchedInTurnsInsideTheBudget(t *testing.T) {
	for name, rate := range map[string]float64{"a little too much": 20_000, "a lot": 200_000, "a storm": 900_000} {
		w := newWorld(t, 0.01)
		s := w.process(1, 1.9, 5, 10_000, rate)
		w.pass(10 * time.Second)
		w.ask(s, 10*time.Minute, create)
		w.pass(5 * time.Second)
		runs := s.runs[2]
		ratio := s.ratio(func() { w.pass(9 * time.Minute) })
		if ratio > 0.012 {
			t.Errorf("%s: watching costs %.2f %%, the budget is 1 %%", name, 100*ratio)
		}
		if s.runs[2] == runs {
			t.Errorf("%s: it was never watched", name)
		}
		t.Logf("%s: %.2f %%, watched %.2f %% of the time", name, 100*ratio, 100*float64(s.runs[2]-runs)/(rate*540))
	}
}

func TestWhatDoesNotFitIsTriedLessAndLessOften(t *testing.T) {
	w := newWorld(t, 0.01)
	s := w.process(1, 1, 0, 300_000)
	trials := func(d time.Duration) int {
		before := len(w.sheds)
		w.pass(d)
		return len(w.sheds) - before
	}
	first := trials(5 * time.Minute)
	w.pass(20 * time.Minute)
	later := trials(20 * time.Minute)
	if first < 2 || later > 5 {
		t.Errorf("%d trials in the first 5 minutes, %d in 20 later ones", first, later)
	}
	// And when the load is gone, it comes back.
	s.rates[latency] = 3000
	w.pass(6 * time.Minute)
	if got := s.states(latency); got[0] != "attached" {
		t.Errorf("what fits again is %v", got)
	}
}

func TestAProcessIsShedForWhatRunsTheSameFile(t *testing.T) {
	w := newWorld(t, 0.01)
	busy, calm := w.process(1, 1, 0, 300_000), w.process(1, 1, 0, 100)
	other := w.process(2, 1, 0, 100)
	w.pass(3 * time.Second)
	if got := append(busy.states(latency), append(calm.states(latency), other.states(latency)...)...); !slices.Equal(got, []string{"shed", "shed", "attached"}) {
		t.Errorf("the busy one, its twin and another are %v", got)
	}
	if !strings.Contains(calm.points[latency].Reason, "process 100") {
		t.Errorf("the twin is told %q, must name the busy process", calm.points[latency].Reason)
	}
}

func TestADebtIsForgottenInTime(t *testing.T) {
	w := newWorld(t, 0.01)
	s := w.process(1, 1.9, 0, 1000, 900_000)
	w.ask(s, time.Hour, create)
	w.pass(5 * time.Second)
	// The storm is over, and the process sleeps.
	s.cpus, s.rates = 0.01, []float64{0, 10, 10, 0, 0}
	w.pass(4 * time.Minute)
	if got := s.states(latency, create); !slices.Equal(got, []string{"attached", "attached"}) {
		t.Errorf("4 minutes after the storm latency and create are %v", got)
	}
}

func TestBudgetsAreRead(t *testing.T) {
	for text, want := range map[string]Budget{"1%": 0.01, "0.5 %": 0.005, " 50% ": 0.5, "0.01%": 0.0001} {
		var b Budget
		if err := b.UnmarshalText([]byte(text)); err != nil || b != want {
			t.Errorf("%q is %v, %v", text, b, err)
		}
	}
	for _, text := range []string{"", "1", "0.01", "%", "-1%", "0%", "51%", "NaN%", "Inf%", "1%%", "one %", "1e300%"} {
		b := DefaultBudget
		if err := b.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q is taken as %v", text, b)
		} else if !strings.Contains(err.Error(), "budget") {
			t.Errorf("%q: the error does not name the field: %v", text, err)
		}
	}
}
