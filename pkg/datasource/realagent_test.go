package datasource

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/workbench/pluginhost"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// said is the output of a process, to read while it runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startAgent runs the built agent over this very process, or over others, and returns its URL.
func startAgent(t *testing.T, others ...int) string { return startAgentWith(t, nil, others...) }

// startAgentWith is startAgent with more flags.
func startAgentWith(t *testing.T, flags []string, others ...int) string {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("attaching probes needs Linux and root")
	}
	var output said
	agent := exec.Command(built(t, "bpf-agent"), "run", "--listen", "127.0.0.1:0", "--budget", "50%")
	if len(others) == 0 {
		others = []int{os.Getpid()}
	}
	agent.Args = append(agent.Args, flags...)
	for _, pid := range others {
		agent.Args = append(agent.Args, "--pid", fmt.Sprint(pid))
	}
	agent.Stdout, agent.Stderr = &output, &output
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
		if t.Failed() {
			t.Logf("the agent said:\n%s", output.String())
		}
	})
	address := regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)
	waitFor(t, "the agent to answer", func() bool { return address.MatchString(output.String()) })
	return address.FindString(output.String())
}

// TestEveryPauseOfThisProcessReachesTheFrames crosses the whole back half of
// the street: kernel, agent, plugin process, frames.
func TestEveryPauseOfThisProcessReachesTheFrames(t *testing.T) {
	settings := configured(t, 5, "here", startAgent(t))
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}
	waitFor(t, "this process to be watched", func() bool {
		health, err := plugin.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: grafana})
		return err == nil && strings.Contains(health.Message, "processes: 1 watched")
	})

	ask := func(q query.Query) backend.DataResponse { return askPlugin(t, plugin, grafana, q) }
	pauses := query.Query{Kind: query.KindHeatmap, POM: "gc.stw", Matchers: []query.Matcher{{
		Dimension: "reason", Values: []string{"mark termination", "sweep termination"},
	}}}
	hits := func() (n float64) {
		for _, f := range ask(pauses).Frames {
			n += frameCount(f)
		}
		return n
	}
	// Probes are attached when the first of our pauses is seen.
	waitFor(t, "the first pause", func() bool { runtime.GC(); return hits() > 0 })
	time.Sleep(3 * time.Second) // what was hit until now is drained
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	already := hits()
	const collections = 50
	for range collections {
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	want := already + float64(2*(after.NumGC-before.NumGC))
	waitFor(t, "all pauses", func() bool { return hits() >= want })
	// A collection of its own may have run between the counts: at most a few.
	if got := hits(); got > want+6 {
		t.Errorf("%g pauses in the frames, %g were made", got, want)
	}
	waitFor(t, "the count as a series for alert rules", func() bool {
		var counted float64
		for _, f := range ask(query.Query{Kind: query.KindSeries, POM: "gc.stw", Matchers: pauses.Matchers, Statistics: []string{"count"}}).Frames {
			for i := range f.Rows() {
				if len(f.Fields) > 1 {
					counted += f.At(1, i).(float64)
				}
			}
		}
		return counted >= want
	})
}

// askPlugin asks for the last minutes.
func askPlugin(t *testing.T, plugin *pluginhost.Client, grafana backend.PluginContext, q query.Query) backend.DataResponse {
	t.Helper()
	now := time.Now()
	answer, err := plugin.QueryData(t.Context(), &backend.QueryDataRequest{
		PluginContext: grafana, Queries: []backend.DataQuery{dataQuery(t, q, backend.TimeRange{From: now.Add(-5 * time.Minute), To: now.Add(time.Minute)})},
	})
	if err != nil {
		t.Fatal(err)
	}
	if answer.Responses["A"].Error != nil {
		t.Fatal(answer.Responses["A"].Error)
	}
	return answer.Responses["A"]
}

// serveQuickAndSlow has this process serve what it can be watched at: GET /quick/{id} and GET /slow.
func serveQuickAndSlow(t *testing.T) *httptest.Server {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /quick/{id}", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "here you are") })
	mux.HandleFunc("GET /slow", func(http.ResponseWriter, *http.Request) { time.Sleep(300 * time.Millisecond) })
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return server
}

