package probe

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// MaxAttach is the longest time for which a costly point can be asked for at once.
const MaxAttach = 5 * time.Minute

// State says how a point stands with a process.
type State uint8

const (
	// Attached, but not seen to fire yet.
	Attached State = iota + 1
	// Firing is attached and seen to fire.
	Firing
	// Available can be attached on demand.
	Available
	// Refused can't be attached; there is a reason.
	Refused
	// Shed was detached to hold the cost of watching; there is a reason.
	Shed
)

func (s State) String() string {
	return [...]string{"unknown", "attached", "firing", "available", "refused", "shed"}[s]
}

// Status is a process that was seen, and how each point stands with it.
type Status struct {
	Process *goproc.Process
	Points  []PointStatus
	Health  Health
}

// PointStatus is how a point stands with a process.
type PointStatus struct {
	Name   string
	State  State
	Reason string
	Hits   uint64
	// Until is when a time-boxed attachment ends.
	Until time.Time
}

// Attachment answers [Watcher.RequestAttach] for one process.
type Attachment struct {
	Process *goproc.Process
	Until   time.Time
	// Refused says why not; empty when it is attached.
	Refused string
	// Shed says why it is not attached for now: it will be when there is room in
	// the budget, again and again until Until.
	Shed string
}

// Watcher attaches the points to the processes that a finder finds, follows
// their exits and re-execs, and detaches what was asked for only for a while.
type Watcher struct {
	kernel *Kernel // nil when nothing can be attached
	finder *goproc.Finder
	ledger *goproc.Ledger
	log    *slog.Logger
	// refusal says why there is no kernel.
	refusal string

	// changing is held while something is attached or detached, which takes
	// tens of milliseconds, and guards links.
	changing sync.Mutex
	links    map[linkKey]*sharedLink
	// lookedForCPUs is when samplers were last told which CPUs are online.
	lookedForCPUs time.Time

	// mu guards what follows, and is never held for long.
	mu        sync.Mutex
	processes map[int]*watched // by pid
}

// watched is a process, and what is attached to it. It is changed with both
// changing and mu held, so it may be read with either.
type watched struct {
	process *goproc.Process
	slot    *Slot // nil when nothing can be attached
	points  []attached
	exit    *exitWatch
	pulse   pulse
}

type attached struct {
	state  State
	reason string
	until  time.Time
	// idle says that the process never does what the point measures, so that
	// nobody has to be told.
	idle bool
	// closed says that it is between two windows: it has no links.
	closed bool
}

func refused(err error) attached {
	return attached{state: Refused, reason: err.Error(), idle: errors.Is(err, errIdle)}
}

// errIdle is in the error of a point which measures what a program can't do:
// it is not linked in.
var errIdle = errors.New("it is not linked in")

// NewWatcher returns a watcher. Without a kernel, it lists processes and says
// of each point why it can't be attached.
func NewWatcher(k *Kernel, finder *goproc.Finder, ledger *goproc.Ledger, log *slog.Logger) *Watcher {
	w := &Watcher{
		kernel: k, finder: finder, ledger: ledger, log: log,
		links:     map[linkKey]*sharedLink{},
		processes: map[int]*watched{},
	}
	if k == nil {
		w.refusal = missing(Doctor())
	}
	return w
}

// missing sums up what stands in the way.
func missing(findings []Finding) string {
	var reasons []string
	for _, f := range findings {
		if f.Required && !f.OK {
			reasons = append(reasons, f.Name+": "+f.Found)
		}
	}
	if reasons == nil {
		return "the programs were not loaded into the kernel"
	}
	return strings.Join(reasons, "; ")
}

// Run watches until ctx is done, and then detaches everything.
func (w *Watcher) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var expiry sync.WaitGroup
	expiry.Go(func() {
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case now := <-tick.C:
				w.expire(now)
				w.followCPUs(now)
			}
		}
	})
	expiry.Go(func() { w.windows(ctx) })
	if w.kernel != nil {
		execs, err := w.kernel.watchExecs(w.finder.Notice)
		if err != nil {
			w.log.Warn("new processes are seen up to half a second late", "err", err)
		} else {
			defer func() { w.say(execs.stop()) }()
		}
	}
	err := w.finder.Run(ctx, w.follow)
	cancel()
	expiry.Wait()
	w.detachAll()
	if err != nil && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("find processes: %w", err)
	}
	return nil
}

