package datasource

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// shopAgent is the agent of these tests: the API's generated handler over a
// real head, on a real port. Only the kernel is missing: the test itself says
// what was hit.
type shopAgent struct {
	gothermpbconnect.UnimplementedAgentServiceHandler
	head     *heat.Head
	grid     *heat.Grid
	gauges   heat.Gauges
	greatest heat.Exemplars
	hostname string
	releases []*pb.Release
	// schema of its buckets, more than ours by so much.
	schema int32
	// watched since when, for zeros.
	since time.Time
	// sealed is up to when columns are complete, in seconds since 1970.
	sealed atomic.Int64
	// hits of the POM gc.stw, by node.
	hits [16]uint64
	// mostGroups is how many series it tells apart at most, when set.
	mostGroups int
	// token, when set, must come with each request.
	token string

	mu       sync.Mutex
	attached []*pb.RequestAttachRequest
	streams  int
	// batches of events that have happened; see [shopAgent.happen].
	batches []*pb.WatchEventsResponse
	// asked is the last request for events.
	asked *pb.WatchEventsRequest
}

// watchedFor is how long the shop has been watched when a test begins.
const watchedFor = 2 * time.Minute

// newShopAgent watches a shop whose world stopped once in each second but every
// tenth, on nodes 0 and 1 in turn, for 100 to 700 us.
func newShopAgent(now time.Time, hostname string) *shopAgent {
	a := &shopAgent{since: now.Add(-watchedFor).Truncate(time.Second), hostname: hostname, grid: &heat.Grid{}}
	a.head = heat.NewHead(a.since, heat.Limits{Series: 1000})
	for s := range int(watchedFor / time.Second) {
		at := a.since.Add(time.Duration(s) * time.Second)
		if s%10 != 0 {
			a.stop(at, s%2, time.Duration(s%7+1)*100*time.Microsecond)
		}
		a.grid.Add(at, heat.Goroutine{ID: uint64(s % 5), StartFunction: "main.work"}, 1000)
		a.head.Advance(at)
	}
	a.head.Advance(now)
	a.grid.Advance(now)
	a.sealed.Store(now.Unix())
	a.releases = []*pb.Release{
		{Service: "shop", Version: "v1", FirstSeen: timestamppb.New(a.since), LastSeen: timestamppb.New(now)},
		{Service: "shop", Version: "v2", FirstSeen: timestamppb.New(now.Add(-time.Minute)), Previous: "v1"},
	}
	return a
}

func (a *shopAgent) stop(at time.Time, node int, d time.Duration) {
	key := heat.Key{POM: "gc.stw", Process: "42-1", Service: "shop", Version: "v2", Reason: "mark termination", Node: heat.NodeKey(node)}
	a.head.Matrix(key).Add(at, heat.Bucket(uint64(d)), 1, uint64(d), uint64(d))
	a.hits[node]++
}

// serve puts the agent on a port of its own and returns its URL.
func (a *shopAgent) serve(t testing.TB) string {
	mux := http.NewServeMux()
	mux.Handle(gothermpbconnect.NewAgentServiceHandler(a))
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if a.token != "" && r.Header.Get("Authorization") != "Bearer "+a.token {
			_ = connect.NewErrorWriter().Write(w, r, connect.NewError(connect.CodeUnauthenticated, fmt.Errorf("token is missing or wrong")))
			return
		}
		mux.ServeHTTP(w, r)
	}))
	t.Cleanup(func() {
		server.CloseClientConnections()
		server.Close()
	})
	return server.URL
}

func (a *shopAgent) point(name string) (*pb.MeasurementPoint, error) {
	for _, p := range shopPoints {
		if p.Name == name {
			return p, nil
		}
	}
	return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("pom is %q, which is not a measurement point", name))
}

var shopPoints = []*pb.MeasurementPoint{
	{Name: "gc.stw", Unit: "ns", Tier: "T1", Help: "World stopped.", Dimensions: []string{"service", "version", "process", "node", "reason"}, Goroutines: true},
	{Name: "goroutine.create", Unit: "1", Tier: "T3", Help: "Goroutines created.", Dimensions: []string{"service", "version", "process", "function"}, OnDemand: true},
	{Name: "http.request", Unit: "ns", Tier: "T2", Help: "Requests.", Dimensions: []string{"service", "version", "process", "route", "depth"}, Extra: []string{"trace_high", "trace_low", "status"}},
	{Name: "sched.latency", Unit: "ns", Tier: "T2", Help: "Runnable.", Dimensions: []string{"service", "version", "process", "node", "function"}},
	{Name: "tcp.send.bytes", Unit: "By", Tier: "T2", Help: "Sent.", Dimensions: []string{"service", "version", "process", "route"}},
	{Name: "mem.heap.live", Unit: "By", Tier: "T0", Help: "Live heap.", Dimensions: heat.GaugeDimensions, Gauge: true},
}

