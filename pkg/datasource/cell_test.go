package datasource

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// cellQuery asks what is in the cell of a heatmap frame at a row.
func cellQuery(t testing.TB, pom string, f *data.Frame, row int, matchers ...query.Matcher) backend.DataQuery {
	end := f.At(0, row).(time.Time)
	begin := end.Add(-time.Duration(f.Fields[0].Config.Interval) * time.Millisecond)
	q := query.Query{Kind: query.KindCell, POM: pom, Matchers: matchers, ValueMin: f.At(1, row).(float64), ValueMax: f.At(2, row).(float64)}
	return dataQuery(t, q, backend.TimeRange{From: begin, To: end})
}

// frameNamed returns the frame of a name; nil when there is none.
func frameNamed(all data.Frames, name string) *data.Frame {
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	return nil
}

// parts returns what a table says of each value, in text to compare.
func parts(f *data.Frame) string {
	var b strings.Builder
	for i := range f.Rows() {
		fmt.Fprintf(&b, "%s: %g\n", f.At(0, i), f.At(1, i))
	}
	return b.String()
}

func TestEachTableOfACellAddsUpToIt(t *testing.T) {
	now := time.Now()
	at := now.Truncate(time.Second)
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	for i := range 300 {
		agent := east
		if i%3 == 0 {
			agent = west
		}
		trace := ""
		if i == 299 { // the greatest of its agent's
			trace = "4bf92f3577b34da6a3ce929d0e0e4736"
		}
		// Two octaves of latency, in three seconds.
		agent.serveRequest(at.Add(time.Duration(i%3)*time.Second), fmt.Sprintf("GET /%d", i%4), i%5-1, time.Duration(1000+i*10)*time.Microsecond, trace)
	}
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	asked := dataQuery(t, query.Query{Kind: query.KindHeatmap, POM: "http.request"}, backend.TimeRange{From: at, To: at.Add(10 * time.Second)})
	asked.Interval = 10 * time.Second
	heatmap := ask(t, d, asked)
	if heatmap.Error != nil || len(heatmap.Frames) != 1 {
		t.Fatalf("%d frames, error %v", len(heatmap.Frames), heatmap.Error)
	}
	traces, counted := 0, 0.0
	for row := range heatmap.Frames[0].Rows() {
		want := heatmap.Frames[0].At(3, row).(float64)
		if want == 0 {
			continue // it only says how wide columns are
		}
		answer := ask(t, d, cellQuery(t, "http.request", heatmap.Frames[0], row))
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		for _, dimension := range []string{"service", "version", "process", "route", "depth"} {
			f := frameNamed(answer.Frames, dimension)
			if f == nil {
				t.Fatalf("no table by %s: %+v", dimension, answer.Frames)
			}
			var hits, shares, last float64
			for i := range f.Rows() {
				n := f.At(1, i).(float64)
				if i > 0 && n > last {
					t.Errorf("by %s: %g hits follow on %g", dimension, n, last)
				}
				last = n
				hits += n
				shares += f.At(2, i).(float64)
			}
			if hits != want || shares < 0.999999 || shares > 1.000001 {
				t.Errorf("by %s: %g hits, which are %g of the cell, it has %g", dimension, hits, shares, want)
			}
		}
		if frameNamed(answer.Frames, "goroutines") != nil {
			t.Error("http.request has no grid, but there are goroutines")
		}
		requests := frameNamed(answer.Frames, "exemplars")
		for i := range requests.Rows() {
			if v := requests.At(1, i).(float64); v <= heatmap.Frames[0].At(1, row).(float64) || v > heatmap.Frames[0].At(2, row).(float64) {
				t.Errorf("a request of %g s is not of the cell", v)
			}
			if requests.At(2, i) != "" {
				traces++
			}
		}
		counted += want
	}
	if counted != 300 || traces != 1 {
		t.Errorf("%g requests in all cells, 300 were served; %d traces", counted, traces)
	}
}

