package datasource

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// The street: pkg/heat/matrix.go holds the heat that is asked for here, in the
// agent; src/renderer/draw.ts draws what leaves here as frames.
//
//	query ─▶ check ─▶ ask every agent ─▶ merge ─▶ framer of the kind ─▶ frames
//	                        │
//	                        ├ silent or refusing: a notice on the first frame
//	                        ├ garbage: an error with its name, beside the others' frames
//	                        └ none answered: an error

// parallelQueries is how many queries of one request are answered at once.
const parallelQueries = 8

// settled is how old a column must be before a series shows it: agents still
// add to younger ones, and half a column would read as half the rate.
const settled = 5 * time.Second

// QueryData answers each query by itself: an error of one is in its response.
func (d *Datasource) QueryData(ctx context.Context, req *backend.QueryDataRequest) (*backend.QueryDataResponse, error) {
	answers := make([]backend.DataResponse, len(req.Queries))
	var group errgroup.Group
	group.SetLimit(parallelQueries)
	for i, q := range req.Queries {
		group.Go(func() error {
			answers[i] = d.answer(ctx, req, q)
			return nil
		})
	}
	_ = group.Wait() // errors are in the answers
	response := backend.NewQueryDataResponse()
	for i, q := range req.Queries {
		response.Responses[q.RefID] = answers[i]
	}
	return response, nil
}

func (d *Datasource) answer(ctx context.Context, all *backend.QueryDataRequest, q backend.DataQuery) backend.DataResponse {
	if d.broken != nil {
		return badRequest(d.broken)
	}
	r, err := readRequest(q)
	if err != nil {
		return badRequest(err)
	}
	if slices.Contains(profileKinds, r.Kind) {
		return d.profile(ctx, r)
	}
	if r.Kind == query.KindStages {
		return d.stages(ctx, r)
	}
	if len(d.agents) == 0 {
		return badRequest(errNoAgents)
	}
	var notices []data.Notice
	if r.Attach {
		notices = d.attach(ctx, r)
	}
	var result data.Frames
	var failures []failure
	switch r.Kind {
	case query.KindHeatmap, query.KindSeries:
		result, failures, err = d.heat(ctx, all.PluginContext, r)
	case query.KindSpectrum:
		result, failures, err = d.spectrum(ctx, r)
	case query.KindExemplars:
		result, failures, err = d.exemplars(ctx, r)
	case query.KindEvents:
		result, failures, err = d.events(ctx, all.PluginContext, r)
	case query.KindProcesses:
		result, failures, err = d.processTable(ctx, r)
	case query.KindGrid:
		result, failures, err = d.grid(ctx, r)
	case query.KindReleases:
		result, failures, err = d.releases(ctx, r)
	case query.KindCompare:
		result, failures, err = d.compare(ctx, r, all.Queries, q.RefID)
	case query.KindCell:
		result, failures, err = d.cell(ctx, r)
	}
	if err != nil {
		return badRequest(err)
	}
	return respond(result, notices, failures, len(d.agents))
}

// respond puts together what came of asking all agents.
func respond(result data.Frames, notices []data.Notice, failures []failure, asked int) backend.DataResponse {
	var broken []error
	for _, f := range failures {
		if f.kind == garbage || len(failures) == asked {
			broken = append(broken, f)
			continue
		}
		notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: f.Error() + "; the rest is shown without it"})
	}
	var response backend.DataResponse
	if len(failures) < asked {
		result[0].AppendNotices(notices...)
		response.Frames = result
	}
	if len(broken) > 0 {
		response.Error = backend.DownstreamError(errors.New(joined(broken)))
		response.ErrorSource = backend.ErrorSourceDownstream
		response.Status = backend.Status(http.StatusBadGateway)
	}
	return response
}

func joined(errs []error) string {
	texts := make([]string, len(errs))
	for i, err := range errs {
		texts[i] = err.Error()
	}
	return strings.Join(texts, "; ")
}

// badRequest is the answer to a query, or settings, that can never be answered.
func badRequest(err error) backend.DataResponse {
	return backend.ErrDataResponseWithSource(backend.StatusBadRequest, backend.ErrorSourceDownstream, err.Error())
}

// heat answers the kinds heatmap and series. There is at least one frame. Only
// the agents know whether a name is that of a gauge or of a measurement point
// with hits.
func (d *Datasource) heat(ctx context.Context, from backend.PluginContext, r request) (data.Frames, []failure, error) {
	start, end := aligned(r.from, r.to, r.step)
	zeros := slices.ContainsFunc(r.statistics, frames.Statistic.ZeroWithoutHits)
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (measured, error) {
		gauge, err := a.isGauge(ctx, r.POM)
		if err != nil {
			return measured{}, err
		}
		if gauge {
			gauges, err := a.queryGauges(ctx, r, start, end)
			return measured{gauges: &gauges}, err
		}
		said, err := a.heat(ctx, r.heatQuery(), start, end, zeros)
		return measured{heat: said}, err
	})
	if len(answers) == 0 {
		return nil, failures, nil
	}
	var parts []heatOf
	var gauges []gaugesOf
	for _, a := range answers {
		if a.value.gauges != nil {
			gauges = append(gauges, *a.value.gauges)
		} else {
			parts = append(parts, a.value.heat)
		}
	}
	if parts != nil && gauges != nil {
		return nil, nil, fmt.Errorf("agents disagree: %s is a gauge to %d of them, and has hits to %d", r.POM, len(gauges), len(parts))
	}
	if gauges != nil {
		result, err := gaugeFrames(r, gauges, start, end)
		return result, failures, err
	}
	result, err := d.hitFrames(from, r, parts)
	return result, failures, err
}

