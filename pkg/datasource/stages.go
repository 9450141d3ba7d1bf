package datasource

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/singleflight"
)

// program is a target, or a process of an agent, of which stages are asked for.
// It can only be asked for what is now, and a dashboard shows what was when it
// asked before: so what was collected is remembered.
type program struct {
	name string
	// services is that of a process; nothing of a target, of which nobody knows it.
	services []string
	trace    tracer
	failed   func(error) error
	flights  singleflight.Group

	mu  sync.Mutex
	all []staged // the newest last
}

// tracer collects an execution trace, hands it to read, and for some seconds
// within it a CPU profile. It does so until the data source ends. See [profile.Target.Trace].
type tracer func(seconds int, read func(trace io.Reader) error) (*profile.Traced, error)

// staged is what a program's stages used while they were looked at.
type staged struct {
	stages.Dated
	to      time.Time
	seconds int
	// matches is empty where no CPU profile could be had, which cpu says.
	matches []stages.Match
	cpu     error
}

// stages answers the kind stages: the table of what was collected last, and the
// heat of all that was collected in the range.
//
//	query ─▶ check ─▶ collect trace and CPU profile, or just collected ─▶ fuse ─▶ history ─▶ framers
func (d *Datasource) stages(ctx context.Context, r request) backend.DataResponse {
	if err := d.checkStages(r.Profile); err != nil {
		return badRequest(err)
	}
	live := isNow(r.to, r.step)
	downstream := func(err error) backend.DataResponse {
		return backend.DataResponse{
			Error: backend.DownstreamError(err), ErrorSource: backend.ErrorSourceDownstream, Status: backend.Status(http.StatusBadGateway),
		}
	}
	of, err := d.programOf(ctx, r.Profile)
	if err != nil {
		return downstream(err)
	}
	all, err := of.collect(ctx, cmp.Or(r.Profile.Seconds, defaultProfileSeconds))
	if err != nil {
		return downstream(err)
	}
	about := stages.About{Of: of.name, Services: of.services}
	newest := all[len(all)-1]
	if live && r.to.Before(newest.to) {
		r.to = newest.to // so that the first answer has more than an empty range
	}
	from, to := aligned(r.from, r.to, r.step)
	var wanted []stages.Dated
	dark := 0
	for _, s := range all {
		if s.to.After(from) && s.From.Before(to) {
			wanted = append(wanted, s.Dated)
			if s.cpu != nil && s.Report.Total.Samples == 0 {
				dark++
			}
		}
	}
	table := frames.Stages(stages.Table(about, newest.Report))
	table.AppendNotices(newest.notices()...)
	if len(wanted) == 0 {
		table.AppendNotices(info("in the time range nothing was traced"))
	}
	if dark > 0 {
		table.AppendNotices(info("%d of %d traces in the time range were taken while there was no CPU profile: where there are no shares, nothing is known", dark, len(wanted)))
	}
	heat, allocated := stages.Heat(about, wanted, from, to, r.step)
	return backend.DataResponse{Frames: data.Frames{table, frames.Stages(heat), frames.Stages(allocated)}}
}

func (s staged) notices() []data.Notice {
	notices := []data.Notice{info("the table is of %s to %s: a program can only be asked for what is now", clock(s.From), clock(s.to))}
	if s.cpu != nil {
		notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf(
			"no CPU profile could be taken beside the trace, so CPU time is of somebody else's, if any: the program %v", s.cpu)})
	} else if agreement := stages.Agreement(s.matches); agreement < 1 {
		var less []string
		for _, m := range s.matches {
			if m.Profile > m.Trace {
				less = append(less, fmt.Sprintf("%s has %d samples more", m.Stage, m.Profile-m.Trace))
			}
		}
		notices = append(notices, info("the CPU profile's labels agree on the stage of %.1f %% of samples; by them %s: stages that began before the trace, perhaps",
			100*agreement, strings.Join(less, ", ")))
	}
	return notices
}

