package datasource

import (
	"encoding/json"
	"fmt"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

var pausesByNode = query.Query{Kind: query.KindHeatmap, POM: "gc.stw", GroupBy: []string{"node"}}

func TestHeatOfTwoAgentsIsAddedUp(t *testing.T) {
	now := time.Now()
	east, west := newShopAgent(now, "east"), newShopAgent(now, "west")
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	answer := ask(t, d, dataQuery(t, pausesByNode, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if len(answer.Frames) != 2 {
		t.Fatalf("%d frames, want one for each of the nodes 0 and 1", len(answer.Frames))
	}
	for node, f := range answer.Frames {
		if got := f.Fields[3].Labels["node"]; got != fmt.Sprint(node) {
			t.Errorf("frame %d is of node %q", node, got)
		}
		if got, want := frameCount(f), float64(east.hits[node]+west.hits[node]); got != want {
			t.Errorf("node %d: %g hits in the frame, %g were hit", node, got, want)
		}
		if f.Meta.Type != frames.TypeHeatmapCells || len(f.Meta.Notices) != 0 || f.Meta.Channel != "" {
			t.Errorf("node %d: meta is %+v", node, f.Meta)
		}
	}
}

func TestAQuantileIsOfTheMergedHistogram(t *testing.T) {
	now := time.Now()
	quick, slow := newShopAgent(now, "quick"), newShopAgent(now, "slow")
	// One host has ten times the other's pauses, all of them long.
	var all heat.Histogram
	at := now.Add(-30 * time.Second).Truncate(10 * time.Second)
	quick.head, slow.head = heat.NewHead(at, heat.Limits{Series: 10}), heat.NewHead(at, heat.Limits{Series: 10})
	for i := range 110 {
		agent, pause := slow, 80*time.Millisecond
		if i%11 == 0 {
			agent, pause = quick, 100*time.Microsecond
		}
		agent.stop(at, 0, pause)
		all.Observe(uint64(pause))
	}
	d := open(t, "quick", quick.serve(t), "slow", slow.serve(t))
	q := dataQuery(t, query.Query{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"p50", "max", "count"}}, lastTwoMinutes(now))
	q.Interval = 10 * time.Second
	answer := ask(t, d, q)
	if answer.Error != nil || len(answer.Frames) != 3 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	want := map[string]float64{"p50": all.Quantile(0.5) / 1e9, "max": 0.08, "count": 110}
	for _, f := range answer.Frames {
		if f.Meta.Type != data.FrameTypeTimeSeriesMulti || f.Meta.TypeVersion == (data.FrameTypeVersion{}) {
			t.Errorf("alert rules want a typed frame, this is %+v", f.Meta)
		}
		name := f.Fields[1].Labels["statistic"]
		var greatest float64
		for i := range f.Rows() {
			greatest = math.Max(greatest, f.At(1, i).(float64))
		}
		if greatest != want[name] {
			t.Errorf("%s is %g, want %g", name, greatest, want[name])
		}
	}
}

func TestARateIsZeroWhereNothingWasHitAndAbsentWhereNobodyWatched(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	over := backend.TimeRange{From: now.Add(-2 * watchedFor), To: now}
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"rate", "p99"}}, over))
	if answer.Error != nil || len(answer.Frames) != 2 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	rate, p99 := answer.Frames[0], answer.Frames[1]
	zeros := 0
	for i := range rate.Rows() {
		if at := rate.At(0, i).(time.Time); at.Before(shop.since) || at.Add(time.Second).After(time.Now().Add(-settled)) {
			t.Errorf("a point at %s, where nothing is known yet", at)
		}
		if rate.At(1, i).(float64) == 0 {
			zeros++
		}
	}
	// The world did not stop in each tenth second.
	if least := int(watchedFor/time.Second)/10 - 1; zeros < least {
		t.Errorf("%d zeros, want at least %d", zeros, least)
	}
	if p99.Rows() != rate.Rows()-zeros {
		t.Errorf("p99 has %d points, want one for each of the %d seconds with a hit", p99.Rows(), rate.Rows()-zeros)
	}
}

// deadURL is a port that nobody listens on.
func deadURL(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return "http://" + l.Addr().String()
}

