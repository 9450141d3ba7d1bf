package datasource

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	pprof "github.com/google/pprof/profile"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Profiles that agents have collected. What a type is decides how many of them
// become one:
//
//	cpu, and others of a while        all in the range are added up
//	mutex, block, allocs              count since the start of the process: the last less the first
//	heap, goroutine, and its own      the last of each process

// around is how far outside of the range a profile may be, where there is none
// in it: one of each type is collected a minute.
const around = time.Minute

// gathered is a profile that an agent keeps.
type gathered struct {
	agent    *agent
	id       uint64
	process  string
	from, to time.Time
	bytes    int
	profile  *pprof.Profile
	raw      []byte
}

// kept is what agents say that they keep, and of what they can collect more.
type kept struct {
	list    []gathered // in order of time
	sources []source
	// off is what agents say that collect nothing.
	off string
}

type source struct {
	agent *agent
	*pb.ProfileSource
}

// countsSinceStart says whether the wanted values are counted since the start of the process.
func (s profileSide) countsSinceStart() bool {
	switch s.Type {
	case "mutex", "block":
		return true
	case "allocs":
		return !strings.HasPrefix(s.SampleType, "inuse_")
	case "heap":
		return strings.HasPrefix(s.SampleType, "alloc_")
	}
	return false
}

// whose is the matchers for the processes that are wanted.
func (s profileSide) whose() []query.Matcher {
	if s.Process == "" {
		return s.matchers
	}
	return append(slices.Clip(s.matchers), query.Matcher{Dimension: "process", Values: []string{s.Process}})
}

// name is what the profile is of.
func (s profileSide) name() string {
	if s.target != nil {
		return s.target.name
	}
	if named := cmp.Or(s.Process, s.Service); named != "" {
		return named
	}
	var values []string
	for _, m := range s.matchers {
		values = append(values, m.Values...)
	}
	return cmp.Or(strings.Join(values, ","), "processes")
}

// askKept asks all agents what they keep of a side, in the range and a little around it.
func (d *Datasource) askKept(ctx context.Context, s profileSide) (kept, []data.Notice, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.ListProfilesResponse, error) {
		answer, err := a.api.ListProfiles(ctx, connect.NewRequest(&pb.ListProfilesRequest{
			Matchers: onTheWire(s.whose()), Type: s.Type, Start: timestamppb.New(s.from.Add(-around)), End: timestamppb.New(s.to.Add(around)),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg, nil
	})
	var k kept
	if len(answers) == 0 {
		var errs []error
		for _, f := range failures {
			errs = append(errs, f)
		}
		return k, nil, errors.New(joined(errs))
	}
	var notices []data.Notice
	for _, f := range failures {
		notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: f.Error() + "; the rest is shown without it"})
	}
	for _, a := range answers {
		if a.value.Off != "" {
			k.off = fmt.Sprintf("agent %s (%s): %s", a.agent.name, a.agent.url, a.value.Off)
		}
		for _, one := range a.value.Sources {
			k.sources = append(k.sources, source{a.agent, one})
		}
		for _, p := range a.value.Profiles {
			if p.Start.CheckValid() != nil || p.End.CheckValid() != nil || p.End.AsTime().Before(p.Start.AsTime()) || p.Type != s.Type || p.Bytes > maxAnswer {
				return k, nil, a.agent.failed(garbagef("profile %d is of %s, from %s to %s, with %d bytes", p.Id, p.Type, p.Start, p.End, p.Bytes))
			}
			k.list = append(k.list, gathered{agent: a.agent, id: p.Id, process: p.Process, from: p.Start.AsTime(), to: p.End.AsTime(), bytes: int(p.Bytes)})
		}
	}
	slices.SortStableFunc(k.list, func(a, b gathered) int { return a.to.Compare(b.to) })
	return k, notices, nil
}

// within returns what is in the range of a side.
func (k kept) within(s profileSide) (list []gathered) {
	for _, g := range k.list {
		if g.from.Before(s.to) && g.to.After(s.from) {
			list = append(list, g)
		}
	}
	return list
}

