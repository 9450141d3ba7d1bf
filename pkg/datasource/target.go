package datasource

import (
	"context"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/profile"
	"golang.org/x/sync/errgroup"
)

// target is a program that serves net/http/pprof. What is asked of it at once,
// or in the seconds after, is collected once: a flame graph and a table of one
// profile, and everybody who looks at a dashboard, cost the program the same as one.
type target struct {
	name, url string
	timeout   time.Duration
	profiles  *profile.Target
	// alive ends with the data source.
	alive context.Context
	end   context.CancelFunc
	// cpu has room for one: a program takes one CPU profile at a time. others has room for a few.
	cpu, others chan struct{}
	mu          sync.Mutex
	collections map[profile.Request]*collection
	stages      *program
}

// collection is a profile that is being collected, or has just been.
type collection struct {
	done    chan struct{}
	fetched *profile.Fetched
	err     error
}

func newTarget(s targetSettings, timeout time.Duration) (*target, error) {
	client, err := newClient(s.ca, s.headers, nil)
	if err != nil {
		return nil, err
	}
	profiles, err := profile.NewTarget(s.url, client)
	if err != nil {
		return nil, err
	}
	alive, end := context.WithCancel(context.Background())
	t := &target{
		name: s.name, url: s.url, timeout: timeout, profiles: profiles, alive: alive, end: end,
		cpu: make(chan struct{}, 1), others: make(chan struct{}, parallelCalls),
		collections: map[profile.Request]*collection{},
	}
	t.stages = &program{name: t.name, trace: t.trace, failed: t.failed}
	return t, nil
}

func (t *target) close() {
	t.end()
	t.profiles.Close()
}

// collect returns a profile that is at most [freshProfile] old, and collects
// one where there is none. It goes on when whoever asked first has gone.
func (t *target) collect(ctx context.Context, r profile.Request) (*profile.Fetched, error) {
	t.mu.Lock()
	c := t.collections[r]
	if c == nil {
		if err := inTime(ctx, r.Seconds); err != nil {
			t.mu.Unlock()
			return nil, err
		}
		if err := atMost("profiles of target "+t.name+" at once", len(t.collections)+1, maxCollections, "ask for fewer types and lengths"); err != nil {
			t.mu.Unlock()
			return nil, err
		}
		c = &collection{done: make(chan struct{})}
		t.collections[r] = c
		go t.run(c, r)
	}
	t.mu.Unlock()
	select {
	case <-c.done:
		return c.fetched, c.err
	case <-ctx.Done():
		return nil, fmt.Errorf("target %s: nobody waits for its %s profile any more: %w", t.name, r.Type, ctx.Err())
	}
}

// inTime refuses to collect for longer than whoever asks will wait: a program is
// not profiled for nobody. An alert rule waits 30 s, unless Grafana is told otherwise.
func inTime(ctx context.Context, seconds int) error {
	deadline, there := ctx.Deadline()
	left := int(max(0, time.Until(deadline)).Seconds())
	if !there || seconds <= left {
		return nil
	}
	return fmt.Errorf("profile.seconds is %d, at most %d while the request is given up after so many", seconds, left)
}

func (t *target) run(c *collection, r profile.Request) {
	c.fetched, c.err = t.fetch(r)
	close(c.done)
	forget := func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		delete(t.collections, r)
	}
	if c.err != nil {
		forget()
		return
	}
	time.AfterFunc(freshProfile, forget)
}

func (t *target) fetch(r profile.Request) (*profile.Fetched, error) {
	turn := t.others
	if r.Type == profile.CPU {
		turn = t.cpu
	}
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-time.After(maxProfileSeconds * time.Second):
		return nil, t.failed(fmt.Errorf("is asked for more profiles than it can give one after the other: ask again later"))
	case <-t.alive.Done():
		return nil, t.failed(t.alive.Err())
	}
	ctx, cancel := context.WithTimeout(t.alive, time.Duration(r.Seconds)*time.Second+t.timeout)
	defer cancel()
	fetched, err := t.profiles.Fetch(ctx, r, profile.Usual)
	if err != nil {
		return nil, t.failed(err)
	}
	return fetched, nil
}

// served lists what the target serves.
func (t *target) served(ctx context.Context) ([]profile.Served, error) {
	ctx, cancel := context.WithTimeout(ctx, t.timeout)
	defer cancel()
	served, err := t.profiles.Index(ctx)
	if err != nil {
		return nil, t.failed(err)
	}
	return served, nil
}

func (t *target) failed(err error) error { return fmt.Errorf("target %s (%s): %w", t.name, t.url, err) }

// listTargets answers the resource targets: first those that answer, so that a
// dashboard which is opened on the first of them has something to show.
func (d *Datasource) listTargets(r *http.Request) (any, error) {
	if d.broken != nil {
		return nil, badParameter{d.broken}
	}
	ctx, cancel := context.WithTimeout(r.Context(), targetPatience)
	defer cancel()
	names, silent := []string{}, []string{}
	for i, state := range d.askTargets(ctx) {
		if state.err == nil {
			names = append(names, d.targets[i].name)
		} else {
			silent = append(silent, d.targets[i].name)
		}
	}
	return query.ValuesAnswer{Values: append(names, silent...)}, nil
}

// targetState is what a target serves, or why it does not say.
type targetState struct {
	served []profile.Served
	err    error
}

// askTargets asks all targets what they serve, in the order of the settings.
func (d *Datasource) askTargets(ctx context.Context) []targetState {
	states := make([]targetState, len(d.targets))
	var group errgroup.Group
	group.SetLimit(parallelQueries)
	for i, t := range d.targets {
		group.Go(func() error {
			states[i].served, states[i].err = t.served(ctx)
			return nil
		})
	}
	_ = group.Wait() // errors are in the states
	return states
}

// targetPatience is how long a list waits for targets to say that they are there.
const targetPatience = time.Second

// listProfiles answers the resource profiles.
func (d *Datasource) listProfiles(r *http.Request) (any, error) {
	if d.broken != nil {
		return nil, badParameter{d.broken}
	}
	if asked := r.URL.Query(); asked.Get("service") != "" {
		return d.listStored(r.Context(), asked)
	}
	t, err := d.targetOf("target", r.URL.Query().Get("target"))
	if err != nil {
		return nil, badParameter{err}
	}
	served, err := t.served(r.Context())
	if err != nil {
		return nil, err
	}
	answer := query.ProfilesAnswer{Profiles: make([]query.ProfileType, len(served))}
	for i, s := range served {
		answer.Profiles[i] = query.ProfileType{Type: s.Type, Count: s.Count, Timed: s.Type == profile.CPU}
	}
	return answer, nil
}

// targetOf returns the target of a name, which a field has.
func (d *Datasource) targetOf(field, name string) (*target, error) {
	for _, t := range d.targets {
		if t.name == name {
			return t, nil
		}
	}
	if name == "" {
		return nil, fmt.Errorf("%s is empty: choose one of the data source's targets", field)
	}
	return nil, fmt.Errorf("%s is %q, which the data source does not have: targets are configured with their URLs", field, name)
}
