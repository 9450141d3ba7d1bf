package datasource

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"golang.org/x/sync/errgroup"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// cell answers the kind cell: a table for each dimension that tells something
// of the hits, most of them first, then goroutines, and then exemplars.
//
//	what is the point? ─▶ buckets of the cell ─▶ heat by nothing and by each dimension,
//	   grid, exemplars: of each agent ─▶ add up ─▶ frames
func (d *Datasource) cell(ctx context.Context, r request) (data.Frames, []failure, error) {
	points, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.MeasurementPoint, error) { return a.point(ctx, r.POM) })
	if len(points) == 0 {
		return nil, failures, nil
	}
	about, err := aboutPoint(r.POM, points)
	if err != nil {
		return nil, nil, err
	}
	first, last, found := about.BucketsWithin(r.ValueMin, r.ValueMax)
	if !found {
		return nil, nil, fmt.Errorf("valueMin and valueMax are %g and %g: no bucket lies between them, which are 2^(1/8) apart", r.ValueMin, r.ValueMax)
	}
	// A column has narrower ones in it; any other range is rounded out as a spectrum's is.
	narrow := step(r.from, r.to, 0, spectrumColumns)
	start, end := aligned(r.from, r.to, narrow)
	q := heatQuery{pom: r.POM, matchers: r.Matchers, step: widest(start, end, narrow)}
	c := frames.Cell{From: start, To: end, First: first, Last: last}
	known := map[*agent]*pb.MeasurementPoint{}
	asked := make([]*agent, len(points))
	for i, p := range points {
		asked[i], known[p.agent] = p.agent, p.value
	}
	answers, silent := askAll(ctx, asked, func(ctx context.Context, a *agent) (*cellOf, error) { return a.cell(ctx, q, c, known[a]) })
	failures = unite(failures, silent)
	if len(answers) == 0 {
		return nil, failures, nil
	}
	result, err := cellFrames(about, c, r.Matchers, answers)
	return result, failures, err
}

// point returns what an agent knows of a point; one without dimensions when it
// does not know it, which it says itself when it is asked for heat.
func (a *agent) point(ctx context.Context, name string) (*pb.MeasurementPoint, error) {
	points, err := a.listPoints(ctx)
	if err != nil {
		return nil, err
	}
	for _, p := range points {
		if p.Name == name {
			return p, checkUnit(p.Unit)
		}
	}
	return &pb.MeasurementPoint{Name: name}, nil
}

func aboutPoint(name string, points []answer[*pb.MeasurementPoint]) (frames.Subject, error) {
	about := frames.Subject{POM: name}
	for _, p := range points {
		if p.value.Gauge {
			return about, fmt.Errorf("pom is %s, a gauge: only hits are in cells", name)
		}
		if unit := p.value.Unit; unit != "" && about.Unit != "" && unit != about.Unit {
			return about, fmt.Errorf("agents disagree on the unit: %q and %q", about.Unit, unit)
		}
		about.Unit = cmp.Or(about.Unit, p.value.Unit)
	}
	return about, nil
}

// widest returns the widest columns that a range is whole ones of, at least so wide.
func widest(start, end time.Time, least time.Duration) time.Duration {
	width := least
	for _, s := range niceSteps {
		if s > least && floor(start, s).Equal(start) && floor(end, s).Equal(end) {
			width = s
		}
	}
	return width
}

// cellOf is what one agent says of a cell.
type cellOf struct {
	count uint64
	// parts are the hits by dimension and value.
	parts map[string]map[string]uint64
	// refused says of which dimension, "goroutines" or "exemplars" there was too much.
	refused   map[string]error
	grid      *pb.QueryGridResponse
	exemplars *pb.QueryExemplarsResponse
}