// serveRequest is a request to the shop that takes a path of some depth through
// the kernel; a depth under 0 is one that is not known.
func (a *shopAgent) serveRequest(at time.Time, route string, depth int, d time.Duration, trace string) {
	key := heat.Key{POM: "http.request", Process: "42-1", Service: "shop", Version: "v2", Route: route, Depth: uint8(depth + 1)}
	a.head.Matrix(key).Add(at, heat.Bucket(uint64(d)), 1, uint64(d), uint64(d))
	a.greatest.Add(at, uint64(d), func() heat.Exemplar {
		return heat.Exemplar{Key: key, Time: at, Value: uint64(d), Goroutine: heat.Goroutine{ID: 1<<63 + 5, StartFunction: trace}}
	})
}

// gauge notes the live heap of one of the shop's processes.
func (a *shopAgent) gauge(process string, at time.Time, bytes float64) {
	a.gauges.Set(heat.GaugeKey{Name: "mem.heap.live", Process: process, Service: "shop", Version: "v2"}, at, bytes)
}

func (a *shopAgent) QueryGauges(_ context.Context, r *connect.Request[pb.QueryGaugesRequest]) (*connect.Response[pb.QueryGaugesResponse], error) {
	p, err := a.point(r.Msg.Name)
	if err != nil {
		return nil, err
	}
	series, err := a.gauges.Query(r.Msg.Name, ofWire(r.Msg.Matchers), r.Msg.Start.AsTime(), r.Msg.End.AsTime(), r.Msg.Step.AsDuration())
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	answer := &pb.QueryGaugesResponse{Unit: p.Unit}
	for _, s := range series {
		one := &pb.GaugeSeries{Labels: map[string]string{"service": s.Key.Service, "version": s.Key.Version, "process": s.Key.Process}}
		for _, p := range s.Points {
			one.Points = append(one.Points, &pb.GaugePoint{Start: timestamppb.New(p.Start), N: p.N, Sum: p.Sum, Min: p.Min, Max: p.Max, Last: p.Last})
		}
		answer.Series = append(answer.Series, one)
	}
	return connect.NewResponse(answer), nil
}

// QueryExemplars has the trace of a request where its goroutine's function would be.
func (a *shopAgent) QueryExemplars(_ context.Context, r *connect.Request[pb.QueryExemplarsRequest]) (*connect.Response[pb.QueryExemplarsResponse], error) {
	p, err := a.point(r.Msg.Pom)
	if err != nil {
		return nil, err
	}
	if p.Extra == nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, fmt.Errorf("pom is %s, which has no exemplars", p.Name))
	}
	answer := &pb.QueryExemplarsResponse{Unit: p.Unit}
	for _, x := range a.greatest.In(r.Msg.Start.AsTime(), r.Msg.End.AsTime(), func(x *heat.Exemplar) bool {
		return x.Value >= r.Msg.Min && (r.Msg.Max == 0 || x.Value <= r.Msg.Max) && x.Key.Matches(ofWire(r.Msg.Matchers))
	}) {
		answer.Exemplars = append(answer.Exemplars, &pb.Exemplar{
			Time: timestamppb.New(x.Time), Value: x.Value, Goid: x.ID, StartFunction: "net/http.(*conn).serve", TraceId: x.StartFunction,
			Labels: map[string]string{"service": x.Key.Service, "route": x.Key.Route}, Extra: map[string]uint64{"status": 200},
		})
	}
	return connect.NewResponse(answer), nil
}

func (a *shopAgent) GetAgent(context.Context, *connect.Request[pb.GetAgentRequest]) (*connect.Response[pb.GetAgentResponse], error) {
	hits := a.hits[0] + a.hits[1]
	return connect.NewResponse(&pb.GetAgentResponse{
		Version: "v0.1.0", Hostname: a.hostname, ProcessesWatched: 1, ProcessesRefused: 1,
		Accounting: []*pb.Accounting{{Pom: "gc.stw", Hits: hits, Carried: 10, Counted: hits - 10}},
	}), nil
}

