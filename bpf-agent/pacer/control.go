package pacer

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// How the budget is held. Each process has an account, in seconds of CPU time:
//
//	its CPU time × budget ──▶ credit ──▶ runs of programs × cost of a run
//
// The credit is at most what it earns in [saving], so what is spent over any
// time is the budget's share, and that much more at once. When it is used up,
// points are shed until what is left costs less than is earned: T3 first, then
// T2, the dearest first. A point comes back when it is expected to fit; one
// that isn't comes back for a trial, or, where somebody asked for it, for a
// while again and again, whenever the debt is paid and there are new savings.
// So the average stays in the budget whatever the process does.
const (
	// saving is how long a process saves at most.
	saving = 5 * time.Second
	// idleCPUs is what a process earns as if it used, when it uses less: a few
	// hits of one that sleeps are no reason to shed anything.
	idleCPUs = 0.05
	// forgiving is the time in which all but a third of a debt is forgotten, so
	// that a process that had a storm and sleeps now is watched again.
	forgiving = time.Minute
	// settling is the time over which rates are averaged.
	settling = time.Second
	// window is how long the ratio that is shown is over.
	window = 5 * time.Second
	// headroom is how much of what is earned may be used for a point to be
	// brought back: less than makes it shed.
	headroom = 0.8
	// A point that was brought back and did not fit stays away for twice as
	// long as the last time; one that stayed for long enough is as new.
	leastBackoff    = 5 * time.Second
	greatestBackoff = 5 * time.Minute
	// askedBackoff is for points that somebody waits for.
	askedBackoff = time.Second
	// absurd is how many times the budget points of tier T1 may cost.
	absurd = 10
)

// usage is what a process has used and what has run on it, since it is watched.
type usage struct {
	process *goproc.Process
	cpu     time.Duration
	runs    []uint64 // by the program's number
	points  []probe.PointStatus
	// For its heat.
	slot   *probe.Slot
	events uint64 // of sched.latency
}

func (u *usage) file() goproc.BinaryID { return u.process.Binary.ID }

// priced is a point of the catalogue, and the programs it needs.
type priced struct {
	name, tier string
	programs   []int
}

// control decides what to shed and what to bring back. It does nothing itself,
// and time is what it is told.
type control struct {
	budget Budget
	points []priced
	cost   []time.Duration // of a run, by the program's number

	accounts map[*goproc.Process]*account
	sheds    map[shedKey]*shed
}

// account is what a process earns and spends.
type account struct {
	at   time.Time
	cpu  time.Duration
	runs []uint64

	credit float64
	spent  time.Duration
	// By program, seconds of CPU time in a second: over the last look, and averaged.
	now, average []float64
	// CPUs used: the greater of over the last look and averaged, as with rates.
	cpus, averageCPUs float64
	// past holds looks of the window, oldest first.
	past []look
}

type look struct {
	at         time.Time
	cpu, spent time.Duration
	runs       uint64
}

type shedKey struct {
	file  goproc.BinaryID
	point int
}

// shed is a point that is shed, or that has just been brought back.
type shed struct {
	// share is what it cost, of the CPU time of the process that suffered most.
	share   float64
	backoff time.Duration
	// next is when it may come back at the earliest.
	next time.Time
	// back is since when it is back; zero while it is not.
	back time.Time
}

// order is what to do to the points of a file.
type order struct {
	file    goproc.BinaryID
	shed    []probe.Shedding
	restore []int
}

func newControl(budget Budget, points []priced, cost []time.Duration) *control {
	return &control{
		budget: budget, points: points, cost: cost,
		accounts: map[*goproc.Process]*account{}, sheds: map[shedKey]*shed{},
	}
}

// look takes in what all watched processes have used, and says what to do. It
// is called several times a second, so that a storm is shed at once.
func (c *control) look(now time.Time, usages []usage) []order {
	files := map[goproc.BinaryID][]*usage{}
	watched := map[*goproc.Process]bool{}
	for i := range usages {
		u := &usages[i]
		watched[u.process] = true
		files[u.file()] = append(files[u.file()], u)
		c.book(now, u)
	}
	maps.DeleteFunc(c.accounts, func(p *goproc.Process, _ *account) bool { return !watched[p] })
	c.reconcile(files)
	var orders []order
	for file, users := range files {
		o := order{file: file}
		for _, u := range users {
			if c.accounts[u.process].credit < 0 {
				c.shed(now, u, users, &o)
			}
		}
		if o.shed == nil {
			if point, ok := c.restore(now, file, users); ok {
				o.restore = []int{point}
			}
		}
		if o.shed != nil || o.restore != nil {
			orders = append(orders, o)
		}
	}
	return orders
}