// answering is a server that is no agent.
func answering(t *testing.T, with http.HandlerFunc) string {
	server := httptest.NewServer(with)
	t.Cleanup(server.Close)
	return server.URL
}

// garbageServers answer, but not as an agent does.
func garbageServers(t *testing.T) map[string]string {
	say := func(contentType, body string) string {
		return answering(t, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", contentType)
			fmt.Fprint(w, body)
		})
	}
	return map[string]string{
		"a web page":       say("text/html", "<html>"),
		"noise":            say("application/proto", "\xff\xff\xff\xff\xff"),
		"an empty message": say("application/proto", ""),
		"not found":        answering(t, http.NotFound),
	}
}

func TestADeadAgentIsANoticeAndTheOthersAreShown(t *testing.T) {
	now := time.Now()
	alive := newShopAgent(now, "alive")
	alive.serveRequest(now.Add(-10*time.Second), "GET /", 3, time.Millisecond, "")
	alive.gauge("42-1", now.Add(-10*time.Second), 1<<20)
	dead := deadURL(t)
	d := open(t, "alive", alive.serve(t), "dead", dead)
	for _, kind := range []query.Query{
		pausesByNode,
		{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"p99"}},
		{Kind: query.KindGrid, POM: "gc.stw"},
		{Kind: query.KindReleases},
		{Kind: query.KindSpectrum, POM: "http.request", Y: "depth"},
		{Kind: query.KindHeatmap, POM: "mem.heap.live"},
		{Kind: query.KindSeries, POM: "mem.heap.live", Statistics: []string{"last"}},
		{Kind: query.KindExemplars, POM: "http.request"},
		{Kind: query.KindProcesses},
		{Kind: query.KindCell, POM: "gc.stw"},
	} {
		answer := ask(t, d, dataQuery(t, kind, lastTwoMinutes(now)))
		if answer.Error != nil {
			t.Errorf("%s: %v", kind.Kind, answer.Error)
			continue
		}
		var warnings []string
		for _, n := range answer.Frames[0].Meta.Notices {
			if n.Severity == data.NoticeSeverityWarning {
				warnings = append(warnings, n.Text)
			}
		}
		if len(warnings) != 1 || !strings.Contains(warnings[0], "agent dead ("+dead+"): does not answer") {
			t.Errorf("%s: warnings are %q", kind.Kind, warnings)
		}
		if answer.Frames[0].Rows() == 0 {
			t.Errorf("%s: the living agent is not shown", kind.Kind)
		}
	}
}

func TestWhenAllAgentsAreDeadItIsAnError(t *testing.T) {
	d := open(t, "one", deadURL(t), "two", deadURL(t))
	answer := ask(t, d, dataQuery(t, pausesByNode, lastTwoMinutes(time.Now())))
	if answer.Error == nil || !strings.Contains(answer.Error.Error(), "agent one") || !strings.Contains(answer.Error.Error(), "agent two") {
		t.Errorf("error is %v", answer.Error)
	}
	if answer.ErrorSource != backend.ErrorSourceDownstream || len(answer.Frames) != 0 {
		t.Errorf("source is %q, with %d frames", answer.ErrorSource, len(answer.Frames))
	}
}

func TestASlowAgentHoldsNobodyUpForLongerThanItsTimeout(t *testing.T) {
	now := time.Now()
	release := make(chan struct{})
	defer close(release)
	slow := answering(t, func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-release:
		case <-r.Context().Done():
		}
	})
	d := open(t, "alive", newShopAgent(now, "alive").serve(t), "slow", slow)
	answer := ask(t, d, dataQuery(t, pausesByNode, lastTwoMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 2 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	if notices := answer.Frames[0].Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "agent slow") || !strings.Contains(notices[0].Text, "within 2s") {
		t.Errorf("notices are %+v", notices)
	}
}

func TestGarbageIsAnErrorWithTheAgentsNameBesideTheOthersFrames(t *testing.T) {
	now := time.Now()
	alive := newShopAgent(now, "alive").serve(t)
	for what, url := range garbageServers(t) {
		d := open(t, "alive", alive, "mad", url)
		answer := ask(t, d, dataQuery(t, pausesByNode, lastTwoMinutes(now)))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), "agent mad ("+url+"): answers garbage") {
			t.Errorf("%s: error is %v", what, answer.Error)
		}
		if len(answer.Frames) != 2 || frameCount(answer.Frames[0]) == 0 {
			t.Errorf("%s: the living agent is not shown", what)
		}
	}
}

