package datasource

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// startJob runs examples/mapreduce for as long as the test does, and returns its index page and its pid.
func startJob(t *testing.T) (index string, pid int) {
	t.Helper()
	job := exec.Command(built(t, "examples/mapreduce"), "--listen", "127.0.0.1:0", "--size", "200000")
	stderr, err := job.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		job.Process.Kill()
		job.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "serving address=") {
	}
	_, address, _ := strings.Cut(lines.Text(), "serving address=")
	go io.Copy(io.Discard, stderr)
	return "http://" + address + "/debug/pprof/", job.Process.Pid
}

// TestADashboardOfStages asks the real process for the stages of a real job: of
// one collection for all panels, and what can go wrong.
func TestADashboardOfStages(t *testing.T) {
	index, _ := startJob(t)
	spelt, err := json.Marshal(query.Settings{Targets: []query.Target{{Name: "job", URL: index}, {Name: "gone", URL: "http://127.0.0.1:1/debug/pprof/"}}})
	if err != nil {
		t.Fatal(err)
	}
	settings := backend.DataSourceInstanceSettings{UID: "gotherm", JSONData: spelt, Updated: time.Unix(1, 0)}
	plugin := startPlugin(t)
	ask := func(queries map[string]query.Profile) backend.Responses {
		t.Helper()
		request := &backend.QueryDataRequest{PluginContext: backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}}
		now := time.Now()
		for id, p := range queries {
			encoded, err := json.Marshal(query.Query{Kind: query.KindStages, Profile: &p})
			if err != nil {
				t.Fatal(err)
			}
			request.Queries = append(request.Queries, backend.DataQuery{
				RefID: id, JSON: encoded, Interval: time.Second, MaxDataPoints: 1000,
				TimeRange: backend.TimeRange{From: now.Add(-time.Minute), To: now.Add(30 * time.Second)},
			})
		}
		answer, err := plugin.QueryData(t.Context(), request)
		if err != nil {
			t.Fatal(err)
		}
		return answer.Responses
	}
	answers := ask(map[string]query.Profile{
		"heat": {Target: "job", Seconds: 2}, "table": {Target: "job", Seconds: 2},
		"gone": {Target: "gone", Seconds: 1}, "based": {Target: "job", Base: &query.Profile{}}, "long": {Target: "job", Seconds: 61}, "nobody": {},
		"both": {Target: "job", Process: "7-70"}, "away": {Process: "7-70"},
	})
	for id, want := range map[string]string{
		"gone":   "target gone (http://127.0.0.1:1/debug/pprof): does not answer",
		"based":  "profile.base is set: stages are of an execution trace of a program, as it is now, and have none",
		"both":   `profile.target is "job" and profile.process is "7-70": name one of both`,
		"away":   "agents: none is configured",
		"long":   "profile.seconds is 61, must be between 1 and 60",
		"nobody": "profile.target is empty: choose one",
	} {
		if err := answers[id].Error; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %v, want %q", id, err, want)
		}
	}
	if answers["heat"].Error != nil || len(answers["heat"].Frames) != 3 {
		t.Fatalf("heat: %d frames, error %v; want table, heat and allocation", len(answers["heat"].Frames), answers["heat"].Error)
	}
	table, heat, allocated := answers["heat"].Frames[0], answers["heat"].Frames[1], answers["heat"].Frames[2]
	var names []string
	shares := 0.0
	for i := range table.Rows() {
		names = append(names, table.Fields[0].At(i).(string))
		if share := table.Fields[1].At(i).(*float64); share != nil {
			shares += *share
		}
	}
	for _, stage := range []string{"map", "shuffle", "reduce"} {
		if !slices.Contains(names, stage) || !slices.ContainsFunc(heat.Fields, func(f *data.Field) bool { return f.Name == stage }) {
			t.Errorf("stage %s is not in the table or the heat: %v", stage, names)
		}
	}
	if shares < 0.999 || shares > 1.001 {
		t.Errorf("shares of the CPU time are %g together, want 1", shares)
	}
	columns := 0
	for i := range heat.Rows() {
		sum, any := 0.0, false
		for _, f := range heat.Fields[1:] {
			if share := f.At(i).(*float64); share != nil {
				sum, any = sum+*share, true
			}
		}
		if !any {
			continue
		}
		columns++
		if sum < 0.999 || sum > 1.001 {
			t.Errorf("shares in column %d are %g together, want 1", i, sum)
		}
		if rate := allocated.Fields[1].At(i).(*float64); rate == nil {
			t.Errorf("column %d has CPU time, and it is not known what was allocated", i)
		}
	}
	if columns < 2 {
		t.Errorf("%d columns of a second have CPU time, want those of two seconds", columns)
	}
	again := ask(map[string]query.Profile{"again": {Target: "job", Seconds: 2}})["again"]
	if again.Error != nil || again.Frames[0].Meta.Notices[0].Text != table.Meta.Notices[0].Text {
		t.Errorf("asked at once and soon after, it was collected twice: %v, %q and %q", again.Error, again.Frames[0].Meta.Notices[0].Text, table.Meta.Notices[0].Text)
	}
}

