package server

import (
	"context"
	"net/http"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// WatchHeat sends each column once, when it is complete, and nothing else.
//
// A column is complete when its last second is sealed ([heat.Head.Sealed]): a
// hit that comes later than that is given to a later second, so what was sent
// is what any later query answers. That is some 5 s after the column's end, as
// the head keeps seconds open for hits that were counted in the kernel and are
// still to be drained. Who wants to see sooner asks QueryHeat for the time up
// to now, and takes its last columns for what they are: not yet complete.
//
// The first column sent is the first that was not complete when the request
// came. So a query up to now, made after the stream was opened, and the
// stream overlap, and leave no gap.
func (s *Server) WatchHeat(ctx context.Context, req *connect.Request[gothermpb.WatchHeatRequest], stream *connect.ServerStream[gothermpb.WatchHeatResponse]) error {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return err
	}
	r := heat.Request{POM: p.Name}
	if r.Matchers, err = matchers(p, req.Msg.GetMatchers()); err != nil {
		return err
	}
	if r.GroupBy, err = groupBy(p, req.Msg.GetGroupBy()); err != nil {
		return err
	}
	if r.Step, err = step(req.Msg.GetStep()); err != nil {
		return err
	}
	// The headers go out now: a client can tell that it is being served.
	if err := stream.Send(nil); err != nil {
		return err
	}
	next := floor(s.Head.Sealed(), r.Step)
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		sealed := s.Head.Sealed()
		// After a jump of the clock there is nothing to say about what is not remembered.
		if oldest := floor(s.historyStart(), r.Step); next.Before(oldest) {
			next = oldest
		}
		for ; !next.Add(r.Step).After(sealed); next = next.Add(r.Step) {
			r.From, r.To = next, next.Add(r.Step)
			series, err := s.collect(ctx, r)
			if ctx.Err() != nil {
				return nil
			}
			if err != nil {
				return err
			}
			if err := hurry(ctx, func() error {
				return stream.Send(&gothermpb.WatchHeatResponse{
					Series:      heatSeries(series),
					ColumnStart: timestamppb.New(next),
					Step:        durationpb.New(r.Step),
					Unit:        p.Unit,
				})
			}); err != nil {
				return err
			}
		}
	}
}

type controllerKey struct{}

// hurry gives send [maxTime]: a client that does not read is not waited for.
// A stream has no other limit of time, so it is taken away again.
func hurry(ctx context.Context, send func() error) error {
	if c, ok := ctx.Value(controllerKey{}).(*http.ResponseController); ok {
		if err := c.SetWriteDeadline(time.Now().Add(maxTime)); err != nil {
			return err
		}
		defer c.SetWriteDeadline(time.Time{})
	}
	return send()
}
