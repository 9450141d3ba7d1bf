// Package collect collects the profiles that watched processes serve by
// net/http/pprof, again and again, and keeps them for a while.
//
// A process has a turn for each type of profile: a CPU profile of 10 s in each
// minute, a snapshot of each other type once a minute. Turns of one process
// come one after the other, never two at once: a Go program takes one CPU
// profile at a time, and a snapshot taken meanwhile would be in it. The first
// turn is at any time of a minute, and each next one a little off, so that
// processes don't line up.
//
// A turn that fails is taken again after 15 s, then later and later, up to ten
// minutes. Of a program that is being profiled by someone else, that someone
// comes first.
package collect

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/profile"
)

// Schedule says how often and for how long is collected.
type Schedule struct {
	// Every is the time between two turns of one type, and CPU how long a CPU profile takes.
	Every, CPU time.Duration
	// Retry is how long to wait at first when a turn has failed, and MaxRetry at most.
	Retry, MaxRetry time.Duration
	// Answer is how long an answer may take, besides what it collects for.
	Answer time.Duration
	// Look is the time between two looks at which profiles a process serves.
	Look time.Duration
}

// Usual is 10 s of CPU in each minute.
var Usual = Schedule{
	Every: time.Minute, CPU: 10 * time.Second,
	Retry: 15 * time.Second, MaxRetry: 10 * time.Minute,
	Answer: 10 * time.Second, Look: 10 * time.Minute,
}

// limits are narrower than [profile.Usual]: an agent is small beside what it watches.
var limits = profile.Limits{
	Packed: 4 << 20, Unpacked: 32 << 20,
	Samples: 50_000, Entries: 100_000, Labels: 200_000, Lines: 200_000, Addresses: 2_000_000,
	Text: 64 << 10, Depth: 10_000, Frames: 4_000_000, SampleTypes: 32,
}

// maxCustom is how many profiles of its own are collected of one process, the first by name.
const maxCustom = 16

// Collector collects. Its methods may be called at any time.
type Collector struct {
	endpoints Endpoints
	schedule  Schedule
	store     *Store
	processes func() []*goproc.Process
	log       *slog.Logger
	// parsing is held while a profile is read, which takes memory.
	parsing sync.Mutex

	mu sync.Mutex
	of map[*goproc.Process]*followed
	// What has been done since the start.
	collected map[string]uint64 // by type
	failed    map[string]uint64 // by reason
	cpu       time.Duration
}

// followed is a process that is collected from.
type followed struct {
	process *goproc.Process
	cancel  context.CancelFunc
	done    chan struct{}
	// turn is held while the process is asked for a profile.
	turn chan struct{}

	// What follows is guarded by [Collector.mu].
	index   string
	refused error
	types   []string
	failing map[string]Failing
}

// Failing is a type of which the last turn has failed.
type Failing struct {
	Reason string
	Retry  time.Time
}

// New returns a collector of the processes that a function lists, which keeps in a store that it does not close.
func New(e Endpoints, s Schedule, store *Store, processes func() []*goproc.Process, log *slog.Logger) *Collector {
	return &Collector{
		endpoints: e, schedule: s, store: store, processes: processes, log: log,
		of: map[*goproc.Process]*followed{}, collected: map[string]uint64{}, failed: map[string]uint64{},
	}
}

// Store is where the collector keeps.
func (c *Collector) Store() *Store { return c.store }

// Run collects until ctx is done.
func (c *Collector) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		c.follow(ctx)
		if err := c.store.Expire(time.Now()); err != nil {
			c.log.Error("profiles", "error", err)
		}
		select {
		case <-ctx.Done():
			c.mu.Lock()
			all := slices.Collect(maps.Values(c.of))
			c.mu.Unlock()
			for _, f := range all {
				<-f.done
			}
			return nil
		case <-tick.C:
		}
	}
}

// follow begins with processes that have come, and leaves those alone that are gone.
func (c *Collector) follow(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := c.processes()
	for _, p := range now {
		if c.of[p] != nil || !c.endpoints.auto && c.endpoints.of[p.Identity.Service] == nil {
			continue
		}
		f := &followed{process: p, done: make(chan struct{}), turn: make(chan struct{}, 1), failing: map[string]Failing{}}
		var life context.Context
		life, f.cancel = context.WithCancel(ctx)
		c.of[p] = f
		go func() {
			defer close(f.done)
			c.collectFrom(life, f)
		}()
	}
	for p, f := range c.of {
		if !slices.Contains(now, p) {
			f.cancel()
			delete(c.of, p)
		}
	}
}