// cell asks an agent all there is to ask of a cell, a few questions at once.
// What would be too much is left out, and said.
func (a *agent) cell(ctx context.Context, q heatQuery, c frames.Cell, point *pb.MeasurementPoint) (*cellOf, error) {
	of := &cellOf{parts: map[string]map[string]uint64{}, refused: map[string]error{}}
	var mu sync.Mutex
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	question := func(name string, ask func() error) {
		group.Go(func() error {
			err := ask()
			if connect.CodeOf(err) == connect.CodeResourceExhausted {
				mu.Lock()
				defer mu.Unlock()
				of.refused[name] = err
				return nil
			}
			return err
		})
	}
	group.Go(func() error {
		by, err := a.hitsBy(ctx, q, c, "")
		of.count = by[""]
		return err
	})
	for _, dimension := range point.Dimensions {
		question(dimension, func() error {
			by, err := a.hitsBy(ctx, q, c, dimension)
			if err == nil {
				mu.Lock()
				defer mu.Unlock()
				of.parts[dimension] = by
			}
			return err
		})
	}
	if point.Goroutines {
		question("goroutines", func() (err error) {
			of.grid, err = a.grid(ctx, q, c)
			return err
		})
	}
	if len(point.Extra) > 0 {
		question("exemplars", func() (err error) {
			of.exemplars, err = a.exemplarsIn(ctx, q, c)
			return err
		})
	}
	return of, group.Wait()
}

// hitsBy counts the hits in a cell by the values of a dimension; all of them under "" when it is "".
func (a *agent) hitsBy(ctx context.Context, q heatQuery, c frames.Cell, dimension string) (map[string]uint64, error) {
	if dimension != "" {
		q.groupBy = []string{dimension}
	}
	said, err := a.queryHeat(ctx, q, c.From, c.To)
	if err != nil {
		return nil, err
	}
	by := map[string]uint64{}
	for _, s := range said.series {
		for _, column := range s.Columns {
			by[s.Labels[dimension]] += c.Count(column)
		}
	}
	return by, nil
}

func (a *agent) grid(ctx context.Context, q heatQuery, c frames.Cell) (*pb.QueryGridResponse, error) {
	answer, err := a.api.QueryGrid(ctx, connect.NewRequest(&pb.QueryGridRequest{
		Pom: q.pom, Matchers: onTheWire(ofProcesses(q.matchers)), Side: heat.GridSide,
		Start: timestamppb.New(c.From), End: timestamppb.New(c.To),
	}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, checkGrid(answer.Msg)
}

// ofProcesses keeps the matchers that a goroutine grid knows.
func ofProcesses(matchers []query.Matcher) []query.Matcher {
	return slices.DeleteFunc(slices.Clone(matchers), func(m query.Matcher) bool { return !slices.Contains(attachDimensions, m.Dimension) })
}

func (a *agent) exemplarsIn(ctx context.Context, q heatQuery, c frames.Cell) (*pb.QueryExemplarsResponse, error) {
	asked := &pb.QueryExemplarsRequest{
		Pom: q.pom, Matchers: onTheWire(q.matchers), Limit: maxExemplars,
		Start: timestamppb.New(c.From), End: timestamppb.New(c.To),
	}
	if c.First > 0 {
		asked.Min = heat.LowerNanoseconds(c.First) + 1
	}
	if c.Last < heat.Overflow {
		asked.Max = heat.UpperNanoseconds(c.Last)
	}
	answer, err := a.api.QueryExemplars(ctx, connect.NewRequest(asked))
	if err != nil {
		return nil, err
	}
	return answer.Msg, checkExemplars(answer.Msg)
}

// cellFrames adds up what agents say. There is at least one frame.
func cellFrames(about frames.Subject, c frames.Cell, matchers []query.Matcher, answers []answer[*cellOf]) (data.Frames, error) {
	var result data.Frames
	var count uint64
	for _, a := range answers {
		count += a.value.count
	}
	// bare is how many hits may have none of the finer dimensions.
	bare, bareOf := count, []string{}
	for _, dimension := range dimensionsOf(answers) {
		counts, untold, notices := partOf(dimension, answers)
		var sum uint64
		for _, n := range counts {
			sum += n
		}
		if !slices.Contains(attachDimensions, dimension) {
			bare, bareOf = min(bare, counts[""]), append(bareOf, dimension)
		}
		if counts[""] == sum && untold == 0 {
			continue // it says nothing
		}
		f := frames.CellPart(about, c, dimension, counts, untold)
		if sum+untold != count {
			notices = append(notices, info("the cell is still filling: %d hits were in it a moment before or after, and %d are here", count, sum+untold))
		}
		f.AppendNotices(notices...)
		result = append(result, f)
	}
	if result == nil {
		result = data.Frames{frames.CellPart(about, c, "process", map[string]uint64{"": count}, 0)}
	}
	if bare > 0 && len(bareOf) > 0 {
		result[0].AppendNotices(info("up to %d of %d hits are known without their %s: an agent that is short of memory keeps that of the newest minutes only, and a map of the kernel that is full counts without it",
			bare, count, strings.Join(bareOf, ", ")))
	}
	goroutines, err := goroutinesFrame(about, c, matchers, answers)
	if err != nil {
		return nil, err
	}
	return append(append(result, goroutines...), exemplarsFrame(about, answers)...), nil
}

// dimensionsOf returns the dimensions that any agent's point has, in the order of display.
func dimensionsOf(answers []answer[*cellOf]) []string {
	return slices.DeleteFunc(slices.Clone(heat.Dimensions), func(dimension string) bool {
		return !slices.ContainsFunc(answers, func(a answer[*cellOf]) bool {
			return a.value.parts[dimension] != nil || a.value.refused[dimension] != nil
		})
	})
}

// partOf adds up the hits by the values of a dimension. Of those whom an agent
// does not split by it the value is not known, and of those that it refuses to, untold.
func partOf(dimension string, answers []answer[*cellOf]) (counts map[string]uint64, untold uint64, notices []data.Notice) {
	counts = map[string]uint64{}
	for _, a := range answers {
		by, split := a.value.parts[dimension]
		switch err := a.value.refused[dimension]; {
		case err != nil:
			untold += a.value.count
			notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf(
				"%v; its %d hits are counted as %s", a.agent.failed(err), a.value.count, frames.Others)})
		case !split:
			counts[""] += a.value.count
		}
		for value, n := range by {
			counts[value] += n
		}
	}
	return counts, untold, notices
}