// nearest returns what is nearest to the middle of the range, of each process.
func (k kept) nearest(s profileSide) []gathered {
	middle := s.from.Add(s.to.Sub(s.from) / 2)
	off := func(g gathered) time.Duration { return max(g.from.Sub(middle), middle.Sub(g.to), 0) }
	of := map[string]gathered{}
	for _, g := range k.list {
		if other, known := of[g.process]; !known || off(g) < off(other) {
			of[g.process] = g
		}
	}
	return slices.Collect(maps.Values(of))
}

// collected returns one profile of what agents have collected in the range of a
// side. Where they have none and the range is now, it is collected.
func (d *Datasource) collected(ctx context.Context, s profileSide) (obtained, error) {
	k, notices, err := d.askKept(ctx, s)
	if err != nil {
		return obtained{}, err
	}
	chosen := k.within(s)
	if len(chosen) == 0 && len(k.list) > 0 {
		chosen = k.nearest(s)
		notices = append(notices, info("in the range itself there is no %s profile: this is the nearest, of %s to %s", s.Type, clock(chosen[0].from), clock(chosen[0].to)))
	}
	if len(chosen) == 0 {
		if chosen, err = d.collectNow(ctx, s, k); err != nil {
			return obtained{}, err
		}
	}
	return s.reduce(ctx, chosen, notices)
}

// reduce makes one profile of those that were chosen.
func (s profileSide) reduce(ctx context.Context, chosen []gathered, notices []data.Notice) (obtained, error) {
	first, last := ends(chosen)
	wanted := chosen
	if s.Type != profile.CPU {
		wanted = slices.Collect(maps.Values(last))
		if s.countsSinceStart() {
			for process, g := range first {
				if last[process].id != g.id {
					wanted = append(wanted, g)
				}
			}
		}
	}
	if err := load(ctx, wanted); err != nil {
		return obtained{}, err
	}
	fetched := &profile.Fetched{From: wanted[0].from, To: wanted[0].to}
	result := obtained{Fetched: fetched}
	var parts []*pprof.Profile
	alone := 0
	for _, g := range wanted {
		if g.from.Before(fetched.From) {
			fetched.From = g.from
		}
		if g.to.After(fetched.To) {
			fetched.To = g.to
		}
		p := g.profile
		if s.countsSinceStart() {
			earlier := first[g.process]
			switch {
			case last[g.process].id != g.id:
				continue // taken from the last
			case earlier.id == g.id:
				alone++
				result.windows = append(result.windows, window{g.process, g.from, g.to, false})
			default:
				var err error
				if p, err = profile.Delta(p, profileOf(wanted, earlier.id, earlier.agent)); err != nil {
					return obtained{}, err
				}
				result.windows = append(result.windows, window{g.process, earlier.to, g.to, true})
			}
		} else {
			result.windows = append(result.windows, window{g.process, g.from, g.to, s.Type == profile.CPU})
		}
		parts = append(parts, p)
	}
	if alone > 0 {
		notices = append(notices, info("of %d processes there is one %s profile in the range: it is of all since they started", alone, s.Type))
	}
	result.notices = notices
	if len(parts) == 1 && len(wanted) == 1 {
		fetched.Profile, fetched.Raw = parts[0], wanted[0].raw
		return result, nil
	}
	var err error
	fetched.Profile, err = profile.Merge(parts)
	return result, err
}

// ends returns the first and the last profile of each process.
func ends(list []gathered) (first, last map[string]gathered) {
	first, last = map[string]gathered{}, map[string]gathered{}
	for _, g := range list {
		if other, known := first[g.process]; !known || g.to.Before(other.to) {
			first[g.process] = g
		}
		if other, known := last[g.process]; !known || !g.to.Before(other.to) {
			last[g.process] = g
		}
	}
	return first, last
}

func profileOf(list []gathered, id uint64, from *agent) *pprof.Profile {
	i := slices.IndexFunc(list, func(g gathered) bool { return g.id == id && g.agent == from })
	return list[i].profile
}

// load reads profiles from their agents.
func load(ctx context.Context, list []gathered) error {
	if err := atMost("profiles", len(list), maxCollected, "ask for a shorter range or fewer processes"); err != nil {
		return err
	}
	bytes := 0
	for _, g := range list {
		bytes += g.bytes
	}
	if err := atMost("bytes of profiles", bytes, maxAnswer, "ask for a shorter range or fewer processes"); err != nil {
		return err
	}
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for i := range list {
		if list[i].profile != nil {
			continue
		}
		group.Go(func() error { return list[i].load(ctx) })
	}
	return group.Wait()
}

