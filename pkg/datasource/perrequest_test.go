package datasource

import (
	"encoding/json"
	"math"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// visit sends customers to the shop for as long as the test runs, so many a second.
func (s openedShop) visit(t *testing.T, rate string) {
	t.Helper()
	load := exec.Command(built(t, "examples/shop/load"), "-url", s.url, "-rate", rate, "-mix", "products=1")
	if err := load.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = load.Process.Kill()
		_ = load.Wait()
	})
}

// settings are the settings of a data source of which the shop is a target, and an agent's process.
func (s openedShop) settings(t *testing.T, agentURL string) backend.DataSourceInstanceSettings {
	t.Helper()
	model := query.Settings{TimeoutSeconds: 10, Targets: []query.Target{{Name: "shop", URL: s.index}}}
	if agentURL != "" {
		model.Agents = []query.Agent{{Name: "here", URL: agentURL}}
	}
	spelt, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return backend.DataSourceInstanceSettings{UID: "gotherm", JSONData: spelt, Updated: time.Unix(1, 0)}
}

// TestTheTableHasWhatARequestTookWhereRequestsAreWatched has a real agent watch
// the real shop while customers come: what each function took is told for a
// request, of as many as the heat of requests has in the seconds of the profile.
func TestTheTableHasWhatARequestTookWhereRequestsAreWatched(t *testing.T) {
	shop := openShop(t, "1.0.0")
	agentURL := startAgentWith(t, []string{"--profiles", "auto"}, shop.Pid)
	d := openWith(t, shop.settings(t, agentURL))
	top := func(p query.Profile, over backend.TimeRange) *data.Frame {
		t.Helper()
		answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindTop, Profile: &p}, over))
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		return answer.Frames[0]
	}
	lately := func() backend.TimeRange {
		now := time.Now()
		return backend.TimeRange{From: now.Add(-time.Minute), To: now}
	}
	about := func(f *data.Frame) frames.ProfileCustom { return f.Meta.Custom.(frames.ProfileCustom) }
	perRequest := func(f *data.Frame) *data.Field { field, _ := f.FieldByName("flatPerRequest"); return field }

	// Until the agent has found the shop's profiles, nobody knows that the target is its process.
	waitFor(t, "the agent to know where the shop serves profiles", func() bool {
		return len(about(top(query.Profile{Target: "shop", Type: "goroutine"}, lately())).Processes) == 1
	})
	// Nobody has come yet but who asks for profiles; and of goroutines there is no rate.
	if f := top(query.Profile{Target: "shop", Seconds: 1}, lately()); perRequest(f) != nil || about(f).Requests != nil || len(f.Meta.Notices) > 0 {
		t.Errorf("in an empty shop there are %+v per request, %v", about(f).Requests, f.Meta.Notices)
	}

	shop.visit(t, "200")
	watched := query.Query{Kind: query.KindHeatmap, POM: requests, GroupBy: []string{"route"}}
	waitFor(t, "the first customers to be seen", func() bool {
		for _, f := range ask(t, d, dataQuery(t, watched, lately())).Frames {
			if route, _ := f.FieldByName("count"); route != nil && strings.Contains(route.Labels["route"], "products") && route.Len() > 1 {
				return true
			}
		}
		return false
	})
	process := about(top(query.Profile{Target: "shop", Type: "goroutine"}, lately())).Processes[0]
	from := time.Now()
	first := top(query.Profile{Process: process, Seconds: 4}, backend.TimeRange{From: from, To: from.Add(time.Second)})
	if about(first).Requests != nil && about(first).Requests.Seconds == 4 {
		t.Errorf("of seconds that are still being counted it says %+v", about(first).Requests)
	}
	// The agent keeps the profile; its seconds are settled by and by.
	then := backend.TimeRange{From: time.UnixMilli(about(first).From), To: time.UnixMilli(about(first).To)}
	var f *data.Frame
	waitFor(t, "all seconds of the profile to be counted", func() bool {
		f = top(query.Profile{Process: process}, then)
		said := about(f).Requests
		return said != nil && said.Seconds == said.Of
	})
	said := about(f).Requests
	// The heat of the same seconds has as many, but for who asked for the profile.
	var want float64
	for _, h := range ask(t, d, dataQuery(t, watched, backend.TimeRange{From: then.From.Round(time.Second), To: then.To.Round(time.Second)})).Frames {
		if count, _ := h.FieldByName("count"); !strings.Contains(count.Labels["route"], "pprof") {
			want += frameCount(h)
		}
	}
	if float64(said.Count) != want || said.Of < 3 || said.Of > 5 || said.Count < 200*3/2 || said.Count > 200*6 {
		t.Errorf("the table is of %+v, the heat has %g requests", said, want)
	}
	if notices := f.Meta.Notices; len(notices) != 1 || !strings.Contains(notices[0].Text, "requests that were answered in the") {
		t.Errorf("it says %v", notices)
	}
	for i, name := range []string{"flat", "cum"} {
		each, _ := f.FieldByName(name + "PerRequest")
		whole, _ := f.FieldByName(name)
		if each.Config.Unit != "ns" || each.Config.DisplayNameFromDS != name+" / request" {
			t.Errorf("column %d is %+v", i, each.Config)
		}
		for row := range f.Rows() {
			if got, want := each.At(row).(float64), float64(whole.At(row).(int64))/float64(said.Count); math.Abs(got-want) > 1e-6*math.Abs(want) {
				t.Fatalf("%s of a request is %g, want %g", name, got, want)
			}
		}
	}
	if f := top(query.Profile{Process: process, Type: "heap"}, lately()); perRequest(f) != nil {
		t.Errorf("what is in use is told for a request")
	}
}
