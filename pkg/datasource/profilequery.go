package datasource

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
)

// profileKinds are the kinds that are of profiles.
var profileKinds = []query.Kind{query.KindFlame, query.KindTop, query.KindProfileHeat, query.KindProfile}

// profileSide is which profile is wanted, and which part of it.
type profileSide struct {
	query.Profile
	filter profile.Filter
	// One of target and stored is set, or neither: then agents are asked for the
	// processes that matchers keep, in the range; stored is asked for what the selector keeps.
	target   *target
	stored   *pyroscope
	selector string
	matchers []query.Matcher
	from, to time.Time
}

// obtained is a profile, of which processes it is and when, and what there is to say of it.
type obtained struct {
	*profile.Fetched
	windows []window
	// requests are those of the windows, where they are known.
	requests *frames.Requests
	notices  []data.Notice
}

// profile answers the kinds flame, top and profile.
//
//	query ─▶ check ─▶ collect, or what is kept ─▶ filter ─▶ less base ─▶ framer of the kind
func (d *Datasource) profile(ctx context.Context, r request) backend.DataResponse {
	side, base, err := d.readProfile(r)
	if err != nil {
		return badRequest(err)
	}
	downstream := func(err error) backend.DataResponse {
		return backend.DataResponse{
			Error: backend.DownstreamError(err), ErrorSource: backend.ErrorSourceDownstream, Status: backend.Status(http.StatusBadGateway),
		}
	}
	if r.Kind == query.KindProfileHeat {
		heat := d.profileHeat
		if side.stored != nil {
			heat = side.stored.heat
		}
		f, err := heat(ctx, r, side)
		if err != nil {
			return downstream(err)
		}
		return backend.DataResponse{Frames: data.Frames{f}}
	}
	all := make([]obtained, len(base)+1)
	group, collecting := errgroup.WithContext(ctx)
	for i, s := range append([]profileSide{side}, base...) {
		group.Go(func() (err error) {
			switch {
			case s.target != nil:
				all[i].Fetched, err = s.target.collect(collecting, profile.Request{Type: s.Type, Seconds: s.Seconds})
			case s.stored != nil:
				all[i].Fetched, all[i].notices, err = s.stored.kept(collecting, s)
			default:
				all[i], err = d.collected(collecting, s)
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return downstream(err)
	}
	fetched := all[0].Fetched
	if side.target != nil {
		for _, process := range d.watchedAs(ctx, side.target) {
			all[0].windows = append(all[0].windows, window{process, fetched.From, fetched.To, side.Seconds > 0})
		}
	}
	if base == nil && (r.Kind == query.KindTop || r.Kind == query.KindFlame) {
		var notice *data.Notice
		if all[0].requests, notice = d.requestsIn(ctx, all[0].windows); notice != nil && r.Kind == query.KindTop {
			all[0].notices = append(all[0].notices, *notice)
		}
	}
	f, err := profileFrame(r, side, base, all)
	if err != nil {
		return badRequest(err)
	}
	for _, one := range all {
		f.AppendNotices(one.notices...)
	}
	if side.target != nil && time.Since(r.to) > fetched.To.Sub(fetched.From)+freshProfile {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf(
			"the time range ends at %s; a target can only be asked for what is now: this was collected from %s to %s",
			clock(r.to), clock(fetched.From), clock(fetched.To))})
	}
	return backend.DataResponse{Frames: data.Frames{f}}
}

// profileFrame makes the frame of one profile, or of one and its base.
func profileFrame(r request, side profileSide, base []profileSide, fetched []obtained) (*data.Frame, error) {
	p := side.filter.Keep(fetched[0].Profile)
	about := frames.Profile{
		Of: side.name(), Kind: side.Type, From: fetched[0].From, To: fetched[0].To, Difference: base != nil,
		Processes: processesOf(fetched[0].windows), Requests: fetched[0].requests,
	}
	if base != nil {
		var err error
		if p, err = profile.Diff(p, base[0].filter.Keep(fetched[1].Profile)); err != nil {
			return nil, err
		}
	}
	var err error
	if about.Type, err = profile.TypeOf(p, side.SampleType); err != nil {
		return nil, fmt.Errorf("profile.sampleType: %w", err)
	}
	switch r.Kind {
	case query.KindFlame:
		flame, narrow := profile.FlameOf(p, about.Type).Fold(maxBars)
		f := frames.Flame(about, flame)
		if narrow > 0 {
			f.AppendNotices(info("%d bars are too narrow to be seen: below each bar they are one, (other)", narrow))
		}
		return f, nil
	case query.KindTop:
		top := profile.TopOf(p, about.Type)
		functions := len(top.Functions)
		top.Functions = top.Functions[:min(functions, maxFunctions)]
		f := frames.Top(about, top)
		if functions > maxFunctions {
			f.AppendNotices(info("%d functions have the least, and are not here", functions-maxFunctions))
		}
		return f, nil
	}
	name := fmt.Sprintf("%s.%s.%s.pb.gz", side.name(), side.Type, about.From.UTC().Format("20060102T150405Z"))
	name = strings.NewReplacer("/", "-", ":", "-").Replace(name)
	raw := fetched[0].Raw
	if p != fetched[0].Profile || raw == nil {
		var written bytes.Buffer
		if err := p.Write(&written); err != nil {
			return nil, fmt.Errorf("write profile: %w", err)
		}
		raw = written.Bytes()
	}
	return frames.RawProfile(about, name, raw), nil
}

// readProfile reads and checks which profile a query is of, and its base where it has one. An error names the field.
func (d *Datasource) readProfile(r request) (profileSide, []profileSide, error) {
	asked := r.Profile
	if asked == nil {
		return profileSide{}, nil, fmt.Errorf("profile is missing: name a target, a process or a service, and the type of profile, such as cpu")
	}
	side, err := d.readSide("profile", *asked, r)
	if err != nil || asked.Base == nil {
		return side, nil, err
	}
	base, err := d.readSide("profile.base", inherit(*asked.Base, *asked), r)
	if err != nil {
		return side, nil, err
	}
	if base.Type != side.Type {
		return side, nil, fmt.Errorf("profile.base.type is %s, which can't be compared with %s", base.Type, side.Type)
	}
	same, of := base.Profile, side.Profile
	same.Base, of.Base = nil, nil
	if same == of {
		return side, nil, fmt.Errorf("profile.base is what it is compared with: give it another target, label, function or length")
	}
	return side, []profileSide{base}, nil
}

// inherit returns a base with what it leaves out as in the profile.
func inherit(base, from query.Profile) query.Profile {
	if base.Target == "" && base.Process == "" && base.Service == "" {
		base.Target, base.Process, base.Service = from.Target, from.Process, from.Service
	}
	base.Type = cmp.Or(base.Type, from.Type)
	base.SampleType = cmp.Or(base.SampleType, from.SampleType)
	if base.Service == "" {
		base.Seconds = cmp.Or(base.Seconds, from.Seconds)
	}
	base.Function = cmp.Or(base.Function, from.Function)
	base.Label = cmp.Or(base.Label, from.Label)
	return base
}

func (d *Datasource) readSide(field string, asked query.Profile, r request) (profileSide, error) {
	side := profileSide{Profile: asked}
	side.Type = cmp.Or(side.Type, profile.CPU)
	if side.Type == profile.CPU && side.Service == "" {
		side.Seconds = cmp.Or(side.Seconds, defaultProfileSeconds)
	}
	switch {
	case asked.Base != nil && asked.Base.Base != nil:
		return side, fmt.Errorf("%s.base.base: a base has none itself", field)
	case asked.Target != "" && asked.Process != "":
		return side, fmt.Errorf("%s.target is %q and %s.process is %q: name one of both", field, asked.Target, field, asked.Process)
	case asked.Service != "" && asked.Target+asked.Process != "":
		return side, fmt.Errorf("%s.service is %q, and a target or process is named too: name one of them", field, asked.Service)
	case asked.Service != "":
		side.stored = d.pyroscope
		err := side.readStored(field, r)
		return side, err
	case asked.Target == "" && (asked.Process != "" || len(d.agents) > 0):
		err := side.readCollected(field, r, len(d.agents))
		return side, err
	case r.Kind == query.KindProfileHeat:
		return side, fmt.Errorf("%s.target is %q: profile-heat is of what agents collect of processes, and Pyroscope of services; a target can only be asked for what is now: name a process, a service, or none", field, asked.Target)
	case asked.From != 0 || asked.To != 0:
		return side, fmt.Errorf("%s.from and to: a target can only be asked for what is now", field)
	case side.Seconds < 0 || side.Seconds > maxProfileSeconds:
		return side, fmt.Errorf("%s.seconds is %d, must be between 1 and %d, or 0", field, side.Seconds, maxProfileSeconds)
	}
	if len(r.Matchers) > 0 {
		return side, fmt.Errorf("matchers: %d found, at most 0 of a target: they choose processes", len(r.Matchers))
	}
	var err error
	if side.target, err = d.targetOf(field+".target", asked.Target); err != nil {
		return side, err
	}
	if side.filter, err = profile.NewFilter(side.Function, side.Label); err != nil {
		return side, fmt.Errorf("%s.%w", field, err)
	}
	return side, nil
}

// readCollected reads what is wanted of what agents collect.
func (s *profileSide) readCollected(field string, r request, agents int) (err error) {
	s.matchers = r.Matchers
	if agents == 0 {
		return errNoAgents
	}
	if err := s.readRange(field, r); err != nil {
		return err
	}
	switch {
	case s.Seconds < 0 || s.Seconds > maxCollectSeconds:
		return fmt.Errorf("%s.seconds is %d, must be between 1 and %d of a process, or 0", field, s.Seconds, maxCollectSeconds)
	case s.Seconds != 0 && s.Type != profile.CPU:
		return fmt.Errorf("%s.seconds is %d, which only cpu has of a process: ask for a range", field, s.Seconds)
	case r.Kind == query.KindProfileHeat && s.Base != nil:
		return fmt.Errorf("%s.base: profile-heat has none", field)
	}
	if s.filter, err = profile.NewFilter(s.Function, s.Label); err != nil {
		return fmt.Errorf("%s.%w", field, err)
	}
	return nil
}

// readRange reads a side's own time range, which is that of the query where it has none.
func (s *profileSide) readRange(field string, r request) error {
	s.from, s.to = r.from, r.to
	if s.From != 0 {
		s.from = time.UnixMilli(s.From)
	}
	if s.To != 0 {
		s.to = time.UnixMilli(s.To)
	}
	if !s.from.Before(s.to) || s.to.Sub(s.from) > maxRange {
		return fmt.Errorf("%s.from and to are %s and %s, must be in that order, and at most %s apart", field, clock(s.from), clock(s.to), days(maxRange))
	}
	return nil
}

var errNoAgents = errors.New("agents: none is configured: add one, such as http://127.0.0.1:7117")