// TestWhatThisProcessServesReachesTheFrames has the agent watch this very
// process while it serves requests, and finds each of them in a spectrum, the
// slow one among the exemplars, its heap as a gauge and its cost in the table.
func TestWhatThisProcessServesReachesTheFrames(t *testing.T) {
	settings := configured(t, 5, "here", startAgent(t))
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}
	server := serveQuickAndSlow(t)
	get := func(path, trace string) {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		if trace != "" {
			r.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		}
		answer, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}

	spectrum := query.Query{Kind: query.KindSpectrum, POM: "http.request", Y: "depth"}
	// Hits that have no place in the spectrum are said in its notice.
	served := func() (n float64) {
		for _, f := range askPlugin(t, plugin, grafana, spectrum).Frames {
			n += frameCount(f)
			for _, notice := range f.Meta.Notices {
				var without float64
				if _, err := fmt.Sscanf(notice.Text, "%g of", &without); err != nil {
					t.Fatalf("notice is %q", notice.Text)
				}
				n += without
			}
		}
		return n
	}
	waitFor(t, "the first request to be seen", func() bool { get("/quick/0", ""); return served() > 0 })
	time.Sleep(3 * time.Second) // what was hit until now is drained
	already := served()
	const requests = 60
	for i := range requests {
		get(fmt.Sprintf("/quick/%d", i), "")
	}
	const trace = "4bf92f3577b34da6a3ce929d0e0e4736"
	get("/slow", trace)
	waitFor(t, "all requests", func() bool { return served() >= already+requests+1 })
	if got := served(); got != already+requests+1 {
		t.Errorf("%g requests in the spectrum, %g were made", got, already+requests+1)
	}

	waitFor(t, "the slow request among the exemplars", func() bool {
		f := askPlugin(t, plugin, grafana, query.Query{Kind: query.KindExemplars, POM: "http.request"}).Frames[0]
		route, _ := f.FieldByName("route")
		for i := range f.Rows() {
			if f.At(2, i) == trace {
				if at, _ := route.At(i).(string); !strings.Contains(at, "/slow") || f.At(1, i).(float64) < 0.3 {
					t.Fatalf("the slow request took %v s on route %v", f.At(1, i), at)
				}
				return true
			}
		}
		return false
	})
	// The cell of the slow request: all that is known of it adds up to what is drawn.
	heatmap := askPlugin(t, plugin, grafana, query.Query{Kind: query.KindHeatmap, POM: "http.request"}).Frames[0]
	slow := 0
	for i := range heatmap.Rows() {
		if heatmap.At(3, i).(float64) > 0 && heatmap.At(2, i).(float64) > heatmap.At(2, slow).(float64) {
			slow = i
		}
	}
	opened, err := plugin.QueryData(t.Context(), &backend.QueryDataRequest{
		PluginContext: grafana, Queries: []backend.DataQuery{cellQuery(t, "http.request", heatmap, slow)},
	})
	if err != nil || opened.Responses["A"].Error != nil {
		t.Fatal(err, opened.Responses["A"].Error)
	}
	in := opened.Responses["A"].Frames
	for _, dimension := range []string{"service", "process", "node", "route", "depth"} {
		if f := frameNamed(in, dimension); f == nil || frameCount(f) != heatmap.At(3, slow).(float64) {
			t.Errorf("by %s the cell of %g requests is %v", dimension, heatmap.At(3, slow), f)
		}
	}
	if f := frameNamed(in, "exemplars"); f == nil || f.Rows() != 1 || f.At(2, 0) != trace {
		t.Errorf("the trace of the slow request is not in its cell: %v", f)
	}
	heap := make([]byte, 64<<20)
	runtime.GC()
	waitFor(t, "its heap", func() bool {
		live := 0.0
		for _, f := range askPlugin(t, plugin, grafana, query.Query{Kind: query.KindSeries, POM: "mem.heap_live", Statistics: []string{"max"}}).Frames {
			for i := range f.Rows() {
				live = max(live, f.At(1, i).(float64))
			}
		}
		return live >= float64(len(heap))
	})
	runtime.KeepAlive(heap)
	rows := askPlugin(t, plugin, grafana, query.Query{Kind: query.KindHeatmap, POM: "mem.heap_live"}).Frames
	if len(rows) != 1 || len(rows[0].Fields) != 2 || rows[0].Fields[1].Config.Unit != "bytes" {
		t.Errorf("the heap as heat is %v", rows)
	}
	waitFor(t, "what watching costs it", func() bool {
		f := askPlugin(t, plugin, grafana, query.Query{Kind: query.KindProcesses}).Frames[0]
		budget, _ := f.FieldByName("budget")
		state, _ := f.FieldByName("state")
		spent, there := budget.At(0).(*float64)
		return f.Rows() == 1 && state.At(0) == "firing" && there && spent != nil && *spent == 0.5
	})
}

