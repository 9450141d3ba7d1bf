package datasource

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// profiled is a program that serves net/http/pprof over TLS with a certificate
// of its own, to who knows a password.
type profiled struct {
	*httptest.Server
	// asked counts the profiles that were collected.
	asked atomic.Int64
}

func startProfiled(t *testing.T) *profiled {
	p := &profiled{}
	mux := http.NewServeMux()
	serve := func(path string, handler http.HandlerFunc) {
		mux.HandleFunc("/debug/pprof/"+path, func(w http.ResponseWriter, r *http.Request) {
			if r.UserAgent() != "gotherm" {
				http.Error(w, "who looks at me, my users?", http.StatusTeapot)
				return
			}
			if r.Header.Get("X-Password") != "open sesame" {
				http.Error(w, "who are you?", http.StatusForbidden)
				return
			}
			if r.URL.Path != "/debug/pprof/" {
				p.asked.Add(1)
			}
			handler(w, r)
		})
	}
	serve("", httppprof.Index)
	serve("profile", httppprof.Profile)
	serve("away", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://elsewhere.example/", http.StatusFound)
	})
	serve("broken", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "out of luck", http.StatusInternalServerError)
	})
	serve("slow", func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	p.Server = httptest.NewUnstartedServer(mux)
	p.Config.ErrorLog = log.New(io.Discard, "", 0)
	p.StartTLS()
	t.Cleanup(p.Close)
	return p
}

// settings are of a data source with this target, and one whose certificate nobody knows.
func (p *profiled) settings(t testing.TB) backend.DataSourceInstanceSettings {
	ca := string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.Certificate().Raw}))
	model := query.Settings{TimeoutSeconds: 4, Targets: []query.Target{
		{Name: "stranger", URL: p.URL + "/debug/pprof/"},
		{Name: "thief", URL: p.URL + "/debug/pprof", CA: ca},
		{Name: "shop", URL: p.URL + "/debug/pprof/", CA: ca, Headers: []string{"X-Password"}},
	}}
	spelt, err := json.Marshal(model)
	if err != nil {
		t.Fatal(err)
	}
	return backend.DataSourceInstanceSettings{
		UID: "gotherm", JSONData: spelt, Updated: time.Unix(1, 0),
		DecryptedSecureJSONData: map[string]string{"header.shop.X-Password": "open sesame"},
	}
}