// book puts into the account of a process what it has earned and spent.
func (c *control) book(now time.Time, u *usage) {
	a := c.accounts[u.process]
	if a == nil {
		a = &account{
			at: now, cpu: u.cpu, runs: slices.Clone(u.runs),
			now: make([]float64, len(c.cost)), average: make([]float64, len(c.cost)),
			credit: float64(c.budget) * idleCPUs * saving.Seconds(),
			// What has run before the first look is spent, too.
			spent: c.price(u.runs),
		}
		a.past = []look{{now, a.cpu, a.spent, total(a.runs)}}
		c.accounts[u.process] = a
		return
	}
	took := now.Sub(a.at).Seconds()
	if took <= 0 {
		return
	}
	cpu := max(0, (u.cpu - a.cpu).Seconds())
	weight := 1 - math.Exp(-took/settling.Seconds())
	a.averageCPUs += (cpu/took - a.averageCPUs) * weight
	a.cpus = max(a.averageCPUs, cpu/took)
	var spent float64
	for program, cost := range c.cost {
		s := float64(u.runs[program]-a.runs[program]) * cost.Seconds()
		spent += s
		a.now[program] = s / took
		a.average[program] += (a.now[program] - a.average[program]) * weight
	}
	if a.credit < 0 {
		a.credit *= math.Exp(-took / forgiving.Seconds())
	}
	a.credit += float64(c.budget) * max(cpu, idleCPUs*took)
	a.credit = min(a.credit, c.savings(a)) - spent
	a.spent += time.Duration(spent * 1e9)
	a.at, a.cpu = now, u.cpu
	copy(a.runs, u.runs)
	a.past = append(a.past, look{now, a.cpu, a.spent, total(a.runs)})
	for len(a.past) > 2 && now.Sub(a.past[1].at) >= window {
		a.past = a.past[1:]
	}
}

func total(runs []uint64) (n uint64) {
	for _, r := range runs {
		n += r
	}
	return n
}

// price is what runs have cost.
func (c *control) price(runs []uint64) (sum time.Duration) {
	for program, cost := range c.cost {
		sum += time.Duration(runs[program]) * cost
	}
	return sum
}

// earned is what a process may spend in a second, in seconds.
func (c *control) earned(a *account) float64 { return float64(c.budget) * max(a.cpus, idleCPUs) }

// savings is the most that a process can have saved.
func (c *control) savings(a *account) float64 { return c.earned(a) * saving.Seconds() }

// rate is what a program costs a process in a second. A storm is seen at once,
// and the end of one only when it has been over for a while.
func (a *account) rate(program int) float64 { return max(a.now[program], a.average[program]) }

// rates is what the programs of points cost a process in a second, each once.
func (c *control) rates(a *account, points map[int]bool) (sum float64) {
	seen := map[int]bool{}
	for point := range points {
		for _, program := range c.points[point].programs {
			if !seen[program] {
				seen[program] = true
				sum += a.rate(program)
			}
		}
	}
	return sum
}

// attached is the points that are attached to any of the processes of a file.
func attached(users []*usage) map[int]bool {
	points := map[int]bool{}
	for _, u := range users {
		for i, p := range u.points {
			if p.State == probe.Attached || p.State == probe.Firing {
				points[i] = true
			}
		}
	}
	return points
}

// shed adds to an order what must be detached for a process to get out of debt.
func (c *control) shed(now time.Time, u *usage, users []*usage, o *order) {
	a := c.accounts[u.process]
	left := attached(users)
	for _, s := range o.shed {
		delete(left, s.Point)
	}
	for c.rates(a, left) > c.earned(a) {
		point, ok := c.dearest(a, left)
		if !ok {
			return
		}
		cpus := max(a.cpus, idleCPUs)
		costs := c.rates(a, map[int]bool{point: true})
		delete(left, point)
		o.shed = append(o.shed, probe.Shedding{Point: point, Reason: fmt.Sprintf(
			"it costs %s of the %.2g CPUs that process %d uses, the budget is %s", percent(costs/cpus), cpus, u.process.PID, c.budget)})
		c.note(now, shedKey{u.file(), point}, costs/cpus, u.points[point].Until)
	}
}