// TestEachRequestOfThisProcessIsShownAsItHappens has the agent watch this very
// process while it serves requests, and streams them as single hits.
func TestEachRequestOfThisProcessIsShownAsItHappens(t *testing.T) {
	settings := configured(t, 5, "here", startAgent(t))
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}
	server := serveQuickAndSlow(t)
	get := func(path string) {
		answer, err := server.Client().Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
	}
	watched := query.Query{Kind: query.KindSeries, POM: "http.request", Statistics: []string{"count"}}
	waitFor(t, "the first request to be seen", func() bool {
		get("/quick/0")
		for _, f := range askPlugin(t, plugin, grafana, watched).Frames {
			if f.Rows() > 0 {
				return true
			}
		}
		return false
	})
	q := query.Query{Kind: query.KindEvents, POM: "http.request", GroupBy: []string{"service", "route", "process"}, Live: true}
	path := strings.TrimPrefix(askPlugin(t, plugin, grafana, q).Frames[0].Meta.Channel, "ds/gotherm/")
	received := make(chan *data.Frame, 1000)
	ctx, leave := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() {
		ended <- plugin.RunStream(ctx, &backend.RunStreamRequest{PluginContext: grafana, Path: path}, func(packet json.RawMessage) error {
			var f data.Frame
			if err := json.Unmarshal(packet, &f); err != nil {
				return err
			}
			received <- &f
			return nil
		})
	}()
	defer func() { leave(); <-ended }()

	var panel shower
	routes, delayed := map[string]float64{}, map[string]int{}
	next := func() {
		select {
		case f := <-received:
			panel.see(t, f)
			for i := range f.Rows() {
				route, took := f.At(6, i).(string), f.At(1, i).(float64)
				routes[route] += f.At(2, i).(float64)
				switch {
				case took >= 0.3:
					delayed[route]++
				case strings.Contains(route, "slow"):
					t.Errorf("a request to %s took %g s", route, took)
				}
				if f.At(3, i).(string) == "" || !strings.HasPrefix(f.At(7, i).(string), fmt.Sprint(os.Getpid(), "-")) {
					t.Errorf("a request is of goroutine %q of process %q", f.At(3, i), f.At(7, i))
				}
			}
		case err := <-ended:
			t.Fatalf("the stream has ended: %v", err)
		case <-time.After(20 * time.Second):
			t.Fatalf("waited in vain: %+v", panel)
		}
	}
	// The first frame is of the first batch; the second says that counting has begun.
	next()
	next()
	before := panel.hits
	const requests = 60
	for i := range requests {
		get(fmt.Sprintf("/quick/%d", i))
	}
	get("/slow")
	for panel.hits < before+requests+1 {
		next()
	}
	if got := panel.hits - before; got != requests+1 || !panel.addsUp() || panel.lost != 0 {
		t.Errorf("the panel has seen %+v: %d requests, %d were made", panel, got, requests+1)
	}
	if routes["GET /slow"] < 1 || routes["GET /quick/{id}"] < requests/2 || len(panel.byService) != 1 {
		t.Errorf("events stand for %v of %v", routes, panel.byService)
	}
	// A busy machine may hold up one that is quick, and not many.
	if n := delayed["GET /quick/{id}"]; n > requests/10 {
		t.Errorf("%d quick requests took as long as a slow one", n)
	}
}