// say logs an error that changes nothing.
func (w *Watcher) say(err error) {
	if err != nil {
		w.log.Error("detach", "error", err)
	}
}

// follow takes in a change in the set of processes.
func (w *Watcher) follow(e goproc.Event) {
	switch e.Kind {
	case goproc.Appeared:
		w.add(e.Process)
	case goproc.Exited:
		w.remove(e.Process.PID)
	case goproc.Replaced:
		w.remove(e.Process.PID)
		w.add(e.Process)
	}
}

// add begins to watch a process.
func (w *Watcher) add(p *goproc.Process) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if old := w.processes[p.PID]; old != nil {
		w.close(w.end(old))
	}
	n := &watched{process: p, points: make([]attached, len(Catalogue))}
	if p.Binary != nil {
		w.ledger.Observe(p, time.Now())
	}
	refuse := func(reason string) {
		for i := range n.points {
			n.points[i] = attached{state: Refused, reason: reason}
		}
	}
	switch {
	case p.Refused != nil:
		refuse(p.Refused.Error())
	case w.kernel == nil:
		refuse(w.refusal)
	default:
		slot, err := w.kernel.admit(p)
		if err != nil {
			refuse(err.Error())
			break
		}
		n.slot = slot
		for i := range Catalogue {
			n.points[i] = w.begin(n, i)
		}
	}
	n.exit = watchExit(p.PID, func() { w.removeSame(n) })
	w.mu.Lock()
	w.processes[p.PID] = n
	w.mu.Unlock()
	if p.Refused == nil && w.kernel != nil && !errors.Is(unix.Kill(p.PID, 0), unix.ESRCH) {
		w.sayRefused(n)
	}
}

// sayRefused logs which points can't be attached to a process, once for each
// reason. Of a process that has ended meanwhile there is nothing to say.
func (w *Watcher) sayRefused(n *watched) {
	points := map[string][]string{}
	for i, a := range n.points {
		if a.state == Refused && !a.idle {
			points[a.reason] = append(points[a.reason], Catalogue[i].Name)
		}
	}
	for reason, names := range points {
		w.log.Warn("points refused", "pid", n.process.PID, "executable", n.process.Executable, "poms", strings.Join(names, ","), "reason", reason)
	}
}

// begin attaches a point to a process that is new, or makes sure that it could be.
func (w *Watcher) begin(n *watched, point int) attached {
	if Catalogue[point].OnDemand {
		if err := w.check(n.process, point); err != nil {
			return refused(err)
		}
		return attached{state: Available}
	}
	// A link for the new one would be on the processes that it was shed for.
	if reason := w.shedOn(n.process.Binary.ID, point); reason != "" {
		if err := w.check(n.process, point); err != nil {
			return attached{state: Refused, reason: err.Error()}
		}
		return attached{state: Shed, reason: reason}
	}
	if err := w.attach(n, point); err != nil {
		return refused(err)
	}
	return attached{state: Attached}
}

// check says what a process lacks for a point, without touching it.
func (w *Watcher) check(p *goproc.Process, point int) error {
	if needs := Catalogue[point].needs; needs != nil {
		if err := needs(p.Binary); err != nil {
			return err
		}
	}
	for _, probe := range w.kernel.probes(p.Binary, point) {
		if err := w.kernel.missing[probe.Program]; err != nil {
			return err
		}
		if _, err := probe.sites(p.Binary); err != nil {
			return fmt.Errorf("find where %s goes: %w", probe.Program, err)
		}
	}
	return nil
}

// attach attaches all probes of a point, or none.
func (w *Watcher) attach(n *watched, point int) error {
	if err := w.check(n.process, point); err != nil {
		return err
	}
	probes := w.kernel.probes(n.process.Binary, point)
	for i, probe := range probes {
		if err := w.acquire(n.process, probe); err != nil {
			w.close(w.release(n.process, probes[:i]))
			return err
		}
	}
	if err := w.kernel.want(n.slot, point, true); err != nil {
		w.close(w.release(n.process, probes))
		return err
	}
	return nil
}

// resume attaches a point, or, of one that has windows, makes sure that it could
// be, and leaves it closed.
func (w *Watcher) resume(n *watched, point int) (closed bool, err error) {
	if Catalogue[point].Window > 0 {
		return true, w.check(n.process, point)
	}
	return false, w.attach(n, point)
}

// detach ends the counting of a point at once, then drops its links.
func (w *Watcher) detach(n *watched, point int) { w.close(w.drop(n, point)) }

