package server

import (
	"cmp"
	"context"
	"slices"
	"strconv"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// QueryHeat returns histograms over time, one series per group.
func (s *Server) QueryHeat(ctx context.Context, req *connect.Request[gothermpb.QueryHeatRequest]) (*connect.Response[gothermpb.QueryHeatResponse], error) {
	p, r, err := heatQuery(req.Msg)
	if err != nil {
		return nil, err
	}
	series, err := s.collect(ctx, r)
	if err != nil {
		return nil, err
	}
	return connect.NewResponse(&gothermpb.QueryHeatResponse{
		Series: heatSeries(series),
		Schema: heat.Schema,
		Unit:   p.Unit,
		Step:   durationpb.New(r.Step),
	}), nil
}

// collect asks the head for heat, a slice of time after the other, so that an
// answer over the limits is refused before it is made, and one over its time
// is given up. The request must have passed [heatQuery].
func (s *Server) collect(ctx context.Context, r heat.Request) ([]heat.Series, error) {
	select {
	case s.walks <- struct{}{}:
		defer func() { <-s.walks }()
	case <-ctx.Done():
		return nil, gaveUp(ctx)
	}
	if n := s.groups(r); n > maxGroups {
		return nil, tooMuch("group_by leads to %d series, at most %d: add matchers or group by less", n, maxGroups)
	}
	// Nothing is older than what the head remembers: do not walk there.
	from, to := r.From, r.To
	if oldest := floor(s.historyStart(), r.Step); from.Before(oldest) {
		from = oldest
	}
	const slice = 128
	index := map[string]int{}
	var all []heat.Series
	var columns, cells int
	for ; from.Before(to); from = from.Add(slice * r.Step) {
		if ctx.Err() != nil {
			return nil, gaveUp(ctx)
		}
		r.From, r.To = from, from.Add(slice*r.Step)
		if r.To.After(to) {
			r.To = to
		}
		part, err := s.Head.Query(r)
		if err != nil {
			return nil, connect.NewError(connect.CodeInvalidArgument, err)
		}
		for _, p := range part {
			id := identify(r.GroupBy, p.Labels)
			i, ok := index[id]
			if !ok {
				i = len(all)
				index[id] = i
				all = append(all, heat.Series{Labels: p.Labels})
			}
			all[i].Columns = append(all[i].Columns, p.Columns...)
			columns += len(p.Columns)
			for _, c := range p.Columns {
				cells += len(c.Buckets)
			}
		}
		if columns > maxFilled {
			return nil, tooMuch("the answer has over %d columns with hits in all series, at most %d: ask for a shorter range, a longer step or fewer groups", maxFilled, maxFilled)
		}
		if cells > maxCells {
			return nil, tooMuch("the answer has over %d cells, at most %d: ask for a shorter range, a longer step or fewer groups", maxCells, maxCells)
		}
	}
	// A series may have been made between two slices.
	slices.SortFunc(all, func(a, b heat.Series) int { return compare(r.GroupBy, a.Labels, b.Labels) })
	return slices.DeleteFunc(all, func(s heat.Series) bool { return len(s.Columns) == 0 }), nil
}

// groups counts the series that a request leads to.
func (s *Server) groups(r heat.Request) int {
	seen := map[string]bool{}
	for _, k := range s.Head.Keys(r.POM, r.Matchers) {
		var id strings.Builder
		for _, d := range r.GroupBy {
			id.WriteString(strconv.Quote(k.Value(d)))
		}
		seen[id.String()] = true
	}
	return len(seen)
}

// compare orders series by their labels, in the order of the dimensions.
func compare(dimensions []string, a, b map[string]string) int {
	for _, d := range dimensions {
		if c := cmp.Compare(a[d], b[d]); c != 0 {
			return c
		}
	}
	return 0
}

// identify makes one string of the labels of a series, in the order of the dimensions.
func identify(dimensions []string, labels map[string]string) string {
	var id strings.Builder
	for _, d := range dimensions {
		id.WriteString(strconv.Quote(labels[d]))
	}
	return id.String()
}

// historyStart is the earliest time for which there is heat.
func (s *Server) historyStart() time.Time {
	oldest := s.Head.Oldest()
	if oldest.Before(s.started) {
		return s.started
	}
	return oldest
}

// gaveUp is the error for a request whose time is over, or whose client has gone.
func gaveUp(ctx context.Context) error {
	if ctx.Err() == context.DeadlineExceeded {
		return errTime
	}
	return connect.NewError(connect.CodeCanceled, ctx.Err())
}

func heatSeries(from []heat.Series) []*gothermpb.HeatSeries {
	series := make([]*gothermpb.HeatSeries, len(from))
	for i, s := range from {
		series[i] = &gothermpb.HeatSeries{Labels: s.Labels, Columns: make([]*gothermpb.HeatColumn, len(s.Columns))}
		for j, c := range s.Columns {
			series[i].Columns[j] = &gothermpb.HeatColumn{
				Start: timestamppb.New(c.Start), Buckets: c.Buckets, Counts: c.Counts, Sum: c.Sum, Max: c.Max,
			}
		}
	}
	return series
}