// turn is when a type is due.
type turn struct {
	kind    string
	due     time.Time
	backoff backoff.ExponentialBackOff
}

func (c *Collector) newTurn(kind string, due time.Time) *turn {
	t := &turn{kind: kind, due: due, backoff: backoff.ExponentialBackOff{
		InitialInterval: c.schedule.Retry, RandomizationFactor: 0.3, Multiplier: 2, MaxInterval: c.schedule.MaxRetry,
	}}
	t.backoff.Reset()
	return t
}

// look is the turn in which a process is asked what it serves.
const look = ""

// collectFrom takes the turns of one process until it is gone.
func (c *Collector) collectFrom(ctx context.Context, f *followed) {
	asked := map[netip.AddrPort]int{}
	// What has just started does not listen yet.
	turns := []*turn{c.newTurn(look, time.Now().Add(c.schedule.Retry/10))}
	for {
		next := slices.MinFunc(turns, func(a, b *turn) int { return a.due.Compare(b.due) })
		select {
		case <-ctx.Done():
			return
		case <-time.After(time.Until(next.due)):
		}
		var err error
		every := c.schedule.Every
		if next.kind == look {
			every = c.schedule.Look
			var types []string
			if types, err = c.lookAt(ctx, f, asked); err == nil {
				turns = c.turnsOf(types, turns)
			}
		} else {
			_, _, err = c.take(ctx, f, profile.Request{Type: next.kind, Seconds: c.seconds(next.kind)})
		}
		if ctx.Err() != nil || f.process.Alive() != nil {
			return
		}
		wait := time.Duration(float64(every) * (0.95 + 0.1*rand.Float64()))
		if err != nil {
			wait = next.backoff.NextBackOff()
		} else {
			next.backoff.Reset()
		}
		next.due = time.Now().Add(wait)
		if err == nil && next.kind == profile.CPU {
			next.due = next.due.Add(-c.schedule.CPU)
		}
		c.settle(f, next, err)
	}
}

// seconds is for how long a type is collected.
func (c *Collector) seconds(kind string) int {
	if kind == profile.CPU {
		return int(c.schedule.CPU / time.Second)
	}
	return 0
}

// lookAt finds out what a process serves, and where.
func (c *Collector) lookAt(ctx context.Context, f *followed, asked map[netip.AddrPort]int) ([]string, error) {
	index, err := c.find(ctx, f.process, asked)
	if err != nil {
		return nil, err
	}
	target, err := profile.NewTarget(index, client)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.schedule.Answer)
	defer cancel()
	served, err := target.Index(ctx)
	if err != nil {
		// It may answer elsewhere by now.
		clear(asked)
		return nil, fmt.Errorf("%s %w", index, err)
	}
	types, custom := []string{profile.CPU}, 0
	for _, s := range served {
		switch {
		case s.Type == profile.CPU, s.Type == "threadcreate", s.Type == "goroutineleak": // the last is a garbage collection
			continue
		case !slices.Contains(builtin, s.Type):
			if custom++; custom > maxCustom {
				continue
			}
		}
		types = append(types, s.Type)
	}
	if custom > maxCustom {
		c.log.Warn("some profiles are not collected", "process", f.process.ID, "of its own", custom, "at most", maxCustom)
	}
	c.mu.Lock()
	f.index, f.types = index, types
	c.mu.Unlock()
	return types, nil
}

// find returns the index page of a process.
func (c *Collector) find(ctx context.Context, p *goproc.Process, asked map[netip.AddrPort]int) (string, error) {
	said := c.endpoints.of[p.Identity.Service]
	if said == nil {
		return find(ctx, p.PID, asked)
	}
	var siblings []int
	for _, other := range c.processes() {
		if other.Identity.Service == p.Identity.Service {
			siblings = append(siblings, other.PID)
		}
	}
	return said.String(), belongs(said, p.PID, siblings)
}