// drop ends the counting of a point, and returns the links that nobody needs any more.
func (w *Watcher) drop(n *watched, point int) (unused []*sharedLink) {
	if n.points[point].closed {
		return nil
	}
	if err := w.kernel.want(n.slot, point, false); err != nil {
		w.log.Error("stop counting", "pom", Catalogue[point].Name, "error", err)
	}
	return w.release(n.process, w.kernel.probes(n.process.Binary, point))
}

func (w *Watcher) acquire(p *goproc.Process, probe Probe) error {
	key := probe.key(p.Binary)
	if l := w.links[key]; l != nil {
		l.users++
		return nil
	}
	sites, err := probe.sites(p.Binary)
	if err != nil {
		return fmt.Errorf("find where %s goes: %w", probe.Program, err)
	}
	for _, s := range sites {
		if err := p.CheckCode(s); err != nil {
			return err
		}
	}
	l, err := w.kernel.attach(p, probe.Program, sites)
	if err != nil {
		return err
	}
	l.users = 1
	w.links[key] = l
	return nil
}

// release gives up probes. It returns the links that nobody needs any more,
// which the caller closes before anything else is attached: two links on a
// place would count a hit twice.
func (w *Watcher) release(p *goproc.Process, probes []Probe) (unused []*sharedLink) {
	for _, probe := range slices.Backward(probes) {
		key := probe.key(p.Binary)
		l := w.links[key]
		l.users--
		if l.users == 0 {
			delete(w.links, key)
			unused = append(unused, l)
		}
	}
	return unused
}

// close detaches links, all at once: the kernel takes tens of milliseconds for each.
func (w *Watcher) close(unused []*sharedLink) {
	var closing sync.WaitGroup
	for _, l := range unused {
		closing.Go(func() {
			if err := l.close(); err != nil {
				w.log.Error("detach", "error", err)
			}
		})
	}
	closing.Wait()
}

// remove ends the watching of a process that is gone, or became another.
func (w *Watcher) remove(pid int) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if n := w.processes[pid]; n != nil {
		w.close(w.end(n))
	}
}

// removeSame is remove for when the pid may be another process's by now.
func (w *Watcher) removeSame(n *watched) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if w.processes[n.process.PID] == n {
		w.close(w.end(n))
	}
}

// end ends the watching of a process, and returns the links that nobody needs any more.
func (w *Watcher) end(n *watched) (unused []*sharedLink) {
	w.mu.Lock()
	delete(w.processes, n.process.PID)
	w.mu.Unlock()
	n.exit.stop()
	if n.slot != nil {
		for i, a := range n.points {
			if a.state == Attached && !a.closed {
				unused = append(unused, w.release(n.process, w.kernel.probes(n.process.Binary, i))...)
			}
		}
		if err := w.kernel.retire(n.slot); err != nil {
			w.log.Error("end of watching", "pid", n.process.PID, "error", err)
		}
	}
	if n.process.Binary != nil {
		w.ledger.Ended(n.process, time.Now())
	}
	return unused
}

func (w *Watcher) detachAll() {
	w.changing.Lock()
	defer w.changing.Unlock()
	var unused []*sharedLink
	for _, n := range w.snapshot() {
		unused = append(unused, w.end(n)...)
	}
	w.close(unused)
}

func (w *Watcher) snapshot() []*watched {
	w.mu.Lock()
	defer w.mu.Unlock()
	all := make([]*watched, 0, len(w.processes))
	for _, n := range w.processes {
		all = append(all, n)
	}
	slices.SortFunc(all, func(a, b *watched) int { return cmp.Compare(a.process.PID, b.process.PID) })
	return all
}

// set changes the state of a point of a process.
func (w *Watcher) set(n *watched, point int, a attached) {
	w.mu.Lock()
	defer w.mu.Unlock()
	n.points[point] = a
}

// Readable lists the processes seen whose binary is understood, by pid, whether
// or not anything can be attached to them.
func (w *Watcher) Readable() []*goproc.Process {
	var list []*goproc.Process
	for _, n := range w.snapshot() {
		if n.process.Refused == nil {
			list = append(list, n.process)
		}
	}
	return list
}

