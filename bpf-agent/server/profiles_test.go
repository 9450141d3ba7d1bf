package server

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"os"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/profile"
)

// collecting makes a server collect the profiles of the test's own process, but
// so slowly that only what is asked for is there.
func collecting(t *testing.T, s *Server) *goproc.Process {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", httppprof.Index)
	mux.HandleFunc("/debug/pprof/profile", httppprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", httppprof.Trace)
	served := httptest.NewServer(mux)
	t.Cleanup(served.Close)
	found, err := goproc.NewFinder(goproc.Selection{PIDs: []int{os.Getpid()}}, s.Log).Scan()
	if err != nil || len(found) != 1 {
		t.Fatalf("the test's own process is %v, %v", found, err)
	}
	store, _, err := collect.OpenStore("", collect.Retention{Age: time.Hour, Bytes: 1 << 20, Count: 100})
	if err != nil {
		t.Fatal(err)
	}
	from, err := collect.ReadEndpoints([]string{found[0].Identity.Service + "=" + served.URL})
	if err != nil {
		t.Fatal(err)
	}
	rarely := collect.Usual
	rarely.Every, rarely.Retry = 1000*time.Hour, time.Second
	s.Profiles = collect.New(from, rarely, store, func() []*goproc.Process { return found }, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Profiles.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
		_ = store.Close()
	})
	return found[0]
}

// untilKnown waits until it is known where the process serves profiles.
func untilKnown(t *testing.T, client gothermpbconnect.AgentServiceClient) {
	t.Helper()
	for end := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		answer, err := client.ListProfiles(t.Context(), connect.NewRequest(&gothermpb.ListProfilesRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		if len(answer.Msg.Sources) == 1 && answer.Msg.Sources[0].Url != "" {
			return
		}
		if time.Now().After(end) {
			t.Fatal("waited 20 s for the process to be known")
		}
	}
}

func TestProfilesAreAskedForListedAndRead(t *testing.T) {
	s := newServer(t)
	process := collecting(t, s)
	url := loopback(t, s)
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url)
	list := func(r *gothermpb.ListProfilesRequest) *gothermpb.ListProfilesResponse {
		t.Helper()
		answer, err := client.ListProfiles(t.Context(), connect.NewRequest(r))
		if err != nil {
			t.Fatal(err)
		}
		return answer.Msg
	}
	untilKnown(t, client)
	if m := list(&gothermpb.ListProfilesRequest{}); m.Off != "" || m.Sources[0].Process != process.ID || m.Sources[0].Refused != "" || len(m.Sources[0].Types) < 6 {
		t.Errorf("the source is %v", m)
	}
	collected, err := client.CollectProfile(t.Context(), connect.NewRequest(&gothermpb.CollectProfileRequest{Process: process.ID, Type: "cpu", Duration: durationpb.New(time.Second)}))
	if err != nil {
		t.Fatal(err)
	}
	about := collected.Msg.About
	if took := about.End.AsTime().Sub(about.Start.AsTime()); took < time.Second || about.Service != process.Identity.Service || int(about.Bytes) != len(collected.Msg.Profile) {
		t.Errorf("it is %v", about)
	}
	if _, err := profile.Parse(bytes.NewReader(collected.Msg.Profile), profile.Usual); err != nil {
		t.Error(err)
	}
	if _, err := client.CollectProfile(t.Context(), connect.NewRequest(&gothermpb.CollectProfileRequest{Process: process.ID, Type: "heap"})); err != nil {
		t.Error(err)
	}
	got, err := client.GetProfile(t.Context(), connect.NewRequest(&gothermpb.GetProfileRequest{Id: about.Id}))
	if err != nil || !bytes.Equal(got.Msg.Profile, collected.Msg.Profile) {
		t.Errorf("kept are %d bytes of %d, %v", len(got.Msg.GetProfile()), len(collected.Msg.Profile), err)
	}
	before, after := timestamppb.New(about.Start.AsTime().Add(-time.Minute)), timestamppb.New(time.Now().Add(time.Minute))
	for name, c := range map[string]struct {
		request *gothermpb.ListProfilesRequest
		want    int
	}{
		"all":                {&gothermpb.ListProfilesRequest{Start: before, End: after}, 2},
		"of a type":          {&gothermpb.ListProfilesRequest{Type: "cpu", Start: before, End: after}, 1},
		"of a time":          {&gothermpb.ListProfilesRequest{Start: before, End: about.Start}, 0},
		"of the process":     {&gothermpb.ListProfilesRequest{Matchers: []*gothermpb.Matcher{{Dimension: "process", Values: []string{process.ID}}}}, 2},
		"of another service": {&gothermpb.ListProfilesRequest{Matchers: []*gothermpb.Matcher{{Dimension: "service", Values: []string{"till"}}}}, 0},
	} {
		if m := list(c.request); len(m.Profiles) != c.want {
			t.Errorf("%s: %d profiles, want %d", name, len(m.Profiles), c.want)
		}
	}
	families := scrape(t, url)
	for name, want := range map[string]float64{"gotherm_profiles_collected_total": 1, "gotherm_profiles_cpu_seconds_total": 1} {
		if f := families[name]; f == nil || f.Metric[0].GetCounter().GetValue() < want {
			t.Errorf("%s is %v", name, f)
		}
	}
	if f := families["gotherm_profiles_bytes"]; f == nil || f.Metric[0].GetGauge().GetValue() <= float64(about.Bytes) {
		t.Errorf("gotherm_profiles_bytes is %v", f)
	}
}

func TestProfilesThatCanNotBeHadSayWhy(t *testing.T) {
	off := loopback(t, newServer(t))
	status, answer := post(t, off, "ListProfiles", `{}`)
	if said, _ := answer["off"].(string); status != http.StatusOK || !strings.Contains(said, "--profiles auto") {
		t.Errorf("an agent that collects none says %d, %v", status, answer)
	}
	for _, method := range []string{"GetProfile", "CollectProfile"} {
		if _, answer := post(t, off, method, `{}`); !strings.Contains(answer["message"].(string), "start it with --profiles") {
			t.Errorf("%s of an agent that collects none is told %v", method, answer)
		}
	}
	s := newServer(t)
	process := collecting(t, s)
	url := loopback(t, s)
	for body, says := range map[string]string{
		`{"type": "cpu", "process": "1-1"}`:                                    "no such process is watched",
		`{"process": "` + process.ID + `"}`:                                    `type is ""`,
		`{"type": "cpu", "duration": "21s"}`:                                   "at most 20s",
		`{"type": "cpu", "duration": "1.5s"}`:                                  "whole seconds",
		`{"type": "cpu", "duration": "-1s"}`:                                   "duration is -1s",
		`{"type": "heap", "duration": "2s"}`:                                   "which only cpu has",
		`{"type": "` + strings.Repeat("a", 2000) + `", "process": "anything"}`: "must be cpu",
	} {
		if status, answer := post(t, url, "CollectProfile", body); status == http.StatusOK || !strings.Contains(answer["message"].(string), says) {
			t.Errorf("%.80s is told %d, %v, want %q", body, status, answer, says)
		}
	}
	if _, answer := post(t, url, "GetProfile", `{"id": "7"}`); answer["code"] != "not_found" {
		t.Errorf("what is not kept is %v", answer)
	}
	if _, answer := post(t, url, "ListProfiles", `{"matchers": [{"dimension": "function", "values": ["main"]}]}`); !strings.Contains(answer["message"].(string), "must be one of the dimensions of profiles") {
		t.Errorf("a matcher of functions is told %v", answer)
	}
}