func (g *gathered) load(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, g.agent.timeout)
	defer cancel()
	answer, err := g.agent.api.GetProfile(ctx, connect.NewRequest(&pb.GetProfileRequest{Id: g.id}))
	if err != nil {
		return g.agent.failed(err)
	}
	return g.read(answer.Msg.Profile)
}

func (g *gathered) read(raw []byte) (err error) {
	if g.profile, err = profile.Parse(bytes.NewReader(raw), profile.Usual); err != nil {
		return g.agent.failed(errGarbage{err})
	}
	g.raw = raw
	return nil
}

// nobody is the error where no agent collects of what is wanted.
func (k kept) nobody(s profileSide) error {
	if k.off != "" {
		return errors.New(k.off)
	}
	return fmt.Errorf("no agent collects profiles of %s: it is not watched, or --profiles of its agent names other services", s.name())
}

// collectNow asks the processes of a side for a profile, where that makes sense.
func (d *Datasource) collectNow(ctx context.Context, s profileSide, k kept) ([]gathered, error) {
	if len(k.sources) == 0 {
		return nil, k.nobody(s)
	}
	if time.Since(s.to) > around {
		return nil, fmt.Errorf("no %s profile of %s was collected from %s to %s, or it is not kept any more%s: %s",
			s.Type, s.name(), clock(s.from), clock(s.to), troubles(s.Type, k.sources), remedy)
	}
	if err := atMost("processes to collect a profile of now", len(k.sources), parallelCalls, "choose a process"); err != nil {
		return nil, err
	}
	if err := inTime(ctx, s.Seconds); err != nil {
		return nil, err
	}
	list := make([]gathered, len(k.sources))
	var group errgroup.Group
	for i, from := range k.sources {
		group.Go(func() error {
			request := &pb.CollectProfileRequest{Process: from.Process, Type: s.Type}
			if s.Type == profile.CPU {
				request.Duration = durationpb.New(time.Duration(s.Seconds) * time.Second)
			}
			ctx, cancel := context.WithTimeout(ctx, request.Duration.AsDuration()+from.agent.timeout)
			defer cancel()
			answer, err := from.agent.api.CollectProfile(ctx, connect.NewRequest(request))
			if connect.CodeOf(err) == connect.CodeDeadlineExceeded {
				return failure{from.agent, fmt.Errorf("gave no %s profile of process %s within %s: it may be asked for others; fewer profile.seconds than %d leave more time, and so does timeoutSeconds",
					s.Type, from.Process, request.Duration.AsDuration()+from.agent.timeout, s.Seconds), silent}
			}
			if err != nil {
				return from.agent.failed(err)
			}
			about := answer.Msg.About
			if about.GetStart().CheckValid() != nil || about.GetEnd().CheckValid() != nil {
				return from.agent.failed(garbagef("a profile without its times"))
			}
			list[i] = gathered{agent: from.agent, id: about.Id, process: from.Process, from: about.Start.AsTime(), to: about.End.AsTime(), bytes: len(answer.Msg.Profile)}
			return list[i].read(answer.Msg.Profile)
		})
	}
	return list, group.Wait()
}

// remedy is what helps where there is no profile in a range.
const remedy = "choose a range of a few minutes in which the process ran, as one profile of each type is collected a minute, and no older than what the agent keeps (--profiles-for, --profiles-mib)"

// troubles says why profiles may be missing.
func troubles(kind string, sources []source) string {
	for _, s := range sources {
		if s.Refused != "" {
			return fmt.Sprintf("; process %s: %s", s.Process, s.Refused)
		}
		for _, f := range s.Failing {
			if f.Type == kind {
				return fmt.Sprintf("; process %s: %s", s.Process, f.Reason)
			}
		}
	}
	return ""
}