func TestACellSaysWhatWasHit(t *testing.T) {
	now := time.Now()
	at := now.Truncate(time.Second)
	shop := newShopAgent(now, "shop")
	shop.serveRequest(at, "POST /cart", -1, time.Millisecond, "4bf92f3577b34da6a3ce929d0e0e4736")
	for i := range 6 {
		shop.serveRequest(at, "GET /", i%2, time.Millisecond, "")
	}
	shop.serveRequest(at, "GET /", 1, 3*time.Millisecond, "")
	shop.serveRequest(at.Add(time.Second), "GET /", 1, time.Millisecond, "")
	d := open(t, "shop", shop.serve(t))
	lower, upper := frames.CellBounds(heat.Bucket(uint64(time.Millisecond)))
	q := query.Query{Kind: query.KindCell, POM: "http.request", ValueMin: lower, ValueMax: upper}
	answer := ask(t, d, dataQuery(t, q, backend.TimeRange{From: at, To: at.Add(time.Second)}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if got := parts(frameNamed(answer.Frames, "route")); got != "GET /: 6\nPOST /cart: 1\n" {
		t.Errorf("routes are %q", got)
	}
	if got := parts(frameNamed(answer.Frames, "depth")); got != "0: 3\n1: 3\n: 1\n" {
		t.Errorf("depths are %q", got)
	}
	requests := frameNamed(answer.Frames, "exemplars")
	traced := 0
	for i := range requests.Rows() {
		if requests.At(2, i) == "4bf92f3577b34da6a3ce929d0e0e4736" {
			traced++
		}
	}
	if traced != 1 {
		t.Errorf("the traced request is there %d times: %v", traced, requests)
	}
	// Of the series of a route that was not seen, by the label that it has.
	q.Matchers = []query.Matcher{{Dimension: "depth", Values: []string{""}}}
	answer = ask(t, d, dataQuery(t, q, backend.TimeRange{From: at, To: at.Add(time.Second)}))
	if got := parts(frameNamed(answer.Frames, "route")); answer.Error != nil || got != "POST /cart: 1\n" {
		t.Errorf("routes without a depth are %q, error %v", got, answer.Error)
	}
	if frameNamed(answer.Frames, "depth") != nil {
		t.Error("there is a table of nothing but unknown depths")
	}
	if empty := ask(t, d, dataQuery(t, q, backend.TimeRange{From: at.Add(-time.Hour), To: at.Add(-time.Hour + time.Second)})); empty.Error != nil || empty.Frames[0].Rows() != 0 {
		t.Errorf("an empty cell is %+v", empty)
	}
}

func TestGoroutinesOfACellAreSaidToBeOfItsTimeOnly(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	at := now.Add(-30 * time.Second).Truncate(time.Minute / 2)
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCell, POM: "gc.stw"}, backend.TimeRange{From: at.Add(-time.Minute / 2), To: at}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := frameNamed(answer.Frames, "goroutines")
	if f == nil || f.Rows() != 5 || f.At(1, 0) != "main.work" || f.At(3, 0) != "42-1" {
		t.Fatalf("goroutines are %v", f)
	}
	if notices := f.Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "whatever their value") {
		t.Errorf("notices are %+v", notices)
	}
}

func TestHitsWithoutTheirFinerDimensionsAreSaid(t *testing.T) {
	now := time.Now()
	at := now.Truncate(time.Second)
	shop := newShopAgent(now, "shop")
	for i := range 9 {
		key := heat.Key{POM: "sched.latency", Process: "42-1", Service: "shop", Version: "v2"}
		if i < 4 {
			key.Node, key.Function = heat.NodeKey(0), "main.work"
		}
		shop.head.Matrix(key).Add(at, heat.Bucket(1000), 1, 1000, 1000)
	}
	d := open(t, "shop", shop.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCell, POM: "sched.latency"}, backend.TimeRange{From: at, To: at.Add(time.Second)}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if got := parts(frameNamed(answer.Frames, "function")); got != ": 5\nmain.work: 4\n" {
		t.Errorf("functions are %q", got)
	}
	if notices := answer.Frames[0].Meta.Notices; len(notices) != 1 || !strings.HasPrefix(notices[0].Text, "up to 5 of 9 hits are known without their node, function") {
		t.Errorf("notices are %+v", notices)
	}
}

func TestADimensionThatIsTooMuchForAnAgentIsAmongTheOthers(t *testing.T) {
	now := time.Now()
	at := now.Truncate(time.Second)
	few, many := newShopAgent(now, "few"), newShopAgent(now, "many")
	many.mostGroups = 3
	for i := range 60 {
		few.serveRequest(at, fmt.Sprintf("GET /few/%d", i), 0, time.Millisecond, "")
	}
	for i := range 7 {
		many.serveRequest(at, fmt.Sprintf("GET /many/%d", i), 0, time.Millisecond, "")
	}
	d := open(t, "few", few.serve(t), "many", many.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCell, POM: "http.request"}, backend.TimeRange{From: at, To: at.Add(time.Second)}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := frameNamed(answer.Frames, "route")
	if f.Rows() != 51 || f.At(0, 50) != frames.Others || f.At(1, 50) != float64(60-50+7) {
		t.Errorf("routes are %s", parts(f))
	}
	if notices := f.Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "agent many") || !strings.Contains(notices[0].Text, "its 7 hits are counted as others") {
		t.Errorf("notices are %+v", notices)
	}
	if got := parts(frameNamed(answer.Frames, "process")); got != "42-1: 67\n" {
		t.Errorf("processes are %q", got)
	}
}

func TestACellThatCanNotBeIsToldTheField(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	for want, q := range map[string]query.Query{
		"valueMin is -1, must not be under 0":                    {POM: "gc.stw", ValueMin: -1},
		"valueMax is 1, must be over valueMin, which is 2":       {POM: "gc.stw", ValueMin: 2, ValueMax: 1},
		"valueMin and valueMax are 0.001 and 0.00101: no bucket": {POM: "gc.stw", ValueMin: 0.001, ValueMax: 0.00101},
		"pom is mem.heap.live, a gauge: only hits are in cells":  {POM: "mem.heap.live"},
		"pom is empty":                                          {},
		`matchers[0].dimension is "colour"`:                     {POM: "gc.stw", Matchers: []query.Matcher{{Dimension: "colour", Values: []string{"red"}}}},
		`refuses: pom is "gc.none", which is not a measurement`: {POM: "gc.none"},
	} {
		q.Kind = query.KindCell
		answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), want) {
			t.Errorf("the error is %v, want %q", answer.Error, want)
		}
	}
}
