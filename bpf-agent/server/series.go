package server

import (
	"context"
	"maps"
	"math"
	"slices"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// QuerySeries returns statistics of histograms over time, one series for each
// group and statistic.
//
// Where nothing was hit, a count, a rate and a sum are zero, if a process of
// the group was watched then and the column is complete; else nothing is known
// and there is no point. A group that was watched and never hit is known by
// its process, service and version alone: grouped by anything else, it has no
// series.
func (s *Server) QuerySeries(ctx context.Context, req *connect.Request[gothermpb.QuerySeriesRequest]) (*connect.Response[gothermpb.QuerySeriesResponse], error) {
	p, r, err := heatQuery(req.Msg)
	if err != nil {
		return nil, err
	}
	if err := checkStatistics(p, req.Msg.GetStatistics()); err != nil {
		return nil, err
	}
	groups, err := s.collect(ctx, r)
	if err != nil {
		return nil, err
	}
	watched := s.watchedColumns(r, &groups)
	answer := &gothermpb.QuerySeriesResponse{Unit: p.Unit}
	points := 0
	for _, g := range groups {
		zeros := watched[watchKey(r.GroupBy, g.Labels)]
		for _, st := range req.Msg.GetStatistics() {
			series := &gothermpb.Series{Labels: g.Labels, Statistic: st, Points: statistic(st, g.Columns, r, zeros)}
			answer.Series = append(answer.Series, series)
			if points += len(series.Points); points > maxPoints {
				return nil, tooMuch("the answer has over %d points, at most %d: ask for a shorter range, a longer step, fewer groups or fewer statistics", maxPoints, maxPoints)
			}
		}
	}
	return connect.NewResponse(answer), nil
}

func checkStatistics(p probe.Point, statistics []*gothermpb.Statistic) error {
	if n := len(statistics); n == 0 || n > maxStatistics {
		return invalid("statistics has %d, must have 1 to %d", n, maxStatistics)
	}
	for _, st := range statistics {
		switch kind := st.GetKind(); kind {
		case gothermpb.Statistic_KIND_COUNT, gothermpb.Statistic_KIND_RATE, gothermpb.Statistic_KIND_SUM:
		case gothermpb.Statistic_KIND_MEAN, gothermpb.Statistic_KIND_MAX, gothermpb.Statistic_KIND_QUANTILE:
			if p.Unit != "ns" {
				return invalid("statistics has %s, but %s is a count: must be KIND_COUNT, KIND_RATE or KIND_SUM", kind, p.Name)
			}
			if q := st.GetQuantile(); kind == gothermpb.Statistic_KIND_QUANTILE && !(q > 0 && q < 1) {
				return invalid("statistics.quantile is %g, must be over 0 and under 1", q)
			}
		default:
			return invalid("statistics.kind is %s, must be KIND_COUNT, KIND_RATE, KIND_SUM, KIND_MEAN, KIND_MAX or KIND_QUANTILE", kind)
		}
	}
	return nil
}

// statistic computes one statistic of each column. zeros has, for each column
// of the request, whether it is known to be zero when it is not in columns.
func statistic(st *gothermpb.Statistic, columns []heat.Column, r heat.Request, zeros []bool) []*gothermpb.Point {
	var points []*gothermpb.Point
	add := func(at time.Time, v float64) {
		if !math.IsNaN(v) {
			points = append(points, &gothermpb.Point{Time: timestamppb.New(at), Value: v})
		}
	}
	fill := false
	switch st.GetKind() {
	case gothermpb.Statistic_KIND_COUNT, gothermpb.Statistic_KIND_RATE, gothermpb.Statistic_KIND_SUM:
		fill = true
	}
	at := 0 // the first column not dealt with
	index := func(t time.Time) int { return int(t.Sub(r.From) / r.Step) }
	zero := func(until int) {
		for ; at < until; at++ {
			if fill && at < len(zeros) && zeros[at] {
				add(r.From.Add(time.Duration(at)*r.Step), 0)
			}
		}
	}
	for _, c := range columns {
		zero(index(c.Start))
		at = index(c.Start) + 1
		h := c.Histogram()
		switch st.GetKind() {
		case gothermpb.Statistic_KIND_COUNT:
			add(c.Start, float64(h.Count()))
		case gothermpb.Statistic_KIND_RATE:
			add(c.Start, float64(h.Count())/r.Step.Seconds())
		case gothermpb.Statistic_KIND_SUM:
			add(c.Start, float64(h.Sum))
		case gothermpb.Statistic_KIND_MEAN:
			add(c.Start, h.Mean())
		case gothermpb.Statistic_KIND_MAX:
			add(c.Start, float64(h.Max))
		case gothermpb.Statistic_KIND_QUANTILE:
			add(c.Start, h.Quantile(st.GetQuantile()))
		}
	}
	zero(len(zeros))
	return points
}

// whoDimensions are the dimensions that say who was watched. The others say
// what was hit.
var whoDimensions = []string{"process", "service", "version"}

// watchKey identifies the watched processes that a group's hits can come from.
func watchKey(groupBy []string, labels map[string]string) string {
	return identify(slices.DeleteFunc(slices.Clone(groupBy), isWhat), labels)
}

func isWhat(dimension string) bool { return !slices.Contains(whoDimensions, dimension) }

// watchedColumns returns, by [watchKey], which complete columns of a request
// were watched. Groups that were watched and not hit are added to groups.
func (s *Server) watchedColumns(r heat.Request, groups *[]heat.Series) map[string][]bool {
	complete := int(s.Head.Sealed().Sub(r.From) / r.Step)
	complete = max(0, min(complete, int(r.To.Sub(r.From)/r.Step)))
	watched := map[string][]bool{}
	who := slices.DeleteFunc(slices.Clone(r.Matchers), func(m heat.Matcher) bool { return isWhat(m.Dimension) })
	byWhat := slices.ContainsFunc(r.GroupBy, isWhat)
	hit := map[string]bool{}
	for _, g := range *groups {
		hit[watchKey(r.GroupBy, g.Labels)] = true
	}
	for _, w := range s.attendance.watchers(r.POM, who) {
		labels := map[string]string{}
		for _, d := range r.GroupBy {
			labels[d] = w.key.Value(d)
		}
		id := watchKey(r.GroupBy, labels)
		if watched[id] == nil {
			watched[id] = make([]bool, complete)
		}
		w.fill(watched[id], r.From.Unix(), int64(r.Step/time.Second))
		if !hit[id] && !byWhat && slices.Contains(watched[id], true) {
			hit[id] = true
			*groups = append(*groups, heat.Series{Labels: maps.Clone(labels)})
		}
	}
	slices.SortStableFunc(*groups, func(a, b heat.Series) int {
		return compare(r.GroupBy, a.Labels, b.Labels)
	})
	return watched
}
