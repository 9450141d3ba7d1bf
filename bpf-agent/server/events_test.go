package server

import (
	"context"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

// firstBatch opens a stream of events and returns what comes first.
func firstBatch(t *testing.T, client gothermpbconnect.AgentServiceClient, request *connect.Request[gothermpb.WatchEventsRequest]) (*gothermpb.WatchEventsResponse, *connect.ServerStreamForClient[gothermpb.WatchEventsResponse], error) {
	t.Helper()
	stream, err := client.WatchEvents(t.Context(), request)
	if err != nil {
		return nil, nil, err
	}
	t.Cleanup(func() { stream.Close() })
	if !stream.Receive() {
		return nil, nil, stream.Err()
	}
	return stream.Msg(), stream, nil
}

func TestWhoWatchesEventsIsToldTheUnitAtOnceAndThatNothingHappened(t *testing.T) {
	s := newServer(t)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- s.Ingest.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	first, stream, err := firstBatch(t, client, connect.NewRequest(&gothermpb.WatchEventsRequest{Pom: "tcp.send.bytes"}))
	if err != nil || first.Unit != "By" || first.Hits != 0 {
		t.Fatalf("first comes %v, error %v", first, err)
	}
	end := first.End.AsTime()
	for range 2 {
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		b := stream.Msg()
		if took := b.End.AsTime().Sub(b.Start.AsTime()); b.Hits != 0 || b.Start.AsTime().Before(end) || took < time.Second {
			t.Errorf("of nothing there is a batch of %s: %v", took, b)
		}
		end = b.End.AsTime()
	}
}

func TestAStreamOfEventsIsCheckedAndNamesTheLimit(t *testing.T) {
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, newServer(t)))
	for _, c := range []struct {
		request *gothermpb.WatchEventsRequest
		want    string
	}{
		{&gothermpb.WatchEventsRequest{}, `pom is "", must be one of gc.stw`},
		{&gothermpb.WatchEventsRequest{Pom: "mem.heap.live"}, `pom is "mem.heap.live", must be one of`},
		{&gothermpb.WatchEventsRequest{Pom: "gc.stw", MaxEventsPerSecond: 10_001}, "max_events_per_second is 10001, at most 10000"},
		{&gothermpb.WatchEventsRequest{Pom: "gc.stw", Matchers: []*gothermpb.Matcher{{Dimension: "route"}}}, `matchers.dimension is "route", must be one of the dimensions of gc.stw`},
	} {
		_, _, err := firstBatch(t, client, connect.NewRequest(c.request))
		if connect.CodeOf(err) != connect.CodeInvalidArgument || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v: got %v, want %q", c.request, err, c.want)
		}
	}
}

func TestStreamsOfEventsAreSoManyAndEndWithTheirClients(t *testing.T) {
	s := newServer(t)
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	request := &gothermpb.WatchEventsRequest{Pom: "gc.stw", MaxEventsPerSecond: 10_000}
	var open []*connect.ServerStreamForClient[gothermpb.WatchEventsResponse]
	for range maxTails {
		_, stream, err := firstBatch(t, client, connect.NewRequest(request))
		if err != nil {
			t.Fatal(err)
		}
		open = append(open, stream)
	}
	_, _, err := firstBatch(t, client, connect.NewRequest(request))
	if connect.CodeOf(err) != connect.CodeResourceExhausted || !strings.Contains(err.Error(), "16 streams of events at once already, at most 16") {
		t.Errorf("one more: got %v", err)
	}
	for _, stream := range open {
		stream.Close()
	}
	for end := time.Now().Add(time.Minute); len(s.tails.slots) > 0 || len(s.streams.slots) > 0; time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("their clients have gone, and there are %d streams of events", len(s.tails.slots))
		}
	}
	if _, _, err := firstBatch(t, client, connect.NewRequest(request)); err != nil {
		t.Errorf("when there is room again: %v", err)
	}
}

func TestOnlyWhoHasTheTokenWatchesEvents(t *testing.T) {
	l := serve(t, newServer(t), Access{Listen: "127.0.0.1:0", TokenFile: tokenFile(t, token)})
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, l.URL)
	for authorization, want := range map[string]connect.Code{"": connect.CodeUnauthenticated, "Bearer " + token[:16]: connect.CodeUnauthenticated, "Bearer " + token: 0} {
		request := connect.NewRequest(&gothermpb.WatchEventsRequest{Pom: "gc.stw"})
		request.Header().Set("Authorization", authorization)
		first, _, err := firstBatch(t, client, request)
		if want == 0 && (err != nil || first.Unit != "ns") || want != 0 && connect.CodeOf(err) != want {
			t.Errorf("%q: got %v, %v", authorization, first, err)
		}
	}
}

func TestEventsOfOneSeriesShareWhatIsKnownOfIt(t *testing.T) {
	p, err := point("http.request")
	if err != nil {
		t.Fatal(err)
	}
	home := &heat.Key{POM: "http.request", Process: "7-70", Service: "shop", Version: "v1", Route: "GET /"}
	cart := &heat.Key{POM: "http.request", Process: "7-70", Service: "shop", Version: "v1", Route: "POST /cart", Depth: 13}
	at := func(ms int) time.Time { return noon.Add(time.Duration(ms) * time.Millisecond) }
	var extra [4]uint64
	for i, name := range p.Extra {
		switch name {
		case probe.ExtraTraceHigh:
			extra[i] = 0x4bf92f3577b34da6
		case probe.ExtraTraceLow:
			extra[i] = 0xa3ce929d0e0e4736
		}
	}
	got := batch(p, ingest.Batch{
		From: at(0), To: at(100), Hits: 12, LostBatches: 2, LostHits: 9,
		Events: []ingest.Event{
			{Key: home, Time: at(1), Value: 100},
			{Key: cart, Time: at(2), Value: 200, Goroutine: heat.Goroutine{ID: 17, StartFunction: "net/http.(*conn).serve", Label: "tenant=a"}, Extra: extra},
			{Key: home, Time: at(3), Value: 300},
		},
	})
	want := &gothermpb.WatchEventsResponse{
		Unit: "ns", Start: timestamppb.New(at(0)), End: timestamppb.New(at(100)), Hits: 12, Carried: 3, LostBatches: 2, LostHits: 9,
		Series: []*gothermpb.EventSeries{
			{Labels: map[string]string{"process": "7-70", "service": "shop", "version": "v1", "route": "GET /"}},
			{Labels: map[string]string{"process": "7-70", "service": "shop", "version": "v1", "route": "POST /cart", "depth": "12"}, StartFunction: "net/http.(*conn).serve"},
		},
		Events: []*gothermpb.Event{
			{Time: timestamppb.New(at(1)), Value: 100},
			{Time: timestamppb.New(at(2)), Value: 200, Series: 1, Goid: 17, Label: "tenant=a", TraceId: "4bf92f3577b34da6a3ce929d0e0e4736"},
			{Time: timestamppb.New(at(3)), Value: 300},
		},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Errorf("(-want +got)\n%s", diff)
	}
}