func (a *shopAgent) ListProcesses(context.Context, *connect.Request[pb.ListProcessesRequest]) (*connect.Response[pb.ListProcessesResponse], error) {
	return connect.NewResponse(&pb.ListProcessesResponse{Processes: []*pb.Process{
		{Id: "42-1", Pid: 42, Executable: "/shop", Service: "shop", Version: "v2", Hostname: a.hostname, Points: []*pb.ProcessPoint{
			{Pom: "gc.stw", State: pb.ProcessPoint_STATE_FIRING, Hits: 7}, {Pom: "goroutine.create", State: pb.ProcessPoint_STATE_AVAILABLE},
			{Pom: "sched.latency", State: pb.ProcessPoint_STATE_SHED, Reason: "watching cost 3 %, the budget is 1 %"},
		}, Cost: &pb.WatchingCost{Ratio: 0.008, Budget: 0.01, Cpus: 1.5, Heat: "warm"}},
		{Id: "43-1", Pid: 43, Executable: "/old", Service: "old", Refused: "Go 1.15 is too old"},
	}}), nil
}

func (a *shopAgent) ListMeasurementPoints(context.Context, *connect.Request[pb.ListMeasurementPointsRequest]) (*connect.Response[pb.ListMeasurementPointsResponse], error) {
	return connect.NewResponse(&pb.ListMeasurementPointsResponse{Points: shopPoints}), nil
}

func (a *shopAgent) ListDimensionValues(_ context.Context, r *connect.Request[pb.ListDimensionValuesRequest]) (*connect.Response[pb.ListDimensionValuesResponse], error) {
	values := map[string]bool{}
	for _, k := range a.head.Keys(r.Msg.Pom, ofWire(r.Msg.Matchers)) {
		values[k.Value(r.Msg.Dimension)] = true
	}
	answer := &pb.ListDimensionValuesResponse{}
	for v := range values {
		answer.Values = append(answer.Values, v)
	}
	return connect.NewResponse(answer), nil
}

func ofWire(matchers []*pb.Matcher) []heat.Matcher {
	var result []heat.Matcher
	for _, m := range matchers {
		result = append(result, heat.Matcher{Dimension: m.Dimension, Values: m.Values})
	}
	return result
}

func toWire(series []heat.Series) []*pb.HeatSeries {
	var result []*pb.HeatSeries
	for _, s := range series {
		one := &pb.HeatSeries{Labels: s.Labels}
		for _, c := range s.Columns {
			one.Columns = append(one.Columns, &pb.HeatColumn{Start: timestamppb.New(c.Start), Buckets: c.Buckets, Counts: c.Counts, Sum: c.Sum, Max: c.Max})
		}
		result = append(result, one)
	}
	return result
}

func (a *shopAgent) query(r heat.Request) ([]heat.Series, error) {
	series, err := a.head.Query(r)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	return series, nil
}

func (a *shopAgent) QueryHeat(_ context.Context, r *connect.Request[pb.QueryHeatRequest]) (*connect.Response[pb.QueryHeatResponse], error) {
	p, err := a.point(r.Msg.Pom)
	if err != nil {
		return nil, err
	}
	series, err := a.query(heat.Request{
		POM: p.Name, Matchers: ofWire(r.Msg.Matchers), GroupBy: r.Msg.GroupBy,
		From: r.Msg.Start.AsTime(), To: r.Msg.End.AsTime(), Step: r.Msg.Step.AsDuration(),
	})
	if err != nil {
		return nil, err
	}
	if a.mostGroups > 0 && len(series) > a.mostGroups {
		return nil, connect.NewError(connect.CodeResourceExhausted, fmt.Errorf("group_by leads to %d series, at most %d", len(series), a.mostGroups))
	}
	return connect.NewResponse(&pb.QueryHeatResponse{Series: toWire(series), Schema: heat.Schema + a.schema, Unit: p.Unit, Step: r.Msg.Step}), nil
}

// watched says whether a version ran at a time; without a version, whether any did.
func (a *shopAgent) watched(version string, at time.Time) bool {
	if at.Before(a.since) {
		return false
	}
	for _, r := range a.releases {
		if r.Version == version {
			return !at.Before(r.FirstSeen.AsTime().Truncate(time.Second)) && (r.LastSeen == nil || at.Before(r.LastSeen.AsTime()))
		}
	}
	return true
}

