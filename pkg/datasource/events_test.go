package datasource

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

var requestsAsTheyCome = query.Query{Kind: query.KindEvents, POM: "http.request", GroupBy: []string{"service"}, Live: true}

// eventsOf reads what a frame of events says of itself, as a panel does.
func eventsOf(t testing.TB, f *data.Frame) frames.EventsCustom {
	t.Helper()
	spelt, err := json.Marshal(f.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	var custom struct{ Events *frames.EventsCustom }
	if err := json.Unmarshal(spelt, &custom); err != nil || custom.Events == nil {
		t.Fatalf("meta.custom is %s: %v", spelt, err)
	}
	return *custom.Events
}

// openEvents is openLive, until the agents have seen the end of the query's own streams.
func openEvents(t testing.TB, d *Datasource, q query.Query, now time.Time, of ...*shopAgent) (*data.Frame, string) {
	t.Helper()
	frame, path := openLive(t, d, q, now)
	for _, agent := range of {
		running := int(d.eventStreams.Load())
		waitFor(t, "the query to have ended", func() bool { return agent.openStreams() == running })
	}
	return frame, path
}

// shower is a panel that shows events: it adds up what they stand for.
type shower struct {
	carried, hits, lost uint64
	weights             float64
	byService           map[string]float64
}

func (s *shower) see(t testing.TB, f *data.Frame) {
	t.Helper()
	if s.byService == nil {
		s.byService = map[string]float64{}
	}
	custom := eventsOf(t, f)
	if custom.Carried != uint64(f.Rows()) {
		t.Errorf("a frame of %d rows says that it has %d", f.Rows(), custom.Carried)
	}
	s.carried += custom.Carried
	s.hits += custom.Hits
	s.lost += custom.Lost
	for i := range f.Rows() {
		weight := f.At(2, i).(float64)
		s.weights += weight
		s.byService[f.At(5, i).(string)] += weight
	}
}

func (s *shower) addsUp() bool { return math.Abs(s.weights-float64(s.hits)) < 1e-6*float64(s.hits) }

func TestEventsOfAllAgentsComeOnceAndStandForAllHits(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	frame, path := openEvents(t, d, requestsAsTheyCome, now, east, west)
	if frame.Name != "events" || frame.Rows() != 0 || !strings.HasPrefix(path, "events/") {
		t.Fatalf("a live query answers with the frame %q of %d rows, and the channel %q", frame.Name, frame.Rows(), path)
	}
	if custom := eventsOf(t, frame); custom.POM != "http.request" || custom.Unit != "s" {
		t.Errorf("the frame is about %+v", custom)
	}
	if got := subscribe(t, d, path); got.Rows() != 0 || len(got.Fields) != len(frame.Fields) {
		t.Errorf("a subscriber is given %d rows of %d fields, want none, of the %d of the query's frame", got.Rows(), len(got.Fields), len(frame.Fields))
	}
	received := packets(t, t.Context(), d, path)
	waitFor(t, "both agents to be followed", func() bool { return east.openStreams() == 1 && west.openStreams() == 1 })
	if most := east.asked.MaxEventsPerSecond; most != maxEvents/2 {
		t.Errorf("one of two agents is asked for %d events a second, want %d", most, maxEvents/2)
	}
	for i := range 20 {
		at := now.Add(time.Duration(i) * 100 * time.Millisecond)
		east.happen(uint64(i+3), at, time.Millisecond, 2*time.Millisecond, 3*time.Millisecond)
		west.happen(700, at, time.Microsecond)
	}
	var panel shower
	want := 20*700 + 20*3 + 19*20/2
	for late := time.After(20 * time.Second); panel.hits < uint64(want); {
		select {
		case f := <-received:
			panel.see(t, f)
		case <-late:
			t.Fatalf("waited in vain: %+v", panel)
		}
	}
	if panel.hits != uint64(want) || panel.carried != 20*4 || !panel.addsUp() {
		t.Errorf("the panel has seen %+v, want 80 events of %d hits", panel, want)
	}
	if west := panel.byService["west"]; west != 20*700 {
		t.Errorf("events of west stand for %g hits, want %d", west, 20*700)
	}
}

func TestAQuietStreamIsNotADeadOne(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	_, path := openEvents(t, d, requestsAsTheyCome, now, shop)
	received := packets(t, t.Context(), d, path)
	waitFor(t, "the agent to be followed", func() bool { return shop.openStreams() == 1 })
	shop.happen(0, now)
	select {
	case f := <-received:
		if custom := eventsOf(t, f); f.Rows() != 0 || custom.Hits != 0 {
			t.Errorf("of nothing there are %d rows, %+v", f.Rows(), custom)
		}
	case <-time.After(20 * time.Second):
		t.Error("nothing is said of nothing")
	}
}

func TestEventsWithoutLiveAreThoseOfTheNextSecond(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	q := requestsAsTheyCome
	q.Live = false
	go func() {
		for shop.openStreams() == 0 {
			time.Sleep(time.Millisecond)
		}
		shop.happen(40, time.Now(), time.Millisecond, time.Second)
		shop.happen(2, time.Now(), time.Minute)
	}()
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	var panel shower
	panel.see(t, answer.Frames[0])
	if channel := answer.Frames[0].Meta.Channel; panel.hits != 42 || panel.carried != 3 || !panel.addsUp() || channel != "" {
		t.Errorf("the panel has seen %+v, channel %q; want 3 events of 42 hits, and none", panel, channel)
	}
	waitFor(t, "the agent to be left alone", func() bool { return shop.openStreams() == 0 })
}

func TestThereAreNoEventsOfThePast(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	answer := ask(t, d, dataQuery(t, requestsAsTheyCome, backend.TimeRange{From: now.Add(-time.Hour), To: now.Add(-time.Minute)}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := answer.Frames[0]
	if f.Rows() != 0 || f.Meta.Channel != "" || len(f.Meta.Notices) != 1 || !strings.Contains(f.Meta.Notices[0].Text, "have it end now, or ask for exemplars") {
		t.Errorf("of the past there are %d rows, channel %q, notices %+v", f.Rows(), f.Meta.Channel, f.Meta.Notices)
	}
}

func TestStreamsOfEventsAreSoManyAndEndWithTheirPanels(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	ctx, leave := context.WithCancel(t.Context())
	var path string
	for i := range maxEventStreams {
		q := requestsAsTheyCome
		q.Matchers = []query.Matcher{{Dimension: "route", Values: []string{fmt.Sprint("GET /", i)}}}
		_, path = openEvents(t, d, q, now, shop)
		packets(t, ctx, d, path)
		waitFor(t, "it to be followed", func() bool { return shop.openStreams() == i+1 })
	}
	err := d.RunStream(ctx, &backend.RunStreamRequest{PluginContext: shopContext, Path: path}, nil)
	if err == nil || !strings.Contains(err.Error(), "8 streams of events already, at most 8: close a panel") {
		t.Errorf("one more ends with %v", err)
	}
	leave()
	waitFor(t, "the agent to be left alone", func() bool { return shop.openStreams() == 0 && d.eventStreams.Load() == 0 })

	// So they do with the data source.
	packets(t, t.Context(), d, path)
	waitFor(t, "the agent to be followed again", func() bool { return shop.openStreams() == 1 })
	d.Dispose()
	waitFor(t, "the agent to be left alone", func() bool { return shop.openStreams() == 0 })
}

// liar breaks the promises of WatchEvents.
type liar struct {
	gothermpbconnect.UnimplementedAgentServiceHandler
	says *pb.WatchEventsResponse
}

func (l liar) WatchEvents(_ context.Context, _ *connect.Request[pb.WatchEventsRequest], stream *connect.ServerStream[pb.WatchEventsResponse]) error {
	return stream.Send(l.says)
}

func TestAnAgentWhoseEventsAreGarbageIsNamed(t *testing.T) {
	for says, batch := range map[string]*pb.WatchEventsResponse{
		`unit is "", must be one of`:              {},
		"a batch has 1 events, says 2, of 2 hits": {Unit: "ns", Hits: 2, Carried: 2, Events: []*pb.Event{{}}},
		"a batch has 1 events, says 1, of 0 hits": {Unit: "ns", Carried: 1, Events: []*pb.Event{{}}},
		"an event of 7 ns has no time":            {Unit: "ns", Hits: 1, Carried: 1, Events: []*pb.Event{{Value: 7}}},
		"did not answer":                          nil,
	} {
		mux := http.NewServeMux()
		if batch != nil {
			mux.Handle(gothermpbconnect.NewAgentServiceHandler(liar{says: batch}))
		} else {
			mux.HandleFunc("/", func(_ http.ResponseWriter, r *http.Request) {
				_, _ = io.Copy(io.Discard, r.Body)
				<-r.Context().Done()
			})
		}
		server := httptest.NewServer(mux)
		d := openWith(t, configured(t, 1, "liar", server.URL))
		answer := ask(t, d, dataQuery(t, requestsAsTheyCome, lastTwoMinutes(time.Now())))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), says) || !strings.Contains(answer.Error.Error(), "agent liar") {
			t.Errorf("error is %v, want it to say %q", answer.Error, says)
		}
		server.CloseClientConnections()
		server.Close()
	}
}
