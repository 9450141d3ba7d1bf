package datasource

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/singleflight"
)

// staged is what a target's stages used while they were looked at.
type staged struct {
	frames.Staged
	to      time.Time
	seconds int
	// matches is empty where no CPU profile could be had, which cpu says.
	matches []stages.Match
	cpu     error
}

// stageHistory is what was collected of a target, the newest last: a target can
// only be asked for what is now, and a dashboard shows what was when it asked before.
type stageHistory struct {
	flights singleflight.Group
	all     []staged // guarded by target.mu
}

// stages answers the kind stages: the table of what was collected last, and the
// heat of all that was collected in the range.
//
//	query ─▶ check ─▶ collect trace and CPU profile, or just collected ─▶ fuse ─▶ history ─▶ framers
func (d *Datasource) stages(ctx context.Context, r request) backend.DataResponse {
	at, seconds, err := d.readStages(r.Profile)
	if err != nil {
		return badRequest(err)
	}
	live := isNow(r.to, r.step)
	all, err := at.collectStages(ctx, seconds)
	if err != nil {
		return backend.DataResponse{
			Error: backend.DownstreamError(err), ErrorSource: backend.ErrorSourceDownstream, Status: backend.Status(http.StatusBadGateway),
		}
	}
	about := frames.Stages{Of: at.name, Step: r.step}
	newest := all[len(all)-1]
	if live && r.to.Before(newest.to) {
		r.to = newest.to // so that the first answer has more than an empty range
	}
	from, to := aligned(r.from, r.to, r.step)
	var wanted []frames.Staged
	for _, s := range all {
		if s.to.After(from) && s.From.Before(to) {
			wanted = append(wanted, s.Staged)
		}
	}
	table := frames.StagesTable(about, newest.Report)
	table.AppendNotices(newest.notices()...)
	if len(wanted) == 0 {
		table.AppendNotices(info("in the time range nothing was traced"))
	}
	return backend.DataResponse{Frames: append(data.Frames{table}, frames.StagesHeat(about, wanted, from, to)...)}
}

func (s staged) notices() []data.Notice {
	notices := []data.Notice{info("the table is of %s to %s: a target can only be asked for what is now", clock(s.From), clock(s.to))}
	if s.cpu != nil {
		notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf(
			"no CPU profile could be taken beside the trace, so CPU time is of somebody else's, if any: the target %v", s.cpu)})
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

// readStages reads and checks of which target stages are wanted, and for how long. An error names the field.
func (d *Datasource) readStages(asked *query.Profile) (*target, int, error) {
	if asked == nil {
		return nil, 0, fmt.Errorf("profile is missing: name a target")
	}
	for _, unused := range []struct {
		field string
		set   bool
	}{
		{"process", asked.Process != ""}, {"type", asked.Type != "" && asked.Type != profile.CPU}, {"sampleType", asked.SampleType != ""},
		{"function", asked.Function != ""}, {"label", asked.Label != ""}, {"groupBy", asked.GroupBy != ""},
		{"from and to", asked.From != 0 || asked.To != 0}, {"base", asked.Base != nil},
	} {
		if unused.set {
			return nil, 0, fmt.Errorf("profile.%s is set: stages are of an execution trace of a target, as it is now, and have none", unused.field)
		}
	}
	seconds := cmp.Or(asked.Seconds, defaultProfileSeconds)
	if seconds < 1 || seconds > maxProfileSeconds {
		return nil, 0, fmt.Errorf("profile.seconds is %d, must be between 1 and %d, or 0", asked.Seconds, maxProfileSeconds)
	}
	t, err := d.targetOf("profile.target", asked.Target)
	return t, seconds, err
}

// collectStages returns all that is known of a target's stages, of which the
// newest is at most [freshProfile] old.
func (t *target) collectStages(ctx context.Context, seconds int) ([]staged, error) {
	known := func() ([]staged, bool) {
		t.mu.Lock()
		defer t.mu.Unlock()
		n := len(t.staged.all)
		return t.staged.all[:n:n], n > 0 && t.staged.all[n-1].seconds == seconds && time.Since(t.staged.all[n-1].to) < freshProfile
	}
	if all, fresh := known(); fresh {
		return all, nil
	}
	collected := t.staged.flights.DoChan(strconv.Itoa(seconds), func() (any, error) {
		if _, fresh := known(); fresh {
			return nil, nil
		}
		s, err := t.traceStages(seconds)
		if err != nil {
			return nil, t.failed(err)
		}
		t.mu.Lock()
		defer t.mu.Unlock()
		// Copied, for who reads the history does so without the lock.
		kept := t.staged.all[max(0, len(t.staged.all)+1-maxStaged):]
		t.staged.all = append(kept[:len(kept):len(kept)], s)
		return nil, nil
	})
	select {
	case c := <-collected:
		all, _ := known()
		return all, c.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("target %s: nobody waits for its stages any more: %w", t.name, ctx.Err())
	}
}

func (t *target) traceStages(seconds int) (staged, error) {
	select {
	case t.cpu <- struct{}{}:
		defer func() { <-t.cpu }()
	case <-time.After(maxProfileSeconds * time.Second):
		return staged{}, fmt.Errorf("is asked for more profiles than it can give one after the other: ask again later")
	case <-t.alive.Done():
		return staged{}, t.alive.Err()
	}
	ctx, cancel := context.WithTimeout(t.alive, time.Duration(seconds)*time.Second+profile.TraceRoom+profile.Patience+t.timeout)
	defer cancel()
	s := staged{seconds: seconds}
	traced, err := t.profiles.Trace(ctx, profile.TraceRequest{Seconds: seconds, Patience: profile.Patience}, profile.Usual, func(trace io.Reader) (err error) {
		s.Report, err = stages.Fuse(trace, stages.DefaultLimits())
		return err
	})
	if err != nil {
		return staged{}, err
	}
	s.From, s.to, s.cpu = traced.From, traced.To, traced.CPUError
	if s.cpu == nil {
		s.matches, s.cpu = s.Report.Check(traced.CPU.Profile)
	}
	return s, nil
}