// measured is what an agent says of a name: that it is a gauge, or heat.
type measured struct {
	heat   heatOf
	gauges *gaugesOf
}

// hitFrames makes the frames of heat that all agents have said.
func (d *Datasource) hitFrames(from backend.PluginContext, r request, parts []heatOf) (data.Frames, error) {
	merged, err := merge(parts)
	if err != nil {
		return nil, err
	}
	if err := atMost("series", len(merged.series), maxSeries, "group by fewer dimensions or match fewer values"); err != nil {
		return nil, err
	}
	about := frames.Subject{POM: r.POM, Unit: merged.unit, Step: r.step, Legend: r.Legend}
	live := r.Live && isNow(r.to, r.step)
	if r.Kind == query.KindSeries {
		return d.seriesFrames(from, r, about, merged, live)
	}
	return d.heatmapFrames(from, r, about, merged, live)
}

func (d *Datasource) heatmapFrames(from backend.PluginContext, r request, about frames.Subject, merged heatOf, live bool) (data.Frames, error) {
	var result data.Frames
	cells := 0
	for _, s := range merged.series {
		if len(s.Columns) == 0 {
			continue
		}
		cells += cellsOf(s)
		if err := atMost("cells", cells, maxCells, "ask for a shorter range, fewer data points or fewer series"); err != nil {
			return nil, err
		}
		c := channel{heatQuery: r.heatQuery(), attach: r.Attach, about: about, labels: s.Labels, continues: r.Compact}
		if r.Compact {
			made, err := d.compactFrames(from, c, s, live)
			if err != nil {
				return nil, err
			}
			result = append(result, made...)
			continue
		}
		f := frames.Heatmap(about, s)
		if live {
			d.openChannel(from, f, c)
		}
		result = append(result, f)
	}
	if result == nil {
		// No hit yet. One stream takes them all, since what they will be split into is not known.
		c := channel{heatQuery: r.heatQuery(), attach: r.Attach, about: about, all: true, continues: r.Compact}
		f := c.frame(heat.Series{})
		if live {
			d.openChannel(from, f, c)
		}
		result = data.Frames{f}
	}
	return result, nil
}

func cellsOf(s heat.Series) (cells int) {
	for _, c := range s.Columns {
		cells += len(c.Buckets)
	}
	return cells
}

// compactFrames makes the compact frame of a series, and when it is live a plain
// one without rows for the stream to be appended to. Both name the stream.
func (d *Datasource) compactFrames(from backend.PluginContext, c channel, s heat.Series, live bool) (data.Frames, error) {
	if live {
		c.about = c.streamed()
	}
	f, err := frames.Compact(c.about, s)
	if err != nil || !live {
		return data.Frames{f}, err
	}
	rest := c.frame(heat.Series{Labels: s.Labels})
	d.openChannel(from, rest, c)
	return data.Frames{f, rest}, nil
}

func (d *Datasource) seriesFrames(from backend.PluginContext, r request, about frames.Subject, merged heatOf, live bool) (data.Frames, error) {
	until := minTime(r.to, time.Now().Add(-settled))
	var result data.Frames
	points := 0
	if err := r.statisticsSuit(about); err != nil {
		return nil, err
	}
	for _, s := range merged.series {
		for _, statistic := range r.statistics {
			f := frames.Series(about, statistic, s, until)
			if f.Rows() == 0 {
				continue
			}
			points += f.Rows()
			if err := atMost("points", points, maxPoints, "ask for a shorter range, fewer data points or fewer series"); err != nil {
				return nil, err
			}
			if live {
				d.openChannel(from, f, channel{heatQuery: r.heatQuery(), attach: r.Attach, about: about, labels: s.Labels, statistic: statistic})
			}
			result = append(result, f)
		}
	}
	if result == nil {
		result = data.Frames{frames.NoSeries()}
	}
	return result, nil
}

func (r request) heatQuery() heatQuery { return heatQuery{r.POM, r.Matchers, r.GroupBy, r.step} }

// isNow says whether a range that ends at t ends at the present, for all a
// browser's clock may differ.
func isNow(t time.Time, step time.Duration) bool {
	return time.Since(t) < max(2*step, 15*time.Second)
}

// heatQuery is what heat to ask for, whenever it was.
type heatQuery struct {
	pom      string
	matchers []query.Matcher
	groupBy  []string
	step     time.Duration
}