// Processes lists the processes seen, by pid.
func (w *Watcher) Processes() []Status {
	var list []Status
	for _, n := range w.snapshot() {
		s := Status{Process: n.process}
		w.mu.Lock()
		points := slices.Clone(n.points)
		w.mu.Unlock()
		for i, a := range points {
			s.Points = append(s.Points, PointStatus{Name: Catalogue[i].Name, State: a.state, Reason: a.reason, Until: a.until})
		}
		if n.slot != nil {
			tally, err := w.kernel.Tally(n.slot)
			if err != nil {
				w.log.Error("read hits", "pid", n.process.PID, "error", err)
			}
			for i := range s.Points {
				s.Points[i].Hits = tally.Of[i].Hits
				if s.Points[i].State == Attached && s.Points[i].Hits > 0 {
					s.Points[i].State = Firing
				}
			}
		}
		w.mu.Lock()
		s.Health = n.pulse.feel(&s, time.Now())
		w.mu.Unlock()
		list = append(list, s)
	}
	return list
}

// RequestAttach attaches a costly point to the processes that match, for d,
// which is at most [MaxAttach]. Asking again extends the time, never shortens it.
func (w *Watcher) RequestAttach(pom string, match func(*goproc.Process) bool, d time.Duration) ([]Attachment, error) {
	point, err := PointNumber(pom)
	if err != nil {
		return nil, err
	}
	if !Catalogue[point].OnDemand {
		return nil, fmt.Errorf("measurement point %q is always attached, it can't be requested", pom)
	}
	if d <= 0 || d > MaxAttach {
		return nil, fmt.Errorf("duration is %s, must be over 0s and at most %s", d, MaxAttach)
	}
	w.changing.Lock()
	defer w.changing.Unlock()
	var answer []Attachment
	for _, n := range w.snapshot() {
		if !match(n.process) {
			continue
		}
		answer = append(answer, w.extend(n, point, d))
	}
	return answer, nil
}

// extend attaches a point to a process for d, or for as long as it is anyway.
func (w *Watcher) extend(n *watched, point int, d time.Duration) Attachment {
	a := n.points[point]
	if reason := w.shedOn(n.process.Binary.ID, point); reason != "" && a.state == Available {
		a = attached{state: Shed, reason: reason}
	}
	if a.state == Available {
		closed, err := w.resume(n, point)
		if err != nil {
			return Attachment{Process: n.process, Refused: err.Error()}
		}
		a = attached{state: Attached, closed: closed}
	}
	if a.state == Refused {
		return Attachment{Process: n.process, Refused: a.reason}
	}
	// From now, for attaching takes a while.
	if until := time.Now().Add(d); until.After(a.until) {
		a.until = until
	}
	w.set(n, point, a)
	answer := Attachment{Process: n.process, Until: a.until}
	if a.state == Shed {
		answer.Shed = a.reason
	}
	return answer
}

// expire detaches what was asked for until now.
func (w *Watcher) expire(now time.Time) {
	w.changing.Lock()
	defer w.changing.Unlock()
	for _, n := range w.snapshot() {
		for i, a := range n.points {
			if a.until.IsZero() || now.Before(a.until) {
				continue
			}
			switch a.state {
			case Attached:
				w.detach(n, i)
				w.set(n, i, attached{state: Available})
			case Shed:
				w.set(n, i, attached{state: Available})
			}
		}
	}
}

// cpusPeriod is how often the watcher looks for CPUs that came or went.
const cpusPeriod = time.Second

// followCPUs samples those CPUs that are online.
func (w *Watcher) followCPUs(now time.Time) {
	w.changing.Lock()
	defer w.changing.Unlock()
	if now.Sub(w.lookedForCPUs) < cpusPeriod {
		return
	}
	w.lookedForCPUs = now
	for _, l := range w.links {
		for _, one := range l.links {
			s, samples := one.(*sampler)
			if !samples {
				continue
			}
			cpus, err := online()
			if err == nil {
				err = s.follow(cpus)
			}
			if err != nil {
				w.log.Error("follow CPUs", "error", err)
			}
		}
	}
}

// SetRateLimit sets the least time between two carried events of a point of a
// process; 0 carries all that the ring has room for.
func (w *Watcher) SetRateLimit(p *goproc.Process, d time.Duration) error {
	w.changing.Lock()
	defer w.changing.Unlock()
	n := w.processes[p.PID]
	if n == nil || n.process != p || n.slot == nil {
		return fmt.Errorf("process %d is not watched", p.PID)
	}
	n.slot.config.RateLimitNs = uint64(d)
	return w.kernel.configure(n.slot)
}
