package server

import (
	"context"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

const (
	defaultEvents = 2_000
	// maxEvents is how many events a second a stream may have, and maxTails how
	// many streams of events there may be.
	maxEvents = 10_000
	maxTails  = 16
)

// WatchEvents sends the hits of a point that pass matchers, as they come: those
// that the ring has carried, or a sample of them, and of how many they are a
// part. See [ingest.Tail]. A client that does not keep up loses batches, which
// the next says; nobody waits for it.
func (s *Server) WatchEvents(ctx context.Context, req *connect.Request[gothermpb.WatchEventsRequest], stream *connect.ServerStream[gothermpb.WatchEventsResponse]) error {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return err
	}
	ms, err := matchers(p, req.Msg.GetMatchers())
	if err != nil {
		return err
	}
	rate := int(req.Msg.GetMaxEventsPerSecond())
	if rate == 0 {
		rate = defaultEvents
	}
	if rate > maxEvents {
		return invalid("max_events_per_second is %d, at most %d", rate, maxEvents)
	}
	leave, err := s.tails.enter()
	if err != nil {
		return err
	}
	defer leave()
	tail, err := s.Ingest.Tail(p.Name, ms, rate)
	if err != nil {
		return connect.NewError(connect.CodeInternal, err)
	}
	defer tail.Close()
	send := func(b ingest.Batch) error {
		return hurry(ctx, func() error { return stream.Send(batch(p, b)) })
	}
	now := time.Now()
	if err := send(ingest.Batch{From: now, To: now}); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case b := <-tail.Batches():
			if err := send(b); err != nil {
				return err
			}
		}
	}
}

func batch(p probe.Point, b ingest.Batch) *gothermpb.WatchEventsResponse {
	out := &gothermpb.WatchEventsResponse{
		Unit: p.Unit, Start: timestamppb.New(b.From), End: timestamppb.New(b.To),
		Hits: b.Hits, Carried: uint64(len(b.Events)), Events: make([]*gothermpb.Event, len(b.Events)),
		LostBatches: b.LostBatches, LostHits: b.LostHits,
	}
	index := map[*heat.Key]uint32{}
	for i, e := range b.Events {
		at, known := index[e.Key]
		if !known {
			at = uint32(len(out.Series))
			index[e.Key] = at
			out.Series = append(out.Series, &gothermpb.EventSeries{Labels: labels(p, *e.Key), StartFunction: strings.ToValidUTF8(e.StartFunction, "\uFFFD")})
		}
		out.Events[i] = &gothermpb.Event{
			Time: timestamppb.New(e.Time), Value: e.Value, Series: at, Goid: e.ID,
			Label: strings.ToValidUTF8(e.Label, "\uFFFD"), TraceId: traceID(p, e.Extra),
		}
	}
	return out
}