// profileHeat answers the kind profile-heat: functions, or values of a label, by
// time. A column is a minute or more, as profiles come once a minute. Of what
// adds up, a column is what there was per second, whatever part of it was profiled.
func (d *Datasource) profileHeat(ctx context.Context, r request, s profileSide) (*data.Frame, error) {
	by := cmp.Or(s.GroupBy, profile.ByFunction)
	step := step(s.from, s.to, max(r.step, time.Minute), r.columns)
	// What is in a column may be before the range, or after.
	whole := s
	whole.from, whole.to = aligned(s.from, s.to, step)
	k, notices, err := d.askKept(ctx, whole)
	if err != nil {
		return nil, err
	}
	list := k.within(whole)
	if len(list) == 0 {
		if list, err = d.collectNow(ctx, s, k); err != nil {
			return nil, err
		}
	}
	columns, err := s.columns(ctx, list, step)
	if err != nil {
		return nil, err
	}
	heat, err := profile.HeatOf(columns, by, s.SampleType, maxRows)
	if err != nil {
		return nil, fmt.Errorf("profile.%w", err)
	}
	starts := make([]time.Time, len(columns))
	for i, c := range columns {
		starts[i] = c.From
	}
	about := frames.Profile{Of: s.name(), Kind: s.Type, Type: heat.Type, From: s.from, To: s.to}
	if alone := s.alone(list); alone > 0 {
		notices = append(notices, info("what happened is the difference of two %s profiles: of %d processes there is one in the range, and so nothing here; choose a range of a few minutes", s.Type, alone))
	}
	f := frames.ProfileHeat(about, heat, starts, step, s.Type == profile.CPU || s.countsSinceStart())
	f.AppendNotices(notices...)
	return f, nil
}

// alone counts the processes of which there is one profile where two are needed.
func (s profileSide) alone(list []gathered) (alone int) {
	if !s.countsSinceStart() {
		return 0
	}
	first, last := ends(list)
	for process, g := range first {
		if last[process].id == g.id {
			alone++
		}
	}
	return alone
}

// columns holds what is of each step that has some.
func (s profileSide) columns(ctx context.Context, list []gathered, step time.Duration) ([]profile.Slice, error) {
	type cell struct {
		start   int64
		process string
	}
	cells := map[cell][]*gathered{}
	if s.Type != profile.CPU {
		// The last of each process in each step is enough.
		last := map[cell]gathered{}
		for _, g := range list {
			last[cell{floor(g.from, step).Unix(), g.process}] = g
		}
		list = slices.SortedFunc(maps.Values(last), func(a, b gathered) int { return a.to.Compare(b.to) })
	}
	if err := load(ctx, list); err != nil {
		return nil, err
	}
	parts := map[int64][]profile.Part{}
	before := map[string]*gathered{}
	for i := range list {
		g := &list[i]
		at := cell{floor(g.from, step).Unix(), g.process}
		switch {
		case s.Type == profile.CPU:
			cells[at] = append(cells[at], g)
			continue
		case s.countsSinceStart():
			earlier := before[g.process]
			before[g.process] = g
			if earlier == nil {
				continue // since the start of the process: nobody knows when in it
			}
			p, err := profile.Delta(s.filter.Keep(g.profile), s.filter.Keep(earlier.profile))
			if err != nil {
				return nil, err
			}
			parts[at.start] = append(parts[at.start], profile.Part{Profile: p, Weight: 1 / max(g.to.Sub(earlier.to).Seconds(), 1e-3)})
		default:
			parts[at.start] = append(parts[at.start], profile.Part{Profile: s.filter.Keep(g.profile), Weight: 1})
		}
	}
	for at, all := range cells {
		var length time.Duration
		for _, g := range all {
			length += time.Duration(cmp.Or(max(g.profile.DurationNanos, 0), int64(g.to.Sub(g.from))))
		}
		for _, g := range all {
			parts[at.start] = append(parts[at.start], profile.Part{Profile: s.filter.Keep(g.profile), Weight: 1 / max(length.Seconds(), 1e-3)})
		}
	}
	var columns []profile.Slice
	for _, start := range slices.Sorted(maps.Keys(parts)) {
		columns = append(columns, profile.Slice{From: time.Unix(start, 0), To: time.Unix(start, 0).Add(step), Parts: parts[start]})
	}
	return columns, nil
}