// QuerySeries counts, with zeros since the shop is watched.
func (a *shopAgent) QuerySeries(_ context.Context, r *connect.Request[pb.QuerySeriesRequest]) (*connect.Response[pb.QuerySeriesResponse], error) {
	p, err := a.point(r.Msg.Pom)
	if err != nil {
		return nil, err
	}
	step := r.Msg.Step.AsDuration()
	series, err := a.query(heat.Request{
		POM: p.Name, Matchers: ofWire(r.Msg.Matchers), GroupBy: r.Msg.GroupBy,
		From: r.Msg.Start.AsTime(), To: r.Msg.End.AsTime(), Step: step,
	})
	if err != nil {
		return nil, err
	}
	answer := &pb.QuerySeriesResponse{Unit: p.Unit}
	for _, s := range series {
		counted := &pb.Series{Labels: s.Labels, Statistic: r.Msg.Statistics[0]}
		counts := map[int64]uint64{}
		for _, c := range s.Columns {
			counts[c.Start.Unix()] = c.Histogram().Count()
		}
		for at := r.Msg.Start.AsTime(); at.Before(r.Msg.End.AsTime()); at = at.Add(step) {
			if a.watched(s.Labels["version"], at) && !at.Add(step).After(time.Unix(a.sealed.Load(), 0)) {
				counted.Points = append(counted.Points, &pb.Point{Time: timestamppb.New(at), Value: float64(counts[at.Unix()])})
			}
		}
		answer.Series = append(answer.Series, counted)
	}
	return connect.NewResponse(answer), nil
}

func (a *shopAgent) QueryGrid(_ context.Context, r *connect.Request[pb.QueryGridRequest]) (*connect.Response[pb.QueryGridResponse], error) {
	side := int(r.Msg.Side)
	if side == 0 {
		side = 256
	}
	cells, err := a.grid.Cells(r.Msg.Start.AsTime(), r.Msg.End.AsTime(), side)
	if err != nil {
		return nil, connect.NewError(connect.CodeInvalidArgument, err)
	}
	answer := &pb.QueryGridResponse{Side: uint32(side), Unit: "ns"}
	for _, c := range cells {
		one := &pb.GridCell{X: c.X, Y: c.Y, Count: c.Count, Sum: c.Sum}
		for _, g := range c.Hottest {
			one.Goroutines = append(one.Goroutines, &pb.GridGoroutine{Goid: g.ID, StartFunction: g.StartFunction, Process: "42-1", Count: g.Count})
		}
		answer.Cells = append(answer.Cells, one)
		answer.Carried += c.Count
	}
	answer.Hits = answer.Carried + 1
	return connect.NewResponse(answer), nil
}

func (a *shopAgent) ListReleases(context.Context, *connect.Request[pb.ListReleasesRequest]) (*connect.Response[pb.ListReleasesResponse], error) {
	return connect.NewResponse(&pb.ListReleasesResponse{Releases: a.releases}), nil
}

func (a *shopAgent) RequestAttach(_ context.Context, r *connect.Request[pb.RequestAttachRequest]) (*connect.Response[pb.RequestAttachResponse], error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.attached = append(a.attached, r.Msg)
	return connect.NewResponse(&pb.RequestAttachResponse{Attachments: []*pb.Attachment{
		{Process: "42-1", Until: timestamppb.New(time.Now().Add(r.Msg.Duration.AsDuration()))},
		{Process: "44-1", Refused: "over budget"},
	}}), nil
}

