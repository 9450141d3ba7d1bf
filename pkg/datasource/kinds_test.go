package datasource

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

func TestASpectrumCountsEachRequestByLatencyAndDepth(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	served := map[string]float64{}
	for i := range 200 {
		agent, route, depth := east, "GET /", i%33
		if i%3 == 0 {
			agent, route = west, "POST /cart"
		}
		if i%50 == 0 {
			depth = -1 // the path was not seen
		}
		agent.serveRequest(now.Add(-time.Duration(i%100)*time.Second), route, depth, time.Duration(i*i)*time.Microsecond, "")
		served[fmt.Sprintf("%s %d", route, depth)]++
	}
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	// Range and columns need not agree: the spectrum is of all of them.
	over := backend.TimeRange{From: now.Add(-watchedFor), To: now.Add(time.Second)}
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindSpectrum, POM: "http.request", Y: "depth", GroupBy: []string{"route"}}, over))
	if answer.Error != nil || len(answer.Frames) != 2 {
		t.Fatalf("%d frames, error %v, want one for each route", len(answer.Frames), answer.Error)
	}
	for _, f := range answer.Frames {
		route := f.Fields[4].Labels["route"]
		found := map[int]float64{}
		for i := range f.Rows() {
			found[int(f.At(2, i).(float64)+0.5)] += f.At(4, i).(float64)
		}
		for depth := range 33 {
			if want := served[fmt.Sprintf("%s %d", route, depth)]; found[depth] != want {
				t.Errorf("%s at depth %d: %g requests in the frame, %g were served", route, depth, found[depth], want)
			}
		}
		unknown := fmt.Sprintf("%g of ", served[route+" -1"])
		if notices := f.Meta.Notices; len(notices) != 1 || !strings.HasPrefix(notices[0].Text, unknown) || !strings.HasSuffix(notices[0].Text, "their depth is not known") {
			t.Errorf("%s: notices are %+v, want them to say that %s... are not shown", route, notices, unknown)
		}
	}
}

func TestAGaugeOfTwoAgentsHasARowForEachProcess(t *testing.T) {
	now := time.Now().Truncate(10 * time.Second)
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	for s := range 60 {
		at := now.Add(time.Duration(s-60) * time.Second)
		east.gauge("42-1", at, float64(s))
		if s >= 30 {
			west.gauge("77-9", at, 1e6)
		}
	}
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	ask10s := func(q query.Query) data.Frames {
		asked := dataQuery(t, q, backend.TimeRange{From: now.Add(-time.Minute), To: now})
		asked.Interval = 10 * time.Second
		answer := ask(t, d, asked)
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		return answer.Frames
	}

	made := ask10s(query.Query{Kind: query.KindHeatmap, POM: "mem.heap.live", Live: true, Legend: "{{process}}"})
	if len(made) != 1 || made[0].Meta.Type != frames.TypeHeatmapRows || len(made[0].Fields) != 3 || made[0].Rows() != 6 {
		t.Fatalf("the heatmap is %v", made)
	}
	first, second := made[0].Fields[1], made[0].Fields[2]
	if first.Name != "42-1" || second.Name != "77-9" || first.Config.Unit != "bytes" {
		t.Errorf("the rows are %s and %s, in %s", first.Name, second.Name, first.Config.Unit)
	}
	if mean := first.At(1).(*float64); mean == nil || *mean != 14.5 {
		t.Errorf("the mean of 10 to 19 is %v", mean)
	}
	if before, after := second.At(2).(*float64), second.At(3).(*float64); before != nil || after == nil || *after != 1e6 {
		t.Errorf("the second process began half a minute ago: %v, %v", before, after)
	}

	series := ask10s(query.Query{Kind: query.KindSeries, POM: "mem.heap.live", Statistics: []string{"min", "last"}, Matchers: []query.Matcher{{Dimension: "process", Values: []string{"42-1"}}}})
	if len(series) != 2 || series[0].At(1, 5) != 50.0 || series[1].At(1, 5) != 59.0 || series[0].Fields[1].Labels["process"] != "42-1" {
		t.Errorf("the series are %v", series)
	}
	if none := ask10s(query.Query{Kind: query.KindSeries, POM: "mem.heap.live", Statistics: []string{"min"}, Matchers: []query.Matcher{{Dimension: "process", Values: []string{"1-1"}}}}); len(none) != 1 || none[0].Rows() != 0 {
		t.Errorf("of a process that is not there: %v", none)
	}
}

func TestExemplarsOfTwoAgentsAreTheGreatestInOrderOfTime(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	for i := range 80 {
		east.serveRequest(now.Add(-time.Duration(i)*time.Second), "GET /", 1, time.Duration(i+1)*time.Millisecond, fmt.Sprintf("%032x", i))
		west.serveRequest(now.Add(-time.Duration(i)*time.Second), "POST /cart", 1, time.Duration(i+1)*time.Second, "")
	}
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindExemplars, POM: "http.request"}, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := answer.Frames[0]
	var last time.Time
	traces, greatest := 0, 0.0
	for i := range f.Rows() {
		if at := f.At(0, i).(time.Time); at.Before(last) {
			t.Errorf("row %d is not in the order of time", i)
		} else {
			last = at
		}
		greatest = max(greatest, f.At(1, i).(float64))
		if f.At(2, i) != "" {
			traces++
		}
		if f.At(3, i) != "9223372036854775813" {
			t.Errorf("goroutine is %v, must be exact", f.At(3, i))
		}
	}
	route, _ := f.FieldByName("route")
	status, _ := f.FieldByName("status")
	if f.Rows() == 0 || traces == 0 || traces == f.Rows() || greatest != 80 || route == nil || status == nil {
		t.Errorf("%d rows, %d with a trace, the greatest %g s; fields are %v", f.Rows(), traces, greatest, f.Fields)
	}
}

func TestTheTableOfProcessesSaysWhatWatchingCostsAndWhatWasShed(t *testing.T) {
	now := time.Now()
	d := open(t, "east", newShopAgent(now, "east-1").serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindProcesses, Matchers: []query.Matcher{{Dimension: "service", Values: []string{"shop"}}}}, lastTwoMinutes(now)))
	if answer.Error != nil || answer.Frames[0].Rows() != 1 {
		t.Fatalf("frames are %v, error %v", answer.Frames, answer.Error)
	}
	for name, want := range map[string]any{
		"process": "42-1", "state": "firing", "heat": "warm", "agent": "east",
		"shed": "sched.latency: watching cost 3 %, the budget is 1 %",
	} {
		if field, _ := answer.Frames[0].FieldByName(name); field == nil || field.At(0) != want {
			t.Errorf("%s is %v, want %v", name, field, want)
		}
	}
	if cost, _ := answer.Frames[0].FieldByName("cost"); *cost.At(0).(*float64) != 0.008 {
		t.Errorf("cost is %v", cost.At(0))
	}
}