// goroutinesFrame makes the table of goroutines, where the point has any.
func goroutinesFrame(about frames.Subject, c frames.Cell, matchers []query.Matcher, answers []answer[*cellOf]) (data.Frames, error) {
	var grids []*pb.QueryGridResponse
	notices := refusals("goroutines", answers)
	for _, a := range answers {
		if a.value.grid != nil {
			grids = append(grids, a.value.grid)
		}
	}
	if grids == nil && notices == nil {
		return nil, nil
	}
	merged, err := frames.MergeGrids(grids)
	if err != nil {
		return nil, err
	}
	f := frames.CellGoroutines(about, c, merged)
	among := ""
	if len(ofProcesses(matchers)) < len(matchers) {
		among = " of these processes"
	}
	f.AppendNotices(append(notices, info("agents keep goroutines by time and not by value: these are the hottest of %d hits%s in the %s around the cell, whatever their value; %d of them were carried with their goroutine",
		merged.Hits, among, max(c.To.Sub(c.From), heat.GridSlice), merged.Carried))...)
	return data.Frames{f}, nil
}

// exemplarsFrame makes the table of exemplars, where the point has any: the greatest that any agent has.
func exemplarsFrame(about frames.Subject, answers []answer[*cellOf]) data.Frames {
	var all []*pb.Exemplar
	notices := refusals("exemplars", answers)
	has := notices != nil
	for _, a := range answers {
		if a.value.exemplars != nil {
			has = true
			all = append(all, a.value.exemplars.Exemplars...)
		}
	}
	if !has {
		return nil
	}
	slices.SortStableFunc(all, func(a, b *pb.Exemplar) int { return cmp.Compare(b.Value, a.Value) })
	f := frames.Exemplars(about, all[:min(len(all), maxExemplars)])
	f.AppendNotices(append(notices, info("agents keep the greatest hits only: of each process four in ten seconds, and in a minute once they are five minutes old"))...)
	return data.Frames{f}
}

// refusals says of which agents something is missing.
func refusals(what string, answers []answer[*cellOf]) (notices []data.Notice) {
	for _, a := range answers {
		if err := a.value.refused[what]; err != nil {
			notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf("%v; its %s are not here", a.agent.failed(err), what)})
		}
	}
	return notices
}

func info(format string, args ...any) data.Notice {
	return data.Notice{Severity: data.NoticeSeverityInfo, Text: fmt.Sprintf(format, args...)}
}