// TestADashboardOfProfiles tells the story of one dashboard, spoken to the real
// process over the plugin protocol: a flame graph and a table of one CPU
// profile, a heap, and all that can go wrong.
func TestADashboardOfProfiles(t *testing.T) {
	shop := startProfiled(t)
	settings := shop.settings(t)
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}

	listed, err := plugin.CallResource(t.Context(), &backend.CallResourceRequest{
		PluginContext: grafana, Method: http.MethodGet, Path: "profiles", URL: "profiles?target=shop",
	})
	if err != nil || listed.Status != http.StatusOK || !strings.Contains(string(listed.Body), `{"type":"cpu","count":0,"timed":true}`) || !strings.Contains(string(listed.Body), `"heap"`) {
		t.Errorf("the shop serves %s, %v", listed.Body, err)
	}
	targets, err := plugin.CallResource(t.Context(), &backend.CallResourceRequest{
		PluginContext: grafana, Method: http.MethodGet, Path: "targets", URL: "targets",
	})
	if err != nil || !strings.Contains(string(targets.Body), `["shop","stranger","thief"]`) {
		t.Errorf("targets are %s, %v; want the one that answers first", targets.Body, err)
	}
	health, err := plugin.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: grafana})
	if err != nil || !strings.Contains(health.Message, "1 of 3 targets answer") || !strings.Contains(health.Message, "target thief") {
		t.Errorf("health is %+v, %v", health, err)
	}

	asked := func(kind query.Kind, p query.Profile) query.Query { return query.Query{Kind: kind, Profile: &p} }
	queries := map[string]query.Query{
		"flame":    asked(query.KindFlame, query.Profile{Target: "shop", Seconds: 1}),
		"top":      asked(query.KindTop, query.Profile{Target: "shop", Seconds: 1}),
		"download": asked(query.KindProfile, query.Profile{Target: "shop", Seconds: 1}),
		"heap":     asked(query.KindFlame, query.Profile{Target: "shop", Type: "heap", SampleType: "alloc_space"}),
		"growth":   asked(query.KindTop, query.Profile{Target: "shop", Type: "heap", Seconds: 1, Base: &query.Profile{Function: "main|runtime"}}),
		"away":     asked(query.KindTop, query.Profile{Target: "shop", Type: "away"}),
		"broken":   asked(query.KindTop, query.Profile{Target: "shop", Type: "broken"}),
		"slow":     asked(query.KindTop, query.Profile{Target: "shop", Type: "slow"}),
		"stranger": asked(query.KindTop, query.Profile{Target: "stranger"}),
		"thief":    asked(query.KindTop, query.Profile{Target: "thief", Type: "heap"}),
		"unknown":  asked(query.KindTop, query.Profile{Target: "http://127.0.0.1:1/debug/pprof/"}),
		"unmeant":  asked(query.KindTop, query.Profile{Target: "shop", Type: "heap", SampleType: "cpu"}),
		"heat":     {Kind: query.KindHeatmap, POM: "gc.stw"},
	}
	now := time.Now()
	request := &backend.QueryDataRequest{PluginContext: grafana}
	for refID, q := range queries {
		one := dataQuery(t, q, lastTwoMinutes(now.Add(5*time.Second)))
		one.RefID = refID
		request.Queries = append(request.Queries, one)
	}
	burning, cool := make(chan struct{}), sync.WaitGroup{}
	cool.Go(func() { burn(burning) })
	answers, err := plugin.QueryData(t.Context(), request)
	close(burning)
	cool.Wait()
	if err != nil {
		t.Fatal(err)
	}
	for refID, says := range map[string]string{
		"away":     "target shop (" + shop.URL + "/debug/pprof): redirects to https://elsewhere.example, which is refused",
		"broken":   "HTTP 500: out of luck",
		"slow":     "did not answer in time",
		"stranger": "certificate",
		"thief":    "HTTP 403: are its headers set? who are you?",
		"unknown":  "which the data source does not have",
		"unmeant":  "profile.sampleType",
		"heat":     "agents: none is configured",
	} {
		if got := answers.Responses[refID]; got.Error == nil || !strings.Contains(got.Error.Error(), says) {
			t.Errorf("%s: the error is %v, want it to say %q", refID, got.Error, says)
		}
		if got := answers.Responses[refID]; got.Error != nil && strings.Contains(got.Error.Error(), "sesame") {
			t.Errorf("%s: the error tells a secret: %v", refID, got.Error)
		}
	}

	for _, refID := range []string{"flame", "top", "download", "heap", "growth"} {
		if got := answers.Responses[refID]; got.Error != nil || len(got.Frames) != 1 || len(got.Frames[0].Meta.Notices) > 0 {
			t.Fatalf("%s is %+v, %v", refID, got.Frames, got.Error)
		}
	}
	flame, top := answers.Responses["flame"].Frames[0], answers.Responses["top"].Frames[0]
	download := answers.Responses["download"].Frames[0]
	raw, err := base64.StdEncoding.DecodeString(download.Fields[2].At(0).(string))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(bytes.NewReader(raw), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := profile.TypeOf(p, "")
	if err != nil {
		t.Fatal(err)
	}
	// The three are of one profile, so they agree to the nanosecond.
	want := profile.TopOf(p, cpu)
	if value, _ := flame.FieldByName("value"); value.At(0).(int64) != want.Total || want.Total == 0 || value.Config.Unit != "ns" {
		t.Errorf("the flame graph has %v of %d ns of CPU", value.At(0), want.Total)
	}
	if level, _ := flame.FieldByName("level"); level.At(0).(int64) != 0 || flame.Meta.PreferredVisualization != data.VisTypeFlameGraph {
		t.Errorf("the flame graph is no flame graph: %+v", flame.Meta)
	}
	for i, f := range want.Functions {
		if got := (profile.Function{Name: top.Fields[0].At(i).(string), Flat: top.Fields[1].At(i).(int64), Cum: top.Fields[3].At(i).(int64)}); got != f {
			t.Errorf("the table has %+v, the profile %+v", got, f)
		}
	}
	// cpu; heap; heap of a second, for both sides; away, broken, slow.
	if n := shop.asked.Load(); n != 6 {
		t.Errorf("%d profiles were collected for %d queries", n, len(request.Queries))
	}
	heap, _ := answers.Responses["heap"].Frames[0].FieldByName("value")
	if heap.Config.Unit != "bytes" || heap.At(0).(int64) == 0 {
		t.Errorf("the heap is %v %s", heap.At(0), heap.Config.Unit)
	}

	late := dataQuery(t, queries["heap"], lastTwoMinutes(now.Add(-time.Hour)))
	past, err := plugin.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: grafana, Queries: []backend.DataQuery{late}})
	if err != nil {
		t.Fatal(err)
	}
	if got := past.Responses["A"]; got.Error != nil || len(got.Frames[0].Meta.Notices) != 1 || !strings.Contains(got.Frames[0].Meta.Notices[0].Text, "what is now") {
		t.Errorf("of an hour ago it says %+v", got)
	}
}

// burn uses a CPU until it is told to stop.
func burn(stop chan struct{}) (sum uint64) {
	for {
		select {
		case <-stop:
			return sum
		default:
			for i := range uint64(1 << 16) {
				sum += i * i
			}
		}
	}
}

