package frames_test

import (
	"flag"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/experimental"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Golden files are made by: go test ./pkg/frames -run Golden -update
var update = flag.Bool("update", false, "rewrite the golden files in testdata")

func golden(t *testing.T, name string, made ...*data.Frame) {
	t.Helper()
	experimental.CheckGoldenJSONResponse(t, "testdata", name, &backend.DataResponse{Frames: made}, *update)
}

// noon is where all stories of these tests begin.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func columnOf(start time.Time, durations ...time.Duration) heat.Column {
	var h heat.Histogram
	for _, d := range durations {
		h.Observe(uint64(d))
	}
	return heat.NewColumn(start, &h)
}

// pauses are the world's stops on node 0: two in the first ten seconds, none in
// the second, and one short and one endless in the third.
func pauses() heat.Series {
	return heat.Series{
		Labels: map[string]string{"node": "0", "reason": "mark termination"},
		Columns: []heat.Column{
			columnOf(noon, 40*time.Microsecond, 1200*time.Microsecond),
			columnOf(noon.Add(20*time.Second), 50*time.Nanosecond, 200*time.Second),
		},
	}
}

var stopTheWorld = frames.Subject{POM: "gc.stw", Unit: "ns", Step: 10 * time.Second}

func TestGoldenHeatmap(t *testing.T) {
	golden(t, "heatmap", frames.Heatmap(stopTheWorld, pauses()))
}

func TestGoldenHeatmapOfOneColumn(t *testing.T) {
	s := pauses()
	s.Columns = s.Columns[:1]
	about := stopTheWorld
	about.Legend = "{{reason}} on node {{ node }}{{nothing}}, label {{label}}"
	s.Labels["label"] = ""
	golden(t, "heatmap_one_column", frames.Heatmap(about, s))
}

func TestGoldenHeatmapOfCounts(t *testing.T) {
	about := frames.Subject{POM: "goroutine.create", Unit: "1", Step: time.Second}
	series := heat.Series{Labels: map[string]string{"function": "main.work"}, Columns: []heat.Column{
		{Start: noon, Buckets: []uint32{0}, Counts: []uint64{7}, Sum: 7, Max: 1},
		{Start: noon.Add(time.Second), Buckets: []uint32{0}, Counts: []uint64{9}, Sum: 9, Max: 1},
	}}
	golden(t, "heatmap_counts", frames.Heatmap(about, series))
}

func TestGoldenStreamedColumn(t *testing.T) {
	s := pauses()
	s.Columns = s.Columns[1:]
	quiet := heat.Series{Labels: s.Labels, Columns: []heat.Column{{Start: noon}}}
	golden(t, "heatmap_streamed", frames.HeatmapColumns(stopTheWorld, s), frames.HeatmapColumns(stopTheWorld, quiet))
}

func TestGoldenSeries(t *testing.T) {
	s := pauses()
	// The agent says that it watched the second ten seconds.
	s.Columns = []heat.Column{s.Columns[0], {Start: noon.Add(10 * time.Second)}, s.Columns[1]}
	var made []*data.Frame
	for _, name := range []string{"count", "rate", "sum", "share", "mean", "max", "p50", "p99.9"} {
		statistic, err := frames.ParseStatistic(name)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, frames.Series(stopTheWorld, statistic, s, noon.Add(30*time.Second)))
	}
	golden(t, "series", made...)
}

func TestGoldenNoSeries(t *testing.T) { golden(t, "no_series", frames.NoSeries()) }

func TestGoldenGrid(t *testing.T) {
	cell := func(x, y uint32, count uint64, who ...*pb.GridGoroutine) *pb.GridCell {
		return &pb.GridCell{X: x, Y: y, Count: count, Sum: count * 1000, Goroutines: who}
	}
	fine := &pb.QueryGridResponse{Side: 512, Unit: "ns", Carried: 12, Hits: 40, Cells: []*pb.GridCell{
		cell(10, 20, 5, &pb.GridGoroutine{Goid: 7, StartFunction: "main.work", Process: "42-1", Count: 5}),
		cell(11, 21, 7, &pb.GridGoroutine{Goid: 1<<63 + 1, StartFunction: "net/http.(*conn).serve", Process: "42-1", Count: 7}),
	}}
	coarse := &pb.QueryGridResponse{Side: 256, Unit: "ns", Carried: 3, Hits: 3, Cells: []*pb.GridCell{
		cell(5, 10, 2, &pb.GridGoroutine{Goid: 9, StartFunction: "main.idle", Process: "77-1", Count: 2}),
		cell(0, 0, 1),
	}}
	merged, err := frames.MergeGrids([]*pb.QueryGridResponse{fine, coarse})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "grid", frames.Grid(frames.Subject{POM: "sched.latency", Unit: "ns"}, merged))
}

