package datasource

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

// viewer is a panel: it holds the count of each cell, and the later replaces the earlier.
type viewer struct {
	schema string
	cells  map[string]float64
	frames int
}

func (v *viewer) see(t testing.TB, f *data.Frame) {
	t.Helper()
	spelt, err := data.FrameToJSON(f, data.IncludeSchemaOnly)
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Schema struct{ Fields json.RawMessage }
	}
	if err := json.Unmarshal(spelt, &schema); err != nil {
		t.Fatal(err)
	}
	if v.cells == nil {
		v.cells, v.schema = map[string]float64{}, string(schema.Schema.Fields)
	}
	if diff := cmp.Diff(v.schema, string(schema.Schema.Fields)); diff != "" {
		t.Fatalf("the fields of a streamed frame are not those of the query's (-want +got):\n%s", diff)
	}
	v.frames++
	for i := range f.Rows() {
		v.cells[fmt.Sprint(f.At(0, i), f.At(1, i))] = f.At(3, i).(float64)
	}
}

func (v *viewer) total() (n float64) {
	for _, c := range v.cells {
		n += c
	}
	return n
}

// packets runs the stream of a channel and returns its frames.
func packets(t testing.TB, ctx context.Context, d *Datasource, path string) <-chan *data.Frame {
	received := make(chan *data.Frame, 1000)
	go func() {
		_ = d.RunStream(ctx, &backend.RunStreamRequest{PluginContext: shopContext, Path: path}, backend.NewStreamSender(packetFunc(func(p *backend.StreamPacket) error {
			var f data.Frame
			if err := json.Unmarshal(p.Data, &f); err != nil {
				t.Error(err)
			}
			received <- &f
			return nil
		})))
		close(received)
	}()
	return received
}

type packetFunc func(*backend.StreamPacket) error

func (f packetFunc) Send(p *backend.StreamPacket) error { return f(p) }

// openLive asks a live query and returns its first frame and the channel's path.
func openLive(t testing.TB, d *Datasource, q query.Query, now time.Time) (*data.Frame, string) {
	t.Helper()
	q.Live = true
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	channel, err := live.ParseChannel(answer.Frames[0].Meta.Channel)
	if err != nil || channel.Scope != "ds" || channel.Namespace != "gotherm" {
		t.Fatalf("channel %q: %v", answer.Frames[0].Meta.Channel, err)
	}
	return answer.Frames[0], channel.Path
}

func subscribe(t testing.TB, d *Datasource, path string) *data.Frame {
	t.Helper()
	answer, err := d.SubscribeStream(t.Context(), &backend.SubscribeStreamRequest{PluginContext: shopContext, Path: path})
	if err != nil || answer.Status != backend.SubscribeStreamStatusOK {
		t.Fatalf("subscription: %+v, %v", answer, err)
	}
	var f data.Frame
	if err := json.Unmarshal(answer.InitialData.Data(), &f); err != nil {
		t.Fatal(err)
	}
	return &f
}

// until reads frames until the viewer has seen so many hits.
func (v *viewer) until(t testing.TB, received <-chan *data.Frame, hits float64) {
	t.Helper()
	late := time.After(20 * time.Second)
	for v.total() < hits {
		select {
		case f, open := <-received:
			if !open {
				t.Fatalf("the stream has ended at %g hits, want %g", v.total(), hits)
			}
			v.see(t, f)
		case <-late:
			t.Fatalf("%g hits in %d frames, want %g", v.total(), v.frames, hits)
		}
	}
	if v.total() != hits {
		t.Fatalf("%g hits, want %g", v.total(), hits)
	}
}

func waitFor(t testing.TB, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !is(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited in vain for %s", what)
		}
	}
}

func TestAStreamContinuesItsQueryAndLosesNoHitOfAnyAgent(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	frame, path := openLive(t, d, pausesByNode, now) // node 0
	var panel viewer
	panel.see(t, frame)
	panel.see(t, subscribe(t, d, path))
	received := packets(t, t.Context(), d, path)
	waitFor(t, "both agents to be followed", func() bool { return east.openStreams() == 1 && west.openStreams() == 1 })
	at := now.Truncate(time.Second)
	for second := range 5 {
		start := at.Add(time.Duration(second) * time.Second)
		for _, agent := range []*shopAgent{east, west} {
			agent.stop(start, 0, 300*time.Microsecond)
			agent.stop(start, 1, 300*time.Microsecond)
			agent.passTime(start.Add(time.Second))
		}
	}
	panel.until(t, received, float64(east.hits[0]+west.hits[0]))
}

func TestAColumnOfALateAgentComesAgainWhole(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	frame, path := openLive(t, d, pausesByNode, now)
	var panel viewer
	panel.see(t, frame)
	received := packets(t, t.Context(), d, path)
	waitFor(t, "both agents to be followed", func() bool { return east.openStreams() == 1 && west.openStreams() == 1 })
	before := east.hits[0] + west.hits[0]
	// Both are up to date when this second begins.
	at := time.Now().Truncate(time.Second).Add(time.Second)
	east.passTime(at)
	west.passTime(at)
	east.stop(at, 0, time.Millisecond)
	west.stop(at, 0, time.Millisecond)
	east.passTime(at.Add(time.Second))
	// West is late: after a while the column is shown with what there is.
	panel.until(t, received, float64(before+1))
	west.passTime(at.Add(time.Second))
	panel.until(t, received, float64(before+2))
}

