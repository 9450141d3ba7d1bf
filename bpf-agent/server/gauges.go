package server

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// maxGauges is how many series an answer may have.
const maxGauges = 256

// QueryGauges returns values that are measured once a second.
func (s *Server) QueryGauges(_ context.Context, req *connect.Request[gothermpb.QueryGaugesRequest]) (*connect.Response[gothermpb.QueryGaugesResponse], error) {
	gauge, err := probe.GaugeOf(brief(req.Msg.GetName()))
	if err != nil {
		return nil, invalid("%w", err)
	}
	who, err := matchers(probe.Point{Name: gauge.Name, Dimensions: heat.GaugeDimensions}, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	from, to, err := span(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	width, err := step(req.Msg.GetStep())
	if err != nil {
		return nil, err
	}
	if n := to.Sub(from)/width + 1; n > maxColumns {
		return nil, invalid("range %s in steps of %s is %d points, at most %d: ask for a longer step", spell(to.Sub(from)), width, n, maxColumns)
	}
	series, err := s.Gauges.Query(gauge.Name, who, from, to, width)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	if len(series) > maxGauges {
		return nil, tooMuch("the answer has %d series, at most %d: match fewer processes", len(series), maxGauges)
	}
	answer := &gothermpb.QueryGaugesResponse{Unit: gauge.Unit}
	for _, one := range series {
		out := &gothermpb.GaugeSeries{Labels: map[string]string{
			"service": one.Key.Service, "version": one.Key.Version, "process": one.Key.Process,
		}}
		for _, p := range one.Points {
			out.Points = append(out.Points, &gothermpb.GaugePoint{
				Start: timestamppb.New(p.Start), N: p.N, Sum: p.Sum, Min: p.Min, Max: p.Max, Last: p.Last,
			})
		}
		answer.Series = append(answer.Series, out)
	}
	return connect.NewResponse(answer), nil
}