func TestAProfileQueryThatCannotBeRightIsToldByField(t *testing.T) {
	shop := startProfiled(t)
	d := openWith(t, shop.settings(t))
	for asked, says := range map[string]string{
		`{}`:              "profile is missing",
		`{"profile": {}}`: "profile.target is empty",
		`{"profile": {"target": "shop", "seconds": 61}}`:                                   "profile.seconds is 61, must be between 1 and 60",
		`{"profile": {"target": "shop", "seconds": -1}}`:                                   "profile.seconds is -1",
		`{"profile": {"target": "shop", "function": "("}}`:                                 "profile.function is no regular expression",
		`{"profile": {"target": "shop", "function": "` + strings.Repeat("a", 2000) + `"}}`: "profile.function has 2000 bytes, at most 1000",
		`{"profile": {"target": "shop", "label": "route"}}`:                                "profile.label is \"route\", must be key=value",
		`{"profile": {"target": "shop", "from": 5}}`:                                       "profile.from and to",
		`{"profile": {"process": "42-1"}}`:                                                 "agents: none is configured",
		`{"profile": {"target": "shop", "base": {}}}`:                                      "profile.base is what it is compared with",
		`{"profile": {"target": "shop", "base": {"target": "gone"}}}`:                      "profile.base.target is \"gone\"",
		`{"profile": {"target": "shop", "base": {"type": "heap"}}}`:                        "profile.base.type is heap",
		`{"profile": {"target": "shop", "base": {"base": {}}}}`:                            "profile.base.base",
		`{"profile": {"target": "shop", "type": "../heap"}}`:                               "which is no name of one",
	} {
		q := backend.DataQuery{RefID: "A", TimeRange: lastTwoMinutes(time.Now()), JSON: []byte(`{"kind": "flame", ` + strings.TrimPrefix(asked, "{"))}
		if asked == `{}` {
			q.JSON = []byte(`{"kind": "flame"}`)
		}
		if got := ask(t, d, q); got.Error == nil || !strings.Contains(got.Error.Error(), says) {
			t.Errorf("%.100s: the error is %v, want it to say %q", asked, got.Error, says)
		}
	}
	if n := shop.asked.Load(); n != 0 {
		t.Errorf("%d profiles were collected for queries that were wrong", n)
	}
}

func TestTargetsThatCannotBeRightAreToldByName(t *testing.T) {
	for settings, says := range map[string]string{
		`{"url": "http://localhost:1"}`:                                                            "targets[0].name is empty",
		`{"name": "a", "url": "http://10.0.0.7:6060/debug/pprof/"}`:                                "targets[0].url (a): \"http://10.0.0.7:6060/debug/pprof/\" is plain http",
		`{"name": "a", "url": "https://me:pw@host/debug/pprof/"}`:                                  "has a user in it",
		`{"name": "a", "url": "https://host", "ca": "no"}`:                                         "targets[0].ca (a): no certificate",
		`{"name": "a", "url": "https://host", "headers": ["A b"]}`:                                 `"A b" is no name of a header`,
		`{"name": "a", "url": "https://host", "headers": ["X-Empty"]}`:                             `"X-Empty" has no value`,
		`{"name": "a", "url": "https://host", "headers": ["Host"]}`:                                `"Host" is made of the URL`,
		`{"name": "a", "url": "https://host", "headers": ["X-Torn"]}`:                              `"X-Torn" has a value with characters`,
		`{"name": "a", "url": "https://host", "headers": ["X-Good", "x-good"]}`:                    `"x-good" is there twice`,
		`{"name": "a", "url": "http://10.0.0.7", "headers": ["X-Good"]}`:                           "would send the token over plain http",
		`{"name": "a", "url": "https://host"}, {"name": "a", "url": "https://host"}`:               `targets[1].name is "a"`,
		strings.TrimSuffix(strings.Repeat(`{"name": "a", "url": "https://host"},`, 101), ","):      "targets: 101 found, at most 100",
		`{"name": "a", "url": "https://host", "headers": [` + strings.Repeat(`"b",`, 16) + `"c"]}`: "headers: 17 found, at most 16",
	} {
		_, err := readSettings(backend.DataSourceInstanceSettings{
			JSONData:                []byte(fmt.Sprintf(`{"targets": [%s]}`, settings)),
			DecryptedSecureJSONData: map[string]string{"header.a.X-Good": "secret", "header.a.x-good": "secret", "header.a.X-Torn": "se\ncret"},
		})
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.120s: error is %v, want it to say %q", settings, err, says)
		}
		if err != nil && strings.Contains(err.Error(), "cret") {
			t.Errorf("%.120s: the error tells a secret: %v", settings, err)
		}
	}
}