func TestAnAgentThatWasAwayIsAskedForWhatWasMissed(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	// West's port can be closed and opened again.
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := listener.Addr().String()
	serve := func(l net.Listener) *http.Server {
		mux := http.NewServeMux()
		mux.Handle(gothermpbconnect.NewAgentServiceHandler(west))
		server := &http.Server{Handler: mux}
		go func() { _ = server.Serve(l) }()
		return server
	}
	server := serve(listener)
	d := open(t, "east", east.serve(t), "west", "http://"+address)
	frame, path := openLive(t, d, pausesByNode, now)
	var panel viewer
	panel.see(t, frame)
	received := packets(t, t.Context(), d, path)
	at := now.Truncate(time.Second)
	waitFor(t, "both agents to be followed", func() bool { return east.openStreams() == 1 && west.openStreams() == 1 })
	both := func(second int) {
		start := at.Add(time.Duration(second) * time.Second)
		for _, agent := range []*shopAgent{east, west} {
			agent.stop(start, 0, time.Millisecond)
			agent.passTime(start.Add(time.Second))
		}
	}
	both(0)
	panel.until(t, received, float64(east.hits[0]+west.hits[0]))
	server.Close()
	waitFor(t, "west to be gone", func() bool { return west.openStreams() == 0 })
	both(1)
	panel.until(t, received, float64(east.hits[0]+west.hits[0]-1))
	listener, err = net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server = serve(listener)
	defer server.Close()
	waitFor(t, "west to be followed again", func() bool { return west.openStreams() == 1 })
	both(2)
	panel.until(t, received, float64(east.hits[0]+west.hits[0]))
}

func TestManyPanelsOfOneQueryShareOneStreamPerAgent(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	ctx, leave := context.WithCancel(t.Context())
	_, path := openLive(t, d, pausesByNode, now)
	_, other := openLive(t, d, query.Query{Kind: query.KindSeries, POM: "gc.stw", GroupBy: []string{"node"}, Statistics: []string{"rate"}}, now)
	if path == other {
		t.Fatal("a heatmap and a series have the same channel")
	}
	streams := []<-chan *data.Frame{packets(t, ctx, d, path), packets(t, ctx, d, path), packets(t, ctx, d, other)}
	waitFor(t, "the agent to be followed", func() bool { return shop.openStreams() > 0 })
	shop.passTime(now.Truncate(time.Second).Add(time.Second))
	for i, s := range streams {
		select {
		case <-s:
		case <-time.After(20 * time.Second):
			t.Fatalf("stream %d is silent", i)
		}
	}
	if n := shop.openStreams(); n != 1 {
		t.Errorf("the agent has %d streams, want one", n)
	}
	leave()
	waitFor(t, "the agent to be left alone", func() bool { return shop.openStreams() == 0 })
}

func TestALiveSeriesHasAZeroWhereNothingWasHit(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	_, path := openLive(t, d, query.Query{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"count", "p99"}}, now)
	received := packets(t, t.Context(), d, path)
	waitFor(t, "the agent to be followed", func() bool { return shop.openStreams() == 1 })
	at := now.Truncate(time.Second).Add(time.Second)
	shop.passTime(at.Add(time.Second))
	for {
		select {
		case f := <-received:
			if f.Rows() == 1 && f.At(0, 0).(time.Time).Equal(at) {
				if v := f.At(1, 0).(float64); v != 0 || math.IsNaN(v) {
					t.Errorf("count is %g where nothing was hit", v)
				}
				return
			}
		case <-time.After(20 * time.Second):
			t.Fatal("the quiet second never came")
		}
	}
}

func TestAStaleChannelIsNotFoundSoThatThePanelQueriesAgain(t *testing.T) {
	now := time.Now()
	url := newShopAgent(now, "shop").serve(t)
	_, path := openLive(t, open(t, "shop", url), pausesByNode, now)
	restarted := open(t, "shop", url)
	for _, stale := range []string{path, "heat/nonsense", "", "../../etc"} {
		answer, err := restarted.SubscribeStream(t.Context(), &backend.SubscribeStreamRequest{PluginContext: shopContext, Path: stale})
		if err != nil || answer.Status != backend.SubscribeStreamStatusNotFound {
			t.Errorf("%q: %+v, %v", stale, answer, err)
		}
		err = restarted.RunStream(t.Context(), &backend.RunStreamRequest{PluginContext: shopContext, Path: stale}, nil)
		if err == nil || !strings.Contains(err.Error(), "query again") {
			t.Errorf("%q runs: %v", stale, err)
		}
	}
	_, again := openLive(t, restarted, pausesByNode, now)
	if again != path {
		t.Errorf("the same query has channel %q, then %q", path, again)
	}
}

func TestNobodyPublishesToAChannel(t *testing.T) {
	d := open(t, "shop", newShopAgent(time.Now(), "shop").serve(t))
	answer, err := d.PublishStream(t.Context(), &backend.PublishStreamRequest{})
	if err != nil || answer.Status != backend.PublishStreamStatusPermissionDenied {
		t.Errorf("%+v, %v", answer, err)
	}
}