// turnsOf returns the turns for types, those that are there already as they are.
// New ones are spread over a minute.
func (c *Collector) turnsOf(types []string, before []*turn) (turns []*turn) {
	for _, kind := range append([]string{look}, types...) {
		if i := slices.IndexFunc(before, func(t *turn) bool { return t.kind == kind }); i >= 0 {
			turns = append(turns, before[i])
			continue
		}
		turns = append(turns, c.newTurn(kind, time.Now().Add(time.Duration(rand.Float64()*float64(c.schedule.Every)))))
	}
	return turns
}

// settle remembers how a turn went, and says it when it went otherwise than the one before.
func (c *Collector) settle(f *followed, t *turn, err error) {
	c.mu.Lock()
	before, failed := f.failing[t.kind]
	delete(f.failing, t.kind)
	if err != nil {
		f.failing[t.kind] = Failing{Reason: err.Error(), Retry: t.due}
	}
	if t.kind == look {
		f.refused = err
	}
	c.mu.Unlock()
	p := f.process
	what := cmp.Or(t.kind, "all")
	switch {
	case err != nil && before.Reason != err.Error():
		c.log.Warn("profiles not collected", "process", p.ID, "service", p.Identity.Service, "type", what, "reason", err, "again in", time.Until(t.due).Round(time.Second))
	case err == nil && failed:
		c.log.Info("profiles are collected again", "process", p.ID, "service", p.Identity.Service, "type", what)
	case err == nil && t.kind == look && before == (Failing{}):
		c.log.Info("profiles are collected", "process", p.ID, "service", p.Identity.Service, "from", f.index, "types", strings.Join(f.types, ","))
	}
}

// Reasons for which a turn fails, as /metrics has them.
const (
	Busy       = "busy"
	TimedOut   = "timeout"
	Exited     = "exited"
	Unanswered = "no_answer"
	Unreadable = "unreadable"
	NotKept    = "not_kept"
)

// enter waits for a turn, which is no failure of the process. It returns the function to leave with.
func (f *followed) enter(ctx context.Context) (leave func(), err error) {
	select {
	case f.turn <- struct{}{}:
		return func() { <-f.turn }, nil
	case <-ctx.Done():
		return nil, fmt.Errorf("process %s is asked for other profiles: %w", f.process.ID, ctx.Err())
	}
}

// take collects one profile of a process, and keeps it.
func (c *Collector) take(ctx context.Context, f *followed, r profile.Request) (Profile, []byte, error) {
	leave, err := f.enter(ctx)
	if err != nil {
		return Profile{}, nil, err
	}
	defer leave()
	if left, enough := timeFor(ctx, r); !enough {
		return Profile{}, nil, fmt.Errorf("process %s was asked for other profiles meanwhile: %s are left of the request's time, too little for %d s of %s: ask for fewer seconds, or once more", f.process.ID, left, r.Seconds, r.Type)
	}
	kept, raw, reason, err := c.fetch(ctx, f, r)
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil {
		c.collected[r.Type]++
		return kept, raw, nil
	}
	if reason != "" {
		c.failed[reason]++
	}
	return kept, nil, err
}

// timeFor says whether a request can still be answered before its deadline, and
// how long that is off: a process is not profiled for nobody.
func timeFor(ctx context.Context, r profile.Request) (left time.Duration, enough bool) {
	deadline, there := ctx.Deadline()
	left = max(0, time.Until(deadline)).Truncate(100 * time.Millisecond)
	return left, !there || left > time.Duration(r.Seconds)*time.Second
}