func TestStagesWithoutACPUProfileSayWhy(t *testing.T) {
	served := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Could not enable CPU profiling: cpu profiling already in use", http.StatusInternalServerError)
	}))
	defer served.Close()
	busy, err := profile.NewTarget(served.URL, served.Client())
	if err != nil {
		t.Fatal(err)
	}
	_, refused := busy.Fetch(t.Context(), profile.Request{Type: profile.CPU}, profile.Usual)
	notices := staged{cpu: refused}.notices()
	last := notices[len(notices)-1]
	if last.Severity != data.NoticeSeverityWarning || !strings.Contains(last.Text, "no CPU profile could be taken beside the trace") || !strings.Contains(last.Text, "cpu profiling already in use") {
		t.Errorf("the notice is %v", last)
	}
}

// TestStagesOfAProcess has a real agent trace a real job, while somebody else
// takes a CPU profile of it: the trace is begun again when he is done.
func TestStagesOfAProcess(t *testing.T) {
	index, pid := startJob(t)
	d := openWith(t, configured(t, 10, "here", startAgentWith(t, []string{"--profiles", "auto"}, pid)))
	process := ""
	waitFor(t, "the agent to know where the job serves profiles", func() bool {
		k, _, err := d.askKept(t.Context(), profileSide{from: time.Now(), to: time.Now()})
		if err == nil && len(k.sources) == 1 && k.sources[0].Url == strings.TrimSuffix(index, "/")+"/" {
			process = k.sources[0].Process
		}
		return process != ""
	})
	stagesOf := func(p query.Profile) backend.DataResponse {
		return ask(t, d, dataQuery(t, query.Query{Kind: query.KindStages, Profile: &p}, lastTwoMinutes(time.Now())))
	}
	for says, p := range map[string]query.Profile{
		"no agent collects profiles of 1-1":                {Process: "1-1"},
		"profile.seconds is 21, must be between 1 and 20":  {Process: process, Seconds: 21},
		"profile.label is set: stages are of an execution": {Process: process, Label: "a=b"},
	} {
		if answer := stagesOf(p); answer.Error == nil || !strings.Contains(answer.Error.Error(), says) {
			t.Errorf("%+v is told %v, want %q", p, answer.Error, says)
		}
	}
	other := make(chan struct{})
	go func() {
		defer close(other)
		if answer, err := http.Get(index + "profile?seconds=2"); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
	}()
	answer := stagesOf(query.Profile{Process: process, Seconds: 2})
	<-other
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	table, heat := answer.Frames[0], answer.Frames[1]
	shares := 0.0
	var names []string
	for i := range table.Rows() {
		names = append(names, table.Fields[0].At(i).(string))
		if share := table.Fields[1].At(i).(*float64); share != nil {
			shares += *share
		}
	}
	if !slices.Contains(names, "shuffle") || shares < 0.999 || shares > 1.001 || len(heat.Fields) != 1+len(names) {
		t.Errorf("stages are %v, with %g of the CPU time; the heat has %d fields", names, shares, len(heat.Fields))
	}
	for _, notice := range table.Meta.Notices {
		if notice.Severity != data.NoticeSeverityInfo {
			t.Errorf("it is told %s", notice.Text)
		}
	}
	if about := heat.Meta.Custom.(stages.About); about.Of != process || !slices.Equal(about.Services, []string{"mapreduce"}) {
		t.Errorf("the heat is of %+v", about)
	}
}
