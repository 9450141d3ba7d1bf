package datasource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"
	"github.com/cenkalti/backoff/v5"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

// Single hits are not kept anywhere: agents send them as they come. So a query
// that is not live looks for a moment, and one that is live answers with an
// empty frame, which names the channel
//
//	ds/<uid of the data source>/events/<hash of query>
//
// Over it comes a frame of the new events a few times a second:
//
//	agent A ── WatchEvents ──┐
//	agent B ── WatchEvents ──┼─▶ batches of 100 ms ─▶ frame
//	agent C    (away)      ╌╌┘
//
// Nobody waits here for a reader that is slow: then the agents' batches are not
// taken, and they say what was lost.
const eventsPrefix = "events/"

const (
	// eventsLook is how long a query that is not live looks.
	eventsLook = time.Second
	// eventsTogether is for how long batches are collected for one frame.
	eventsTogether = 100 * time.Millisecond
)

// eventsChannel is what a live channel of single hits shows.
type eventsChannel struct {
	heatQuery
	attach bool
	about  frames.Subject
}

func (c eventsChannel) path() string { return eventsPrefix + hashed("%s %t", c.canonical(), c.attach) }

// events answers the kind events.
func (d *Datasource) events(ctx context.Context, from backend.PluginContext, r request) (data.Frames, []failure, error) {
	about := frames.Subject{POM: r.POM}
	if !isNow(r.to, 0) {
		f := frames.Events(about, r.GroupBy, nil)
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: fmt.Sprintf(
			"single hits are shown as they happen, and the time range ends at %s: have it end now, or ask for exemplars, which are kept for half an hour", clock(r.to))})
		return data.Frames{f}, nil, nil
	}
	look := eventsLook
	if r.Live {
		look = 0
	}
	q := heatQuery{pom: r.POM, matchers: r.Matchers, groupBy: r.GroupBy}
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) ([]*pb.WatchEventsResponse, error) {
		return a.lookAtEvents(ctx, d.eventsRequest(q), look)
	})
	if len(answers) == 0 {
		return nil, failures, nil
	}
	var batches []*pb.WatchEventsResponse
	for _, a := range answers {
		unit := a.value[0].Unit
		if about.Unit != "" && unit != about.Unit {
			return nil, nil, fmt.Errorf("agents disagree on the unit: %q and %q", about.Unit, unit)
		}
		about.Unit = unit
		batches = append(batches, a.value...)
	}
	f := frames.Events(about, r.GroupBy, batches)
	if r.Live {
		c := eventsChannel{heatQuery: q, attach: r.Attach, about: about}
		d.tails.Add(c.path(), c)
		f.Meta.Channel = live.Channel{Scope: live.ScopeDatasource, Namespace: from.DataSourceInstanceSettings.UID, Path: c.path()}.String()
	}
	return data.Frames{f}, failures, nil
}

// eventsRequest asks an agent for its share of what a panel can well draw.
func (d *Datasource) eventsRequest(q heatQuery) *pb.WatchEventsRequest {
	share := uint32(max(1, maxEvents/len(d.agents)))
	return &pb.WatchEventsRequest{Pom: q.pom, Matchers: onTheWire(q.matchers), MaxEventsPerSecond: share}
}

// lookAtEvents returns the batches that come in a while. The first, which is
// always there, comes at once: it says the unit.
func (a *agent) lookAtEvents(ctx context.Context, request *pb.WatchEventsRequest, while time.Duration) ([]*pb.WatchEventsResponse, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var batches []*pb.WatchEventsResponse
	err := a.watchEvents(ctx, request, func(b *pb.WatchEventsResponse) bool {
		if batches == nil {
			time.AfterFunc(while, cancel)
		}
		batches = append(batches, b)
		return while > 0
	})
	if batches != nil && ctx.Err() != nil {
		return batches, nil // looked for long enough
	}
	return batches, err
}

// watchEvents opens a stream and passes on its batches until it ends, or take
// returns false. There is an error when there was no batch.
func (a *agent) watchEvents(ctx context.Context, request *pb.WatchEventsRequest, take func(*pb.WatchEventsResponse) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// There is a batch at least once a second.
	silence := time.AfterFunc(a.timeout+eventsLook, cancel)
	defer silence.Stop()
	stream, err := a.api.WatchEvents(ctx, connect.NewRequest(request))
	if err != nil {
		return err
	}
	defer func() { _ = stream.Close() }()
	came := false
	for stream.Receive() {
		came = true
		silence.Reset(a.timeout + eventsLook)
		if err := checkEvents(stream.Msg()); err != nil {
			return err
		}
		if !take(stream.Msg()) {
			return nil
		}
	}
	if err := stream.Err(); err != nil || came {
		return err
	}
	return garbagef("the stream of events has ended before it began")
}

// subscribeToEvents lets in who asks for a channel that is known. What there was before is gone.
func subscribeToEvents(c eventsChannel) (*backend.SubscribeStreamResponse, error) {
	initial, err := backend.NewInitialFrame(frames.Events(c.about, c.groupBy, nil), data.IncludeAll)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", c.path(), err)
	}
	return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK, InitialData: initial}, nil
}

// runEvents sends frames of new events until ctx is done. Frames without rows
// tell quiet from dead.
func (d *Datasource) runEvents(ctx context.Context, c eventsChannel, sender *backend.StreamSender) error {
	if n := d.eventStreams.Add(1); n > maxEventStreams {
		d.eventStreams.Add(-1)
		return backend.DownstreamError(fmt.Errorf("run stream %s: %d streams of events already, at most %d: close a panel of them", c.path(), n-1, maxEventStreams))
	}
	defer d.eventStreams.Add(-1)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	stop := context.AfterFunc(d.disposed, func() { cancel(errors.New("the data source's settings have changed: query again")) })
	defer stop()
	batches := make(chan *pb.WatchEventsResponse)
	for _, a := range d.agents {
		go a.followEvents(ctx, c, d.eventsRequest(c.heatQuery), batches)
		if c.attach {
			go a.keepAttached(ctx, c.heatQuery)
		}
	}
	var together []*pb.WatchEventsResponse
	tick := time.NewTicker(eventsTogether)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return fmt.Errorf("run stream %s: %w", c.path(), context.Cause(ctx))
		case b := <-batches:
			together = append(together, b)
		case <-tick.C:
			if together == nil {
				continue
			}
			if err := sender.SendFrame(frames.Events(c.about, c.groupBy, together), data.IncludeAll); err != nil {
				return fmt.Errorf("run stream %s: %w", c.path(), err)
			}
			together = nil
		}
	}
}

// followEvents keeps a stream from an agent open, with pauses that grow while it is away.
func (a *agent) followEvents(ctx context.Context, c eventsChannel, request *pb.WatchEventsRequest, batches chan<- *pb.WatchEventsResponse) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 30 * time.Second
	for ctx.Err() == nil {
		// Why it ended is said by the next query, as a notice.
		_ = a.watchEvents(ctx, request, func(b *pb.WatchEventsResponse) bool {
			if b.Unit != c.about.Unit {
				return false
			}
			pause.Reset()
			select {
			case batches <- b:
				return true
			case <-ctx.Done():
				return false
			}
		})
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}