// WatchHeat sends the columns that the test says are complete: see [shopAgent.passTime].
func (a *shopAgent) WatchHeat(ctx context.Context, r *connect.Request[pb.WatchHeatRequest], stream *connect.ServerStream[pb.WatchHeatResponse]) error {
	step := r.Msg.Step.AsDuration()
	next := floor(time.Unix(a.sealed.Load(), 0), step)
	a.mu.Lock()
	a.streams++
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.streams--
		a.mu.Unlock()
	}()
	if err := stream.Send(nil); err != nil { // the headers
		return err
	}
	for ctx.Err() == nil {
		for ; !next.Add(step).After(time.Unix(a.sealed.Load(), 0)); next = next.Add(step) {
			series, err := a.query(heat.Request{POM: r.Msg.Pom, Matchers: ofWire(r.Msg.Matchers), GroupBy: r.Msg.GroupBy, From: next, To: next.Add(step), Step: step})
			if err != nil {
				return err
			}
			series = slices.DeleteFunc(series, func(s heat.Series) bool { return len(s.Columns) == 0 })
			if err := stream.Send(&pb.WatchHeatResponse{Series: toWire(series), ColumnStart: timestamppb.New(next), Step: durationpb.New(step), Unit: "ns"}); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// WatchEvents sends an empty batch, and then those that happen: see [shopAgent.happen].
func (a *shopAgent) WatchEvents(ctx context.Context, r *connect.Request[pb.WatchEventsRequest], stream *connect.ServerStream[pb.WatchEventsResponse]) error {
	p, err := a.point(r.Msg.Pom)
	if err != nil {
		return err
	}
	a.mu.Lock()
	a.streams++
	next := len(a.batches)
	a.asked = r.Msg
	a.mu.Unlock()
	defer func() {
		a.mu.Lock()
		a.streams--
		a.mu.Unlock()
	}()
	now := timestamppb.Now()
	if err := stream.Send(&pb.WatchEventsResponse{Unit: p.Unit, Start: now, End: now}); err != nil {
		return err
	}
	for ctx.Err() == nil {
		a.mu.Lock()
		fresh := a.batches[next:]
		next = len(a.batches)
		a.mu.Unlock()
		for _, b := range fresh {
			if err := stream.Send(b); err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-time.After(5 * time.Millisecond):
		}
	}
	return nil
}

// happen sends a batch of requests to whoever watches, each of so many hits.
func (a *shopAgent) happen(hits uint64, at time.Time, took ...time.Duration) {
	b := &pb.WatchEventsResponse{
		Unit: "ns", Start: timestamppb.New(at), End: timestamppb.New(at.Add(100 * time.Millisecond)), Hits: hits, Carried: uint64(len(took)),
		Series: []*pb.EventSeries{{Labels: map[string]string{"service": a.hostname, "version": "v2", "route": "GET /"}, StartFunction: "net/http.(*conn).serve"}},
	}
	for i, d := range took {
		b.Events = append(b.Events, &pb.Event{Time: timestamppb.New(at.Add(time.Duration(i) * time.Millisecond)), Value: uint64(d), Goid: 1<<63 + 5})
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.batches = append(a.batches, b)
}

func (a *shopAgent) openStreams() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.streams
}

// passTime completes all columns before t.
func (a *shopAgent) passTime(t time.Time) {
	a.head.Advance(t.Add(4 * time.Second)) // a head keeps seconds open for that long
	a.sealed.Store(t.Unix())
}

// configured returns the settings for agents by name and URL, in the order given.
func configured(t testing.TB, timeoutSeconds int, nameThenURL ...string) backend.DataSourceInstanceSettings {
	model := query.Settings{TimeoutSeconds: timeoutSeconds}
	for pair := range slices.Chunk(nameThenURL, 2) {
		model.Agents = append(model.Agents, query.Agent{Name: pair[0], URL: pair[1]})
	}
	spelt, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return backend.DataSourceInstanceSettings{UID: "gotherm", Name: "gotherm", JSONData: spelt, Updated: time.Unix(1, 0)}
}

// open makes a data source over agents by name and URL.
func open(t testing.TB, nameThenURL ...string) *Datasource {
	return openWith(t, configured(t, 2, nameThenURL...))
}

func openWith(t testing.TB, settings backend.DataSourceInstanceSettings) *Datasource {
	instance, err := New(t.Context(), settings)
	if err != nil {
		t.Fatal(err)
	}
	d := instance.(*Datasource)
	t.Cleanup(d.Dispose)
	if d.broken != nil {
		t.Fatal(d.broken)
	}
	return d
}

var shopContext = backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &backend.DataSourceInstanceSettings{UID: "gotherm"}}

// lastTwoMinutes is the time range that the shop was watched for.
func lastTwoMinutes(now time.Time) backend.TimeRange {
	return backend.TimeRange{From: now.Add(-watchedFor), To: now}
}

func dataQuery(t testing.TB, q query.Query, over backend.TimeRange) backend.DataQuery {
	spelt, err := json.Marshal(q)
	if err != nil {
		t.Fatal(err)
	}
	return backend.DataQuery{RefID: "A", JSON: spelt, TimeRange: over, MaxDataPoints: 1000, Interval: time.Second}
}

// ask asks one query.
func ask(t testing.TB, d *Datasource, q backend.DataQuery) backend.DataResponse {
	t.Helper()
	answer, err := d.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: shopContext, Queries: []backend.DataQuery{q}})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Responses[q.RefID]
}

// frameCount adds up the field "count" of a heatmap frame.
func frameCount(f *data.Frame) (total float64) {
	field, _ := f.FieldByName("count")
	for i := range field.Len() {
		total += field.At(i).(float64)
	}
	return total
}
