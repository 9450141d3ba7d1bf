package datasource

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"connectrpc.com/connect"
	pprof "github.com/google/pprof/profile"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// rootOf returns what a flame graph has in all.
func rootOf(t *testing.T, f *data.Frame) int64 {
	t.Helper()
	value, _ := f.FieldByName("value")
	if value == nil || value.Len() == 0 {
		t.Fatalf("no flame graph: %+v", f)
	}
	return value.At(0).(int64)
}

// TestTheProfileOfAProcessLeadsFromAHeatCell has a real agent watch this very
// process, which serves its profiles somewhere, and asks for the flame graph of
// the process as a cell of heat does; then for more of the same, and over time.
func TestTheProfileOfAProcessLeadsFromAHeatCell(t *testing.T) {
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	server := httptest.NewServer(mux)
	defer server.Close()
	burning, cool := make(chan struct{}), sync.WaitGroup{}
	cool.Go(func() { burn(burning) })
	defer cool.Wait()
	defer close(burning)

	// An agent that was not told to collect says how to tell it.
	off := openWith(t, configured(t, 10, "off", startAgent(t)))
	now := time.Now()
	ofAll := query.Query{Kind: query.KindFlame, Profile: &query.Profile{Seconds: 1}}
	if got := ask(t, off, dataQuery(t, ofAll, lastTwoMinutes(now))); got.Error == nil || !strings.Contains(got.Error.Error(), "start it with --profiles auto") {
		t.Errorf("an agent that collects nothing answers %v", got.Error)
	}

	agentURL := startAgentWith(t, []string{"--profiles", "auto"})
	d := openWith(t, configured(t, 10, "here", agentURL))
	asked := func(kind query.Kind, p query.Profile) backend.DataResponse {
		now := time.Now()
		return ask(t, d, dataQuery(t, query.Query{Kind: kind, Profile: &p}, backend.TimeRange{From: now.Add(-time.Minute), To: now}))
	}
	// Nothing has been collected yet: it is fetched now.
	var flame *data.Frame
	waitFor(t, "the agent to know where this process serves profiles", func() bool {
		answer := asked(query.KindFlame, query.Profile{Seconds: 1})
		if answer.Error == nil {
			flame = answer.Frames[0]
		}
		return answer.Error == nil
	})
	process := ""
	waitFor(t, "the process to be listed", func() bool {
		answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindProcesses}, lastTwoMinutes(time.Now())))
		id, _ := answer.Frames[0].FieldByName("process")
		if id != nil && id.Len() > 0 {
			process = id.At(0).(string)
		}
		return strings.HasPrefix(process, fmt.Sprint(os.Getpid()))
	})
	total := rootOf(t, flame)
	if total < int64(300*time.Millisecond) {
		t.Errorf("in a second this process burnt %d ns", total)
	}
	// It is kept: the table and the download are of the same profile, or of one more of the agent's own.
	top := asked(query.KindTop, query.Profile{Process: process})
	if top.Error != nil {
		t.Fatal(top.Error)
	}
	if name := top.Frames[0].Fields[0]; !slices.ContainsFunc([]int{0, 1, 2}, func(i int) bool { return strings.Contains(name.At(i).(string), "burn") }) {
		t.Errorf("this process burns in %v", name.At(0))
	}
	download := asked(query.KindProfile, query.Profile{Process: process})
	if download.Error != nil {
		t.Fatal(download.Error)
	}
	raw, err := base64.StdEncoding.DecodeString(download.Frames[0].Fields[2].At(0).(string))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(bytes.NewReader(raw), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	if cpu, err := profile.TypeOf(p, ""); err != nil || profile.TopOf(p, cpu).Total < total {
		t.Errorf("the download has %d ns of CPU, %v, want %d or more", profile.TopOf(p, cpu).Total, err, total)
	}
	heat := asked(query.KindProfileHeat, query.Profile{Process: process})
	if heat.Error != nil {
		t.Fatal(heat.Error)
	}
	cores := 0.0
	for _, row := range heat.Frames[0].Fields[1:] {
		for i := range row.Len() {
			if v := row.At(i).(*float64); v != nil {
				cores += *v
			}
		}
	}
	if f := heat.Frames[0]; f.Meta.Type != "heatmap-rows" || f.Fields[1].Config.Unit != "percentunit" || cores < 0.3 || cores > 64 {
		t.Errorf("the heat is %+v, %g CPUs in all", f.Meta, cores)
	}
	// The profile says whose it is, which leads back to the heat of the same; so does one of the target that the process is.
	settings := configured(t, 10)
	spelt, err := json.Marshal(query.Settings{Agents: []query.Agent{{Name: "here", URL: agentURL}}, Targets: []query.Target{
		{Name: "this one", URL: strings.Replace(server.URL, "127.0.0.1", "localhost", 1) + "/debug/pprof"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	settings.JSONData = spelt
	both := openWith(t, settings)
	ofTarget := ask(t, both, dataQuery(t, query.Query{Kind: query.KindFlame, Profile: &query.Profile{Target: "this one", Type: "heap"}}, lastTwoMinutes(time.Now())))
	for name, answer := range map[string]backend.DataResponse{"the process": top, "the target": ofTarget} {
		if answer.Error != nil {
			t.Fatal(answer.Error)
		}
		about := answer.Frames[0].Meta.Custom.(frames.ProfileCustom)
		if !slices.Equal(about.Processes, []string{process}) || about.From >= about.To || now.UnixMilli()-about.From > 60_000 {
			t.Errorf("a profile of %s is of %v, from %d to %d; the process is %s", name, about.Processes, about.From, about.To, process)
		}
	}
	// Of a moment shortly before, the nearest is shown, and said to be.
	before := ask(t, d, dataQuery(t, query.Query{Kind: query.KindFlame, Profile: &query.Profile{Process: process}},
		backend.TimeRange{From: now.Add(-10 * time.Second), To: now.Add(-8 * time.Second)}))
	if before.Error != nil || len(before.Frames[0].Meta.Notices) != 1 || !strings.Contains(before.Frames[0].Meta.Notices[0].Text, "this is the nearest") {
		t.Errorf("a moment before has %+v, %v", before.Frames, before.Error)
	}
	long := ask(t, d, dataQuery(t, query.Query{Kind: query.KindFlame, Profile: &query.Profile{Process: process}},
		backend.TimeRange{From: now.Add(-2 * time.Hour), To: now.Add(-time.Hour)}))
	if long.Error == nil || !strings.Contains(long.Error.Error(), "was collected from") {
		t.Errorf("what was an hour ago is %v", long.Error)
	}
}

// collecting is an agent that has collected profiles: the API's generated
// handler, on a real port, over profiles that were made for the test.
type collecting struct {
	gothermpbconnect.UnimplementedAgentServiceHandler
	about []*pb.CollectedProfile
	raw   map[uint64][]byte
	asked []uint64
	mu    sync.Mutex
}

func (c *collecting) ListProfiles(_ context.Context, r *connect.Request[pb.ListProfilesRequest]) (*connect.Response[pb.ListProfilesResponse], error) {
	answer := &pb.ListProfilesResponse{Sources: []*pb.ProfileSource{{Process: "7-70", Service: "shop", Failing: []*pb.ProfileFailure{{Type: "block", Reason: "is being profiled already"}}}}}
	for _, about := range c.about {
		if about.Type == r.Msg.Type && about.Start.AsTime().Before(r.Msg.End.AsTime()) && about.End.AsTime().After(r.Msg.Start.AsTime()) {
			answer.Profiles = append(answer.Profiles, about)
		}
	}
	return connect.NewResponse(answer), nil
}

func (c *collecting) GetProfile(_ context.Context, r *connect.Request[pb.GetProfileRequest]) (*connect.Response[pb.GetProfileResponse], error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked = append(c.asked, r.Msg.Id)
	return connect.NewResponse(&pb.GetProfileResponse{Profile: c.raw[r.Msg.Id]}), nil
}

// keep adds a profile of one function that has a value.
func (c *collecting) keep(t *testing.T, process, kind string, at time.Time, length time.Duration, name, unit string, value int64) {
	t.Helper()
	f := &pprof.Function{ID: 1, Name: "main.brew"}
	l := &pprof.Location{ID: 1, Line: []pprof.Line{{Function: f}}}
	p := &pprof.Profile{
		SampleType: []*pprof.ValueType{{Type: name, Unit: unit}}, DurationNanos: int64(length),
		Sample: []*pprof.Sample{{Location: []*pprof.Location{l}, Value: []int64{value}}}, Location: []*pprof.Location{l}, Function: []*pprof.Function{f},
	}
	var raw bytes.Buffer
	if err := p.Write(&raw); err != nil {
		t.Fatal(err)
	}
	id := uint64(len(c.about) + 1)
	c.raw[id] = raw.Bytes()
	c.about = append(c.about, &pb.CollectedProfile{Id: id, Process: process, Type: kind, Start: timestamppb.New(at), End: timestamppb.New(at.Add(length)), Bytes: uint64(raw.Len())})
}

// What a type counts decides what several profiles are together.
func TestProfilesOfARangeBecomeOne(t *testing.T) {
	c := &collecting{raw: map[uint64][]byte{}}
	noon := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for minute := range 5 {
		at := noon.Add(time.Duration(minute)*time.Minute + 7*time.Second)
		for i, process := range []string{"7-70", "8-80"} {
			// One burns a tenth of a CPU, the other two tenths; each contends a second in each minute.
			c.keep(t, process, "cpu", at, 10*time.Second, "cpu", "nanoseconds", int64(i+1)*1e9)
			c.keep(t, process, "mutex", at, time.Millisecond, "delay", "nanoseconds", int64(minute+10)*1e9)
			c.keep(t, process, "heap", at, time.Millisecond, "inuse_space", "bytes", int64(minute+1)*1000)
		}
	}
	mux := http.NewServeMux()
	mux.Handle(gothermpbconnect.NewAgentServiceHandler(c))
	server := httptest.NewServer(mux)
	defer server.Close()
	d := open(t, "shop", server.URL)
	of := func(kind query.Kind, p query.Profile, from, to time.Duration) backend.DataResponse {
		return ask(t, d, dataQuery(t, query.Query{Kind: kind, Profile: &p}, backend.TimeRange{From: noon.Add(from), To: noon.Add(to)}))
	}
	for _, one := range []struct {
		kind     string
		from, to time.Duration
		want     int64
		reads    int
	}{
		{"cpu", 0, 5 * time.Minute, 15e9, 10},               // all of both
		{"cpu", 0, time.Minute, 3e9, 2},                     // the first of both
		{"mutex", 0, 5 * time.Minute, 8e9, 4},               // what came between first and last
		{"mutex", time.Minute, 3 * time.Minute, 2e9, 4},     // a minute of both
		{"mutex", time.Minute, 2 * time.Minute, 22e9, 2},    // there is one: all since the start
		{"heap", 0, 5 * time.Minute, 10_000, 2},             // the last of both
		{"cpu", 30 * time.Second, 40 * time.Second, 3e9, 2}, // between two: the nearest
	} {
		c.asked = nil
		answer := of(query.KindFlame, query.Profile{Type: one.kind}, one.from, one.to)
		if answer.Error != nil {
			t.Errorf("%+v: %v", one, answer.Error)
			continue
		}
		if got := rootOf(t, answer.Frames[0]); got != one.want || len(c.asked) != one.reads {
			t.Errorf("%s from %s to %s is %d after %d reads, want %d after %d", one.kind, one.from, one.to, got, len(c.asked), one.want, one.reads)
		}
		if of := answer.Frames[0].Meta.Custom.(frames.ProfileCustom).Processes; !slices.Equal(of, []string{"7-70", "8-80"}) {
			t.Errorf("%s is said to be of %v", one.kind, of)
		}
	}
	for kind, want := range map[string][]float64{
		"cpu":   {0.3, 0.3, 0.3, 0.3, 0.3},            // CPUs
		"mutex": {2. / 60, 2. / 60, 2. / 60, 2. / 60}, // of each second, a thirtieth; nothing is known of the first minute
		"heap":  {2000, 4000, 6000, 8000, 10_000},
	} {
		answer := of(query.KindProfileHeat, query.Profile{Type: kind}, 0, 5*time.Minute)
		if answer.Error != nil || len(answer.Frames[0].Fields) != 2 || answer.Frames[0].Fields[1].Name != "main.brew" {
			t.Errorf("heat of %s has %d fields: %+v, %v", kind, len(answer.Frames[0].Fields), answer.Frames[0].Fields[len(answer.Frames[0].Fields)-1], answer.Error)
			continue
		}
		row := answer.Frames[0].Fields[1]
		var got []float64
		for i := range row.Len() {
			got = append(got, *row.At(i).(*float64))
		}
		if !slices.EqualFunc(got, want, func(a, b float64) bool { return a > 0.999*b && a < 1.001*b }) {
			t.Errorf("heat of %s is %v, want %v", kind, got, want)
		}
	}
	// A minute without a profile that began in it is not without its column.
	if answer := of(query.KindProfileHeat, query.Profile{}, 130*time.Second, 140*time.Second); answer.Error != nil || answer.Frames[0].Rows() != 1 {
		t.Errorf("of ten seconds between two profiles the heat is %v, %v", answer.Frames, answer.Error)
	}
	// Of what is counted since the start, one is not enough to say what happened meanwhile.
	one := of(query.KindProfileHeat, query.Profile{Type: "mutex"}, time.Minute, 2*time.Minute)
	if one.Error != nil || len(one.Frames[0].Fields) != 1 || len(one.Frames[0].Meta.Notices) != 1 || !strings.Contains(one.Frames[0].Meta.Notices[0].Text, "of 2 processes there is one in the range") {
		t.Errorf("the heat of one mutex profile is %v, %v", one.Frames, one.Error)
	}
	for says, p := range map[string]query.Profile{
		"is being profiled already":          {Type: "block"},
		"no older than what the agent keeps": {Type: "allocs"},
		"groupBy is \"colour\"":              {GroupBy: "colour"},
		"name one of both":                   {Target: "a", Process: "b"},
		"profile.seconds is 21":              {Seconds: 21},
		"profile.seconds is 1, which only":   {Type: "heap", Seconds: 1},
		"profile.base: profile-heat has":     {Base: &query.Profile{Type: "cpu", From: 1, To: 2}},
		"must be in that order, and at most": {From: noon.UnixMilli(), To: noon.UnixMilli()},
	} {
		if answer := of(query.KindProfileHeat, p, 0, 5*time.Minute); answer.Error == nil || !strings.Contains(answer.Error.Error(), says) {
			t.Errorf("%+v is told %v, want %q", p, answer.Error, says)
		}
	}
}