// checkStages checks of what stages are wanted, and for how long. An error names the field.
func (d *Datasource) checkStages(asked *query.Profile) error {
	if asked == nil {
		return fmt.Errorf("profile is missing: name a target or a process")
	}
	for _, unused := range []struct {
		field string
		set   bool
	}{
		{"type", asked.Type != "" && asked.Type != profile.CPU}, {"sampleType", asked.SampleType != ""},
		{"function", asked.Function != ""}, {"label", asked.Label != ""}, {"groupBy", asked.GroupBy != ""},
		{"from and to", asked.From != 0 || asked.To != 0}, {"base", asked.Base != nil},
	} {
		if unused.set {
			return fmt.Errorf("profile.%s is set: stages are of an execution trace of a program, as it is now, and have none", unused.field)
		}
	}
	most := maxProfileSeconds
	switch {
	case asked.Target != "" && asked.Process != "":
		return fmt.Errorf("profile.target is %q and profile.process is %q: name one of both", asked.Target, asked.Process)
	case asked.Process != "" && len(d.agents) == 0:
		return errNoAgents
	case asked.Process != "":
		most = maxCollectSeconds
	}
	if asked.Seconds < 0 || asked.Seconds > most {
		return fmt.Errorf("profile.seconds is %d, must be between 1 and %d, or 0", asked.Seconds, most)
	}
	if asked.Process != "" {
		return nil
	}
	_, err := d.targetOf("profile.target", asked.Target)
	return err
}

func (d *Datasource) programOf(ctx context.Context, asked *query.Profile) (*program, error) {
	if asked.Process != "" {
		return d.processOf(ctx, asked.Process)
	}
	t, err := d.targetOf("profile.target", asked.Target)
	if err != nil {
		return nil, err
	}
	return t.stages, nil
}

// collect returns all that is known of a program's stages, of which the newest
// is at most [freshProfile] old.
func (p *program) collect(ctx context.Context, seconds int) ([]staged, error) {
	known := func() ([]staged, bool) {
		p.mu.Lock()
		defer p.mu.Unlock()
		n := len(p.all)
		return p.all[:n:n], n > 0 && p.all[n-1].seconds == seconds && time.Since(p.all[n-1].to) < freshProfile
	}
	if all, fresh := known(); fresh {
		return all, nil
	}
	collected := p.flights.DoChan(strconv.Itoa(seconds), func() (any, error) {
		if _, fresh := known(); fresh {
			return nil, nil
		}
		s, err := p.fuse(seconds)
		if err != nil {
			return nil, p.failed(err)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		// Copied, for who reads the history does so without the lock.
		kept := p.all[max(0, len(p.all)+1-maxStaged):]
		p.all = append(kept[:len(kept):len(kept)], s)
		return nil, nil
	})
	select {
	case c := <-collected:
		all, _ := known()
		return all, c.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("%s: nobody waits for its stages any more: %w", p.name, ctx.Err())
	}
}

// fuse collects a trace and a CPU profile, and makes one of both.
func (p *program) fuse(seconds int) (staged, error) {
	s := staged{seconds: seconds}
	traced, err := p.trace(seconds, func(trace io.Reader) (err error) {
		s.Report, err = stages.Fuse(trace, stages.DefaultLimits())
		return err
	})
	if err != nil {
		return staged{}, err
	}
	s.From, s.to, s.cpu = traced.From, traced.To, traced.Refused
	if s.cpu == nil {
		s.matches, s.cpu = checked(s.Report, traced.CPU)
	}
	return s, nil
}

func checked(r *stages.Report, raw []byte) ([]stages.Match, error) {
	cpu, err := profile.Parse(bytes.NewReader(raw), profile.Usual)
	if err != nil {
		return nil, fmt.Errorf("sent a CPU profile that can't be read: %w", err)
	}
	return r.Check(cpu)
}

// trace is a [tracer].
func (t *target) trace(seconds int, read func(trace io.Reader) error) (*profile.Traced, error) {
	select {
	case t.cpu <- struct{}{}:
		defer func() { <-t.cpu }()
	case <-time.After(maxProfileSeconds * time.Second):
		return nil, fmt.Errorf("is asked for more profiles than it can give one after the other: ask again later")
	case <-t.alive.Done():
		return nil, t.alive.Err()
	}
	ctx, cancel := context.WithTimeout(t.alive, time.Duration(seconds)*time.Second+profile.TraceRoom+profile.Patience+t.timeout)
	defer cancel()
	return t.profiles.Trace(ctx, profile.TraceRequest{Seconds: seconds, Patience: profile.Patience}, profile.Usual.Packed, read)
}