// dearest chooses what to shed next: of the highest tier that has a point that
// costs anything, the one whose programs cost most.
func (c *control) dearest(a *account, left map[int]bool) (point int, ok bool) {
	candidates := slices.DeleteFunc(slices.Sorted(maps.Keys(left)), func(p int) bool {
		costs := c.rates(a, map[int]bool{p: true})
		return costs == 0 || c.points[p].tier == "T1" && costs < absurd*c.earned(a)
	})
	if len(candidates) == 0 {
		return 0, false
	}
	return slices.MaxFunc(candidates, func(p, q int) int {
		return cmp.Or(cmp.Compare(c.points[p].tier, c.points[q].tier),
			cmp.Compare(c.rates(a, map[int]bool{p: true}), c.rates(a, map[int]bool{q: true})))
	}), true
}

// note remembers that a point is shed, and decides when it may come back.
func (c *control) note(now time.Time, key shedKey, share float64, until time.Time) {
	s := c.sheds[key]
	switch {
	case s == nil:
		s = &shed{backoff: leastBackoff}
		c.sheds[key] = s
	case s.back.IsZero(): // ordered, and not done yet
	case now.Sub(s.back) < max(time.Minute, 2*s.backoff):
		s.backoff = min(2*s.backoff, greatestBackoff)
	default:
		s.backoff = leastBackoff
	}
	s.share, s.back = share, time.Time{}
	s.next = now.Add(s.backoff)
	if !until.IsZero() {
		s.next = now.Add(askedBackoff)
	}
}

// reconcile forgets what is neither shed nor has just been: nobody asks for it
// any more, or its processes are gone.
func (c *control) reconcile(files map[goproc.BinaryID][]*usage) {
	maps.DeleteFunc(c.sheds, func(key shedKey, s *shed) bool {
		return !slices.ContainsFunc(files[key.file], func(u *usage) bool {
			state := u.points[key.point].State
			return state == probe.Shed || state == probe.Attached || state == probe.Firing
		})
	})
}

// restore chooses the point of a file to bring back, one at a time so that
// each can be measured: what is always watched first, the cheapest of it first.
func (c *control) restore(now time.Time, file goproc.BinaryID, users []*usage) (int, bool) {
	var candidates []int
	for key, s := range c.sheds {
		if key.file != file {
			continue
		}
		if !s.back.IsZero() {
			if now.Sub(s.back) < settling {
				return 0, false // the last one is still being measured
			}
			continue
		}
		if !now.Before(s.next) && isShed(users, key.point) {
			candidates = append(candidates, key.point)
		}
	}
	slices.SortFunc(candidates, func(p, q int) int {
		return cmp.Or(cmp.Compare(c.points[p].tier, c.points[q].tier),
			cmp.Compare(c.sheds[shedKey{file, p}].share, c.sheds[shedKey{file, q}].share), cmp.Compare(p, q))
	})
	running := attached(users)
	for _, point := range candidates {
		s := c.sheds[shedKey{file, point}]
		if !slices.ContainsFunc(users, func(u *usage) bool { return !c.affords(u, s, running, point) }) {
			s.back = now
			return point, true
		}
	}
	return 0, false
}

func isShed(users []*usage, point int) bool {
	return slices.ContainsFunc(users, func(u *usage) bool { return u.points[point].State == probe.Shed })
}

// affords says whether a process can have a point back, for good or for a while.
func (c *control) affords(u *usage, s *shed, running map[int]bool, point int) bool {
	a := c.accounts[u.process]
	// It is expected to cost the same share of what the process does.
	expected := s.share * a.cpus
	if c.rates(a, running)+expected <= headroom*c.earned(a) {
		return a.credit > 0
	}
	enough := 0.9 * c.savings(a)
	if !u.points[point].Until.IsZero() {
		// For a second, or for as long as it can be.
		enough = min(enough, expected)
	}
	return a.credit >= enough
}

// ratio is what watching a process has cost of its CPU time, over the window.
// Probes are paid for in CPU time of the process, so it is at most 1.
func (a *account) ratio() float64 {
	first, last := a.past[0], a.past[len(a.past)-1]
	spent, cpu := (last.spent - first.spent).Seconds(), (last.cpu - first.cpu).Seconds()
	if spent == 0 {
		return 0
	}
	return spent / max(cpu, spent)
}

// recent returns program runs and CPU time, a second, over the last second or so.
func (a *account) recent() (runs, cpus float64) {
	last := a.past[len(a.past)-1]
	for _, first := range slices.Backward(a.past) {
		if took := last.at.Sub(first.at); took >= time.Second {
			return float64(last.runs-first.runs) / took.Seconds(), (last.cpu - first.cpu).Seconds() / took.Seconds()
		}
	}
	return 0, 0
}