func TestARefusalIsSaidInTheAgentsWords(t *testing.T) {
	now := time.Now()
	guarded := newShopAgent(now, "guarded")
	guarded.token = "a-long-enough-secret"
	url := guarded.serve(t)
	q := dataQuery(t, pausesByNode, lastTwoMinutes(now))
	answer := ask(t, open(t, "guarded", url), q)
	if answer.Error == nil || !strings.Contains(answer.Error.Error(), "refuses: token is missing or wrong") {
		t.Errorf("without its token: %v", answer.Error)
	}
	with := configured(t, 2, "guarded", url)
	with.DecryptedSecureJSONData = map[string]string{"token.guarded": guarded.token}
	if answer := ask(t, openWith(t, with), q); answer.Error != nil {
		t.Errorf("with its token: %v", answer.Error)
	}
}

func TestAnEndlessAnswerIsCutOff(t *testing.T) {
	endless := answering(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/proto")
		for chunk := make([]byte, 1<<20); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	})
	answer := ask(t, openWith(t, configured(t, 60, "endless", endless)), dataQuery(t, pausesByNode, lastTwoMinutes(time.Now())))
	if answer.Error == nil || !strings.Contains(answer.Error.Error(), "agent endless ("+endless+"): answers more than 64 MiB") {
		t.Errorf("error is %v", answer.Error)
	}
}

func TestATokenIsNotTakenElsewhere(t *testing.T) {
	var seen []string
	thief := answering(t, func(_ http.ResponseWriter, r *http.Request) { seen = append(seen, r.Header.Get("Authorization")) })
	redirecting := answering(t, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, thief+r.URL.Path, http.StatusTemporaryRedirect)
	})
	settings := configured(t, 2, "redirecting", redirecting)
	settings.DecryptedSecureJSONData = map[string]string{"token.redirecting": "a-long-enough-secret"}
	if answer := ask(t, openWith(t, settings), dataQuery(t, pausesByNode, lastTwoMinutes(time.Now()))); answer.Error == nil {
		t.Error("a redirection was taken for an answer")
	}
	if len(seen) != 0 {
		t.Errorf("the redirection was followed, with %q", seen)
	}
}

