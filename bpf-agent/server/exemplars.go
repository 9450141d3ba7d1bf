package server

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

const (
	defaultExemplars = 100
	maxExemplars     = 1000
)

// QueryExemplars returns the greatest hits of each ten seconds of the last five
// minutes, and of each minute of the half hour before, with what is
// known of each, in order of time.
func (s *Server) QueryExemplars(_ context.Context, req *connect.Request[gothermpb.QueryExemplarsRequest]) (*connect.Response[gothermpb.QueryExemplarsResponse], error) {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return nil, err
	}
	if p.Extra == nil {
		return nil, invalid("pom is %s, which has no exemplars: its events carry only a value", p.Name)
	}
	ms, err := matchers(p, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	from, to, err := span(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	limit := int(req.Msg.GetLimit())
	if limit == 0 {
		limit = defaultExemplars
	}
	if limit > maxExemplars {
		return nil, invalid("limit is %d, at most %d", limit, maxExemplars)
	}
	least, most := req.Msg.GetMin(), req.Msg.GetMax()
	found, err := s.Ingest.Exemplars(p.Name, from, to, func(x *heat.Exemplar) bool {
		return x.Value >= least && (most == 0 || x.Value <= most) && x.Key.Matches(ms)
	})
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	slices.SortFunc(found, func(a, b heat.Exemplar) int { return cmp.Compare(b.Value, a.Value) })
	found = found[:min(len(found), limit)]
	slices.SortFunc(found, func(a, b heat.Exemplar) int { return a.Time.Compare(b.Time) })
	answer := &gothermpb.QueryExemplarsResponse{Unit: p.Unit}
	for _, x := range found {
		answer.Exemplars = append(answer.Exemplars, exemplar(p, x))
	}
	return connect.NewResponse(answer), nil
}

func exemplar(p probe.Point, x heat.Exemplar) *gothermpb.Exemplar {
	out := &gothermpb.Exemplar{
		Time: timestamppb.New(x.Time), Value: x.Value, Goid: x.ID, StartFunction: x.StartFunction,
		Labels: labels(p, x.Key), TraceId: traceID(p, x.Extra), Extra: map[string]uint64{},
	}
	if x.Label != "" {
		out.Labels["label"] = x.Label
	}
	for i, name := range p.Extra {
		if name != probe.ExtraTraceHigh && name != probe.ExtraTraceLow {
			out.Extra[name] = x.Extra[i]
		}
	}
	return out
}

// labels returns the dimensions of a point that are known of a hit.
func labels(p probe.Point, k heat.Key) map[string]string {
	known := map[string]string{}
	for _, d := range p.Dimensions {
		if v := k.Value(d); v != "" {
			known[d] = strings.ToValidUTF8(v, "\uFFFD")
		}
	}
	return known
}

// traceID returns the trace id among what an event carries, "" when there is none.
func traceID(p probe.Point, extra [4]uint64) string {
	var high, low uint64
	for i, name := range p.Extra {
		switch name {
		case probe.ExtraTraceHigh:
			high = extra[i]
		case probe.ExtraTraceLow:
			low = extra[i]
		}
	}
	if high == 0 && low == 0 {
		return ""
	}
	return fmt.Sprintf("%016x%016x", high, low)
}