func TestGoldenReleases(t *testing.T) {
	seen := func(agent, version string, first time.Time, last *timestamppb.Timestamp, previous string) frames.Release {
		return frames.Release{Agents: []string{agent}, Release: &pb.Release{
			Service: "shop, large", Version: version, Revision: "0123456789abcdef", Modified: previous == "", GoVersion: "go1.26.5",
			FirstSeen: timestamppb.New(first), LastSeen: last, Previous: previous,
		}}
	}
	golden(t, "releases", frames.Releases(frames.MergeReleases([]frames.Release{
		seen("east", "v2", noon.Add(time.Minute), nil, "v1"),
		seen("east", "v1", noon, timestamppb.New(noon.Add(time.Minute)), ""),
		// Another agent saw v2 before.
		seen("west", "v2", noon.Add(50*time.Second), timestamppb.New(noon.Add(2*time.Minute)), "v1"),
	})))
}

func TestGoldenHeatmapOfBytes(t *testing.T) {
	about := frames.Subject{POM: "tcp.send.bytes", Unit: "By", Step: 10 * time.Second}
	sent := heat.Series{Columns: []heat.Column{columnOf(noon, 90, 1460, 64<<10)}}
	share, err := frames.ParseStatistic("share")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "heatmap_bytes", frames.Heatmap(about, sent), frames.Series(about, share, sent, noon.Add(time.Minute)))
}

// heaps are the live heaps of two processes: one was watched all the time, one began later.
func heaps() []frames.Gauge {
	at := func(seconds int, n uint64, sum, least, greatest, last float64) heat.GaugePoint {
		return heat.GaugePoint{Start: noon.Add(time.Duration(seconds) * time.Second), N: n, Sum: sum, Min: least, Max: greatest, Last: last}
	}
	return []frames.Gauge{
		{Labels: map[string]string{"service": "shop", "version": "v1", "process": "42-1"}, Points: []heat.GaugePoint{
			at(0, 2, 6e6, 2e6, 4e6, 4e6), at(10, 1, 3e6, 3e6, 3e6, 3e6),
		}},
		{Labels: map[string]string{"service": "shop", "version": "v2", "process": "77-9"}, Points: []heat.GaugePoint{at(10, 1, 0, 0, 0, 0)}},
	}
}

func TestGoldenGauges(t *testing.T) {
	about := frames.Subject{POM: "mem.heap.live", Unit: "By", Gauge: true, Step: 10 * time.Second, Legend: "{{service}} {{process}} {{statistic}}"}
	made := []*data.Frame{
		frames.GaugeRows(about, heaps(), noon, noon.Add(30*time.Second)),
		frames.GaugeRows(about, nil, noon, noon.Add(30*time.Second)),
	}
	for _, name := range []string{"mean", "max", "min", "last"} {
		statistic, err := frames.ParseStatistic(name)
		if err != nil {
			t.Fatal(err)
		}
		made = append(made, frames.GaugeSeries(about, statistic, heaps()[0]))
	}
	golden(t, "gauges", made...)
}

func TestGoldenSpectrum(t *testing.T) {
	row := func(durations ...time.Duration) *heat.Histogram {
		column := columnOf(noon, durations...)
		return column.Histogram()
	}
	about := frames.Subject{POM: "http.request", Unit: "ns", Step: time.Minute}
	golden(t, "spectrum", frames.Spectrum(about, "depth", data.Labels{"route": "GET /items/{id}"}, map[int]*heat.Histogram{
		0:  row(3*time.Microsecond, 8*time.Microsecond, 200*time.Second),
		12: row(25*time.Microsecond, 1200*time.Microsecond),
	}))
}