func TestBadQueriesAreToldWhatIsWrong(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	many := make([]string, 101)
	for _, c := range []struct {
		what string
		q    query.Query
		over backend.TimeRange
		says string
	}{
		{"ten years", pausesByNode, backend.TimeRange{From: now.AddDate(-10, 0, 0), To: now}, "d long, at most 7d: agents keep no more"},
		{"a range backwards", pausesByNode, backend.TimeRange{From: now, To: now.Add(-time.Hour)}, "not after its start"},
		{"no kind", query.Query{POM: "gc.stw"}, lastTwoMinutes(now), `kind is "", must be one of [heatmap series spectrum`},
		{"no pom", query.Query{Kind: query.KindHeatmap}, lastTwoMinutes(now), "pom is empty"},
		{"an unknown pom", query.Query{Kind: query.KindHeatmap, POM: "nonsense"}, lastTwoMinutes(now), `agent shop`},
		{"a group that is none", query.Query{Kind: query.KindHeatmap, POM: "gc.stw", GroupBy: []string{"colour"}}, lastTwoMinutes(now), `groupBy has "colour", must be of service`},
		{"a group twice", query.Query{Kind: query.KindHeatmap, POM: "gc.stw", GroupBy: []string{"node", "node"}}, lastTwoMinutes(now), `groupBy has "node" twice`},
		{"a matcher that is none", query.Query{Kind: query.KindHeatmap, POM: "gc.stw", Matchers: []query.Matcher{{Dimension: "colour"}}}, lastTwoMinutes(now), `matchers[0].dimension is "colour"`},
		{"many values", query.Query{Kind: query.KindHeatmap, POM: "gc.stw", Matchers: []query.Matcher{{Dimension: "node", Values: many}}}, lastTwoMinutes(now), "matchers[0].values (node): 101 found, at most 100"},
		{"releases by node", query.Query{Kind: query.KindReleases, Matchers: []query.Matcher{{Dimension: "node"}}}, lastTwoMinutes(now), "must be one of service, version"},
		{"processes by node", query.Query{Kind: query.KindProcesses, Matchers: []query.Matcher{{Dimension: "node"}}}, lastTwoMinutes(now), "must be one of process, service, version"},
		{"a spectrum of nothing", query.Query{Kind: query.KindSpectrum, POM: "http.request"}, lastTwoMinutes(now), `y is "", must be a dimension whose values are numbers: node, cpu, depth`},
		{"a spectrum by text", query.Query{Kind: query.KindSpectrum, POM: "http.request", Y: "route"}, lastTwoMinutes(now), `y is "route"`},
		{"a spectrum grouped by itself", query.Query{Kind: query.KindSpectrum, POM: "http.request", Y: "depth", GroupBy: []string{"depth"}}, lastTwoMinutes(now), `groupBy has "depth", which is y already`},
		{"a p99 of a gauge", query.Query{Kind: query.KindSeries, POM: "mem.heap.live", Statistics: []string{"last", "p99"}}, lastTwoMinutes(now), `statistics[1]: statistic is "p99", but mem.heap.live is a gauge: must be mean, max, min or last`},
		{"the last hit", query.Query{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"last"}}, lastTwoMinutes(now), `statistic is "last", but gc.stw is no gauge`},
		{"a gauge in groups", query.Query{Kind: query.KindHeatmap, POM: "mem.heap.live", GroupBy: []string{"service"}}, lastTwoMinutes(now), `groupBy has "service", but mem.heap.live is a gauge`},
		{"exemplars that there are not", query.Query{Kind: query.KindExemplars, POM: "gc.stw"}, lastTwoMinutes(now), "gc.stw, which has no exemplars"},
		{"a side of 300", query.Query{Kind: query.KindGrid, POM: "gc.stw", Side: 300}, lastTwoMinutes(now), "side is 300"},
		{"no statistics", query.Query{Kind: query.KindSeries, POM: "gc.stw"}, lastTwoMinutes(now), "statistics is empty"},
		{"a statistic that is none", query.Query{Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"count", "p101"}}, lastTwoMinutes(now), `statistics[1]: statistic is "p101"`},
	} {
		answer := ask(t, d, dataQuery(t, c.q, c.over))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), c.says) {
			t.Errorf("%s: error is %v, want it to say %q", c.what, answer.Error, c.says)
		}
		if answer.ErrorSource != backend.ErrorSourceDownstream {
			t.Errorf("%s: source is %q, as if the plugin had a defect", c.what, answer.ErrorSource)
		}
	}
	malformed := dataQuery(t, pausesByNode, lastTwoMinutes(now))
	for _, text := range []string{`{"kind":`, `{"kind": 7}`, `[]`, ``, `{"kind":"heatmap","pom":"gc.stw","groupBy":"node"}`} {
		malformed.JSON = []byte(text)
		if answer := ask(t, d, malformed); answer.Error == nil || !strings.Contains(answer.Error.Error(), "read query") {
			t.Errorf("%s: error is %v", text, answer.Error)
		}
	}
}

func TestTooManySeriesAreRefusedWithTheLimit(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	for i := range maxSeries + 1 {
		shop.head.Matrix(heat.Key{POM: "gc.stw", Reason: fmt.Sprintf("reason %d", i)}).Add(now, 9, 1, 1, 1)
	}
	d := open(t, "shop", shop.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindHeatmap, POM: "gc.stw", GroupBy: []string{"reason"}}, lastTwoMinutes(now)))
	if answer.Error == nil || !strings.Contains(answer.Error.Error(), "series: 202 found, at most 200") {
		t.Errorf("error is %v", answer.Error)
	}
}

func TestOneBadQueryLeavesTheOthersAlone(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	good, bad := dataQuery(t, pausesByNode, lastTwoMinutes(now)), dataQuery(t, query.Query{}, lastTwoMinutes(now))
	good.RefID, bad.RefID = "good", "bad"
	answers, err := d.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: shopContext, Queries: []backend.DataQuery{bad, good}})
	if err != nil {
		t.Fatal(err)
	}
	if answers.Responses["good"].Error != nil || answers.Responses["bad"].Error == nil {
		t.Errorf("answers are %+v", answers.Responses)
	}
}