// fetch is [Collector.take] without accounting. The reason is "" when nobody wants the profile any more.
func (c *Collector) fetch(ctx context.Context, f *followed, r profile.Request) (p Profile, raw []byte, reason string, err error) {
	c.mu.Lock()
	index := f.index
	c.mu.Unlock()
	target, err := profile.NewTarget(index, client)
	if err != nil {
		return p, nil, Unanswered, err
	}
	collecting := time.Duration(r.Seconds) * time.Second
	asking, cancel := context.WithTimeout(ctx, collecting+c.schedule.Answer)
	defer cancel()
	from := time.Now()
	raw, err = target.Download(asking, r, limits.Packed)
	to := time.Now()
	if r.Type == profile.CPU {
		c.burnt(min(to.Sub(from), collecting), err)
	}
	if err != nil {
		var busy profile.Busy
		err = fmt.Errorf("%s %w", index, err)
		switch {
		case ctx.Err() != nil && !errors.Is(ctx.Err(), context.DeadlineExceeded):
			if f.process.Alive() != nil {
				return p, nil, Exited, err
			}
			return p, nil, "", err
		case f.process.Alive() != nil:
			return p, nil, Exited, fmt.Errorf("process %s has ended: %w", f.process.ID, err)
		case errors.As(err, &busy):
			return p, nil, Busy, err
		case asking.Err() != nil:
			return p, nil, TimedOut, err
		}
		return p, nil, Unanswered, err
	}
	if err := c.readable(raw, r); err != nil {
		return p, nil, Unreadable, fmt.Errorf("%s: %s profile: %w", index, r.Type, err)
	}
	who := f.process.Identity
	p, err = c.store.Put(Profile{
		Process: f.process.ID, Service: who.Service, Version: who.Version, Type: r.Type, From: from, To: to,
	}, raw)
	if err != nil {
		return p, nil, NotKept, err
	}
	return p, raw, "", nil
}

// burnt adds to the time for which processes took CPU profiles. One that was refused took none.
func (c *Collector) burnt(d time.Duration, err error) {
	if errors.As(err, new(profile.Busy)) {
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cpu += d
}

// readable says what is wrong with what a process sent for a profile.
func (c *Collector) readable(raw []byte, r profile.Request) error {
	c.parsing.Lock()
	defer c.parsing.Unlock()
	l := limits
	l.Signed = r.Seconds > 0 && r.Type != profile.CPU
	_, err := profile.Parse(bytes.NewReader(raw), l)
	return err
}

// ErrUnknown is the error for a process that is not collected from.
var ErrUnknown = errors.New("is not collected from")

// Collect asks a process for a profile now, between its turns.
func (c *Collector) Collect(ctx context.Context, process string, r profile.Request) (Profile, []byte, error) {
	f, err := c.known(process)
	if err != nil {
		return Profile{}, nil, err
	}
	return c.take(ctx, f, r)
}

// known returns the process of an id, when it is known where it serves profiles.
func (c *Collector) known(process string) (*followed, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, f := range c.of {
		if p.ID != process {
			continue
		}
		if f.refused != nil {
			return nil, fmt.Errorf("process %s %w: %w", process, ErrUnknown, f.refused)
		}
		if f.index == "" {
			return nil, fmt.Errorf("process %s %w yet: it is looked for where it serves net/http/pprof", process, ErrUnknown)
		}
		return f, nil
	}
	return nil, fmt.Errorf("process %s %w: no such process is watched, or --profiles does not name its service", process, ErrUnknown)
}

// Source is a process that is collected from.
type Source struct {
	Process *goproc.Process
	// Index is where it serves profiles; "" until that is known.
	Index string
	// Refused says why it can't be asked; nil when it can.
	Refused error
	Types   []string
	// Failing are the types of which the last turn failed.
	Failing map[string]Failing
}

// Sources lists the processes that are collected from, by pid.
func (c *Collector) Sources() (list []Source) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for p, f := range c.of {
		s := Source{Process: p, Index: f.index, Refused: f.refused, Types: f.types, Failing: maps.Clone(f.failing)}
		delete(s.Failing, look)
		list = append(list, s)
	}
	slices.SortFunc(list, func(a, b Source) int { return cmp.Compare(a.Process.PID, b.Process.PID) })
	return list
}

// Account is what has been done since the start.
type Account struct {
	// Collected is by type; what a program calls its own is custom.
	Collected map[string]uint64
	// Failed is by reason.
	Failed map[string]uint64
	// CPU is for how long processes have taken CPU profiles.
	CPU time.Duration
}

// Account returns what has been done since the start.
func (c *Collector) Account() Account {
	c.mu.Lock()
	defer c.mu.Unlock()
	a := Account{Collected: map[string]uint64{}, Failed: maps.Clone(c.failed), CPU: c.cpu}
	for kind, n := range c.collected {
		if !slices.Contains(builtin, kind) {
			kind = "custom"
		}
		a.Collected[kind] += n
	}
	return a
}

// builtin are the types that are collected of every program.
var builtin = []string{profile.CPU, "heap", "allocs", "goroutine", "mutex", "block"}