func TestGoldenExemplars(t *testing.T) {
	hit := func(second int, value time.Duration) *pb.Exemplar {
		return &pb.Exemplar{Time: timestamppb.New(noon.Add(time.Duration(second) * time.Second)), Value: uint64(value), Goid: 1<<63 + 7, StartFunction: "net/http.(*conn).serve"}
	}
	request, pause := hit(20, 3*time.Millisecond), hit(10, 90*time.Microsecond)
	request.TraceId = "4bf92f3577b34da6a3ce929d0e0e4736"
	request.Labels = map[string]string{"service": "shop", "route": "GET /items/{id}", "depth": "12"}
	pause.Goid, pause.StartFunction = 0, ""
	pause.Labels = map[string]string{"service": "shop", "node": "0"}
	pause.Extra = map[string]uint64{"heap_live": 4 << 20, "p": 3}
	golden(t, "exemplars", frames.Exemplars(frames.Subject{POM: "http.request", Unit: "ns"}, []*pb.Exemplar{request, pause}))
}

func TestGoldenEvents(t *testing.T) {
	at := func(ms int) *timestamppb.Timestamp {
		return timestamppb.New(noon.Add(time.Duration(ms) * time.Millisecond))
	}
	served := func(ms int, value time.Duration, series uint32) *pb.Event {
		return &pb.Event{Time: at(ms), Value: uint64(value), Series: series, Goid: 1<<63 + 7}
	}
	conn := &pb.EventSeries{Labels: map[string]string{"service": "shop", "route": "GET /"}, StartFunction: "net/http.(*conn).serve"}
	unknown := &pb.EventSeries{Labels: map[string]string{"service": "till"}}
	labelled := served(20, 80*time.Microsecond, 0)
	labelled.Goid, labelled.Label = 0, "tenant=a"
	batches := []*pb.WatchEventsResponse{
		{Unit: "ns", Start: at(0), End: at(0)},
		{Unit: "ns", Start: at(0), End: at(100), Hits: 9, Carried: 2, Series: []*pb.EventSeries{conn}, Events: []*pb.Event{served(10, time.Millisecond, 0), served(90, 3*time.Millisecond, 0)}},
		{Unit: "ns", Start: at(0), End: at(110), Hits: 1, Carried: 1, Series: []*pb.EventSeries{unknown}, Events: []*pb.Event{labelled}, LostBatches: 2, LostHits: 70},
	}
	about := frames.Subject{POM: "http.request", Unit: "ns"}
	golden(t, "events",
		frames.Events(about, []string{"service", "route", "function", "label"}, batches),
		frames.Events(frames.Subject{POM: "tcp.send.bytes", Unit: "By"}, nil, nil))
}

func TestGoldenProcesses(t *testing.T) {
	point := func(pom string, state pb.ProcessPoint_State, reason string) *pb.ProcessPoint {
		return &pb.ProcessPoint{Pom: pom, State: state, Reason: reason}
	}
	golden(t, "processes", frames.Processes([]frames.Seen{
		{Agent: "east", Process: &pb.Process{Id: "43-1", Service: "old", GoVersion: "go1.15", Executable: "/old", Refused: "Go 1.15 is too old"}},
		{Agent: "east", Process: &pb.Process{
			Id: "42-1", Service: "shop", Version: "v2", GoVersion: "go1.26.1", Hostname: "east-1", Container: "4bf92f35", Executable: "/shop",
			Points: []*pb.ProcessPoint{
				point("gc.stw", pb.ProcessPoint_STATE_FIRING, ""),
				point("sched.latency", pb.ProcessPoint_STATE_SHED, "watching cost 3.1 % of its CPU, the budget is 1 %"),
				point("oncpu", pb.ProcessPoint_STATE_SHED, "watching cost 3.1 % of its CPU, the budget is 1 %"),
				point("http.request", pb.ProcessPoint_STATE_REFUSED, "net/http is not in the binary"),
			},
			Cost: &pb.WatchingCost{Ratio: 0.004, Budget: 0.01, Total: durationpb.New(1500 * time.Millisecond), RunsPerSecond: 812, Cpus: 1.5, Heat: "warm"},
		}},
	}))
}