func TestAnEmptyHeatmapStillHasItsFields(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	q := pausesByNode
	q.Live = true
	q.Matchers = []query.Matcher{{Dimension: "service", Values: []string{"nobody"}}}
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 1 || len(answer.Frames[0].Fields) != 5 || answer.Frames[0].Rows() != 0 {
		t.Fatalf("frames are %v, error %v", answer.Frames, answer.Error)
	}
	if _, err := live.ParseChannel(answer.Frames[0].Meta.Channel); err != nil {
		t.Errorf("channel %q: %v", answer.Frames[0].Meta.Channel, err)
	}
}

func TestALiveQueryThatEndsInThePastHasNoChannel(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	q := pausesByNode
	q.Live = true
	answer := ask(t, d, dataQuery(t, q, backend.TimeRange{From: now.Add(-watchedFor), To: now.Add(-time.Minute)}))
	if answer.Error != nil || answer.Frames[0].Meta.Channel != "" {
		t.Errorf("channel is %q, error %v", answer.Frames[0].Meta.Channel, answer.Error)
	}
}

func TestReleasesThatRanInTheRangeBecomeAnnotations(t *testing.T) {
	now := time.Now()
	shop, twin := newShopAgent(now, "shop"), newShopAgent(now, "twin")
	d := open(t, "shop", shop.serve(t), "twin", twin.serve(t))
	q := query.Query{Kind: query.KindReleases, Matchers: []query.Matcher{{Dimension: "service", Values: []string{"shop"}}}}
	answer := ask(t, d, dataQuery(t, q, backend.TimeRange{From: now.Add(-90 * time.Second), To: now}))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := answer.Frames[0]
	title, _ := f.FieldByName("title")
	if f.Rows() != 2 || title.At(0) != "shop v1" || title.At(1) != "shop v2" || f.Meta.DataTopic != data.DataTopicAnnotations {
		t.Errorf("%d releases, meta %+v: want v1, which ran on, and v2, each once", f.Rows(), f.Meta)
	}
	about, _ := f.FieldByName("data")
	if said := string(about.At(1).(json.RawMessage)); !strings.Contains(said, `"agents":["shop","twin"]`) {
		t.Errorf("%s does not say which agents saw it", said)
	}
	answer = ask(t, d, dataQuery(t, q, backend.TimeRange{From: now.Add(time.Second), To: now.Add(time.Minute)}))
	title, _ = answer.Frames[0].FieldByName("title")
	if answer.Frames[0].Rows() != 1 || title.At(0) != "shop v2" {
		t.Errorf("%d releases, want v2 alone: the last process of v1 has ended", answer.Frames[0].Rows())
	}
}

func TestTheGridSaysWhatItIsMadeOf(t *testing.T) {
	now := time.Now()
	d := open(t, "shop", newShopAgent(now, "shop").serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindGrid, POM: "gc.stw", Side: 512}, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	f := answer.Frames[0]
	made := f.Meta.Custom.(frames.GridCustom)
	if made.Side != 512 || frameCount(f) != float64(made.Carried) || f.Rows() != 5 {
		t.Errorf("%d cells with %g hits, custom %+v", f.Rows(), frameCount(f), made)
	}
	if notices := f.Meta.Notices; len(notices) != 1 || notices[0].Severity != data.NoticeSeverityInfo {
		t.Errorf("notices are %+v", notices)
	}
}

func TestAttachIsAskedOfEveryAgentAndARefusalIsANotice(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	q := pausesByNode
	q.Attach = true
	q.Matchers = []query.Matcher{{Dimension: "service", Values: []string{"shop"}}, {Dimension: "node", Values: []string{"0"}}}
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if len(shop.attached) != 1 || shop.attached[0].Pom != "gc.stw" || shop.attached[0].Duration.AsDuration() != time.Minute {
		t.Fatalf("asked to attach: %v", shop.attached)
	}
	if m := shop.attached[0].Matchers; len(m) != 1 || m[0].Dimension != "service" {
		t.Errorf("matchers are %v, want those that choose processes", m)
	}
	if notices := answer.Frames[0].Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "process 44-1: over budget") {
		t.Errorf("notices are %+v", notices)
	}
}