// askHeat asks all agents for the columns in [start, end), which must be
// multiples of the step, and merges what they say. With zeros, there are
// columns without buckets where agents watched and nothing was hit.
func (d *Datasource) askHeat(ctx context.Context, q heatQuery, start, end time.Time, zeros bool) (heatOf, []failure, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (heatOf, error) {
		return a.heat(ctx, q, start, end, zeros)
	})
	parts := make([]heatOf, len(answers))
	for i, a := range answers {
		parts[i] = a.value
	}
	merged, err := merge(parts)
	return merged, failures, err
}

// heat is one agent's part in [Datasource.askHeat].
func (a *agent) heat(ctx context.Context, q heatQuery, start, end time.Time, zeros bool) (heatOf, error) {
	said, err := a.queryHeat(ctx, q, start, end)
	if err != nil || !zeros {
		return said, err
	}
	empty, err := a.queryZeros(ctx, q, start, end)
	said.series = append(said.series, empty...)
	return said, err
}

func (a *agent) queryHeat(ctx context.Context, q heatQuery, start, end time.Time) (heatOf, error) {
	answer, err := a.api.QueryHeat(ctx, connect.NewRequest(&pb.QueryHeatRequest{
		Pom: q.pom, Matchers: onTheWire(q.matchers), GroupBy: q.groupBy, Step: durationpb.New(q.step),
		Start: timestamppb.New(start), End: timestamppb.New(end),
	}))
	if err != nil {
		return heatOf{}, err
	}
	series, err := readHeat(answer.Msg, start, end, q.step)
	return heatOf{answer.Msg.Unit, series}, err
}

// queryZeros asks in which columns of which series the agent watched and
// nothing was hit. Heat alone does not tell that from not watching.
func (a *agent) queryZeros(ctx context.Context, q heatQuery, start, end time.Time) ([]heat.Series, error) {
	answer, err := a.api.QuerySeries(ctx, connect.NewRequest(&pb.QuerySeriesRequest{
		Pom: q.pom, Matchers: onTheWire(q.matchers), GroupBy: q.groupBy, Step: durationpb.New(q.step),
		Start: timestamppb.New(start), End: timestamppb.New(end),
		Statistics: []*pb.Statistic{{Kind: pb.Statistic_KIND_COUNT}},
	}))
	if err != nil {
		return nil, err
	}
	return readZeros(answer.Msg, start, end, q.step)
}

// grid answers the kind grid.
func (d *Datasource) grid(ctx context.Context, r request) (data.Frames, []failure, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.QueryGridResponse, error) {
		answer, err := a.api.QueryGrid(ctx, connect.NewRequest(&pb.QueryGridRequest{
			Pom: r.POM, Matchers: onTheWire(r.Matchers), Side: uint32(r.Side),
			Start: timestamppb.New(r.from), End: timestamppb.New(r.to),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg, checkGrid(answer.Msg)
	})
	if len(answers) == 0 {
		return nil, failures, nil
	}
	grids := make([]*pb.QueryGridResponse, len(answers))
	for i, a := range answers {
		grids[i] = a.value
	}
	merged, err := frames.MergeGrids(grids)
	if err != nil {
		return nil, nil, err
	}
	if err := atMost("cells", len(merged.Cells), maxCells, "ask for a smaller side"); err != nil {
		return nil, nil, err
	}
	f := frames.Grid(frames.Subject{POM: r.POM, Unit: merged.Unit}, merged)
	if merged.Carried < merged.Hits {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: fmt.Sprintf(
			"the grid is made of %d of %d hits: the others were counted without their goroutine", merged.Carried, merged.Hits)})
	}
	return data.Frames{f}, failures, nil
}

// releases answers the kind releases.
func (d *Datasource) releases(ctx context.Context, r request) (data.Frames, []failure, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) ([]*pb.Release, error) {
		answer, err := a.api.ListReleases(ctx, connect.NewRequest(&pb.ListReleasesRequest{
			Start: timestamppb.New(r.from), End: timestamppb.New(r.to),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg.Releases, checkReleases(answer.Msg.Releases)
	})
	var seen []frames.Release
	for _, a := range answers {
		for _, r := range a.value {
			seen = append(seen, frames.Release{Release: r, Agents: []string{a.agent.name}})
		}
	}
	var wanted []frames.Release
	for _, m := range frames.MergeReleases(seen) {
		ended := m.LastSeen != nil && m.LastSeen.AsTime().Before(r.from)
		key := heat.Key{Service: m.Service, Version: m.Version}
		if !ended && m.FirstSeen.AsTime().Before(r.to) && key.Matches(matchersOf(r.Matchers)) {
			wanted = append(wanted, m)
		}
	}
	if err := atMost("releases", len(wanted), maxPoints, "ask for a shorter range"); err != nil {
		return nil, nil, err
	}
	return data.Frames{frames.Releases(wanted)}, failures, nil
}

func matchersOf(matchers []query.Matcher) []heat.Matcher {
	result := make([]heat.Matcher, len(matchers))
	for i, m := range matchers {
		result[i] = heat.Matcher(m)
	}
	return result
}

func minTime(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
