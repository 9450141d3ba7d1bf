package server

import (
	"fmt"
	"math"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

func kind(k gothermpb.Statistic_Kind) *gothermpb.Statistic { return &gothermpb.Statistic{Kind: k} }

// querySeries returns, by labels and statistic, "second=value" of each point.
func querySeries(t *testing.T, s *Server, r *gothermpb.QuerySeriesRequest) map[string]string {
	t.Helper()
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	answer, err := client.QuerySeries(t.Context(), connect.NewRequest(r))
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, series := range answer.Msg.Series {
		text := ""
		for _, p := range series.Points {
			text += fmt.Sprintf("%d=%g ", int(p.Time.AsTime().Sub(noon)/time.Second), p.Value)
		}
		got[fmt.Sprint(series.Labels, " ", series.Statistic.Kind)] = text
	}
	return got
}

func expect(t *testing.T, got, want map[string]string) {
	t.Helper()
	for k, w := range want {
		if g, ok := got[k]; !ok || g != w {
			t.Errorf("%s: got %q, want %q", k, g, w)
		}
	}
	if len(got) != len(want) {
		t.Errorf("got %d series %v, want %d", len(got), got, len(want))
	}
}

func TestStatisticsOfEachColumn(t *testing.T) {
	s := newServer(t)
	observe(s, shopSweep, 1, 10_000, 30_000)
	pass(s, 5)
	observe(s, shopMark, 5, 50_000)
	pass(s, 30)
	got := querySeries(t, s, &gothermpb.QuerySeriesRequest{
		Pom: "gc.stw", Start: timestamppb.New(noon), End: timestamppb.New(noon.Add(8 * time.Second)), Step: durationpb.New(2 * time.Second),
		Statistics: []*gothermpb.Statistic{
			kind(gothermpb.Statistic_KIND_COUNT), kind(gothermpb.Statistic_KIND_RATE), kind(gothermpb.Statistic_KIND_SUM),
			kind(gothermpb.Statistic_KIND_MEAN), kind(gothermpb.Statistic_KIND_MAX),
		},
	})
	// Nobody knows who was watched: where nothing was hit, nothing is said.
	expect(t, got, map[string]string{
		"map[] KIND_COUNT": "0=2 4=1 ",
		"map[] KIND_RATE":  "0=1 4=0.5 ",
		"map[] KIND_SUM":   "0=40000 4=50000 ",
		"map[] KIND_MEAN":  "0=20000 4=50000 ",
		"map[] KIND_MAX":   "0=30000 4=50000 ",
	})
}

func TestAQuantileLiesInTheBucketOfItsRank(t *testing.T) {
	s := newServer(t)
	for v := uint64(1_000); v <= 100_000; v += 1_000 {
		observe(s, shopSweep, 1, v)
	}
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	answer, err := client.QuerySeries(t.Context(), connect.NewRequest(&gothermpb.QuerySeriesRequest{
		Pom: "gc.stw", Start: timestamppb.New(noon), End: timestamppb.New(noon.Add(2 * time.Second)), Step: durationpb.New(time.Second),
		Statistics: []*gothermpb.Statistic{{Kind: gothermpb.Statistic_KIND_QUANTILE, Quantile: 0.5}, {Kind: gothermpb.Statistic_KIND_QUANTILE, Quantile: 0.99}},
	}))
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []float64{50_000, 99_000} {
		series := answer.Msg.Series[i]
		if len(series.Points) != 1 {
			t.Fatalf("%v: want the one column that was hit", series)
		}
		if got := series.Points[0].Value; math.Abs(math.Log2(got/want)) > 1./8 {
			t.Errorf("quantile %g is %g, want %g within a bucket", series.Statistic.Quantile, got, want)
		}
	}
}

func TestZeroIsSaidOnlyOfCompleteColumnsInWhichSomebodyWatched(t *testing.T) {
	s := newServer(t)
	watch := func(k heat.Key, from, to int) {
		for second := from; second < to; second++ {
			s.attendance.take(noon.Add(time.Duration(second)*time.Second), []mark{{heat.Key{Process: k.Process, Service: k.Service, Version: k.Version}, []string{"gc.stw"}}})
		}
	}
	watch(shopSweep, 2, 10)
	watch(shopSweep, 20, 25) // the agent was busy for ten seconds
	watch(tillMark, 25, 40)
	pass(s, 4)
	observe(s, shopSweep, 4, 1_000)
	pass(s, 15)
	observe(s, shopSweep, 15, 1_000) // a hit is a hit, whoever was thought to watch
	pass(s, 34)
	if sealed := s.Head.Sealed(); !sealed.Equal(noon.Add(30 * time.Second)) {
		t.Fatalf("sealed until %s", sealed)
	}
	request := func(groupBy ...string) *gothermpb.QuerySeriesRequest {
		return &gothermpb.QuerySeriesRequest{
			Pom: "gc.stw", Start: timestamppb.New(noon), End: timestamppb.New(noon.Add(40 * time.Second)), Step: durationpb.New(4 * time.Second),
			GroupBy: groupBy, Statistics: []*gothermpb.Statistic{kind(gothermpb.Statistic_KIND_COUNT), kind(gothermpb.Statistic_KIND_MAX)},
		}
	}
	t.Run("all", func(t *testing.T) {
		expect(t, querySeries(t, s, request()), map[string]string{
			"map[] KIND_COUNT": "0=0 4=1 8=0 12=1 20=0 24=0 ",
			"map[] KIND_MAX":   "4=1000 12=1000 ",
		})
	})
	t.Run("by service, with one that was never hit", func(t *testing.T) {
		expect(t, querySeries(t, s, request("service")), map[string]string{
			"map[service:shop] KIND_COUNT": "0=0 4=1 8=0 12=1 20=0 24=0 ",
			"map[service:shop] KIND_MAX":   "4=1000 12=1000 ",
			"map[service:till] KIND_COUNT": "24=0 ",
			"map[service:till] KIND_MAX":   "",
		})
	})
	t.Run("by what was hit", func(t *testing.T) {
		expect(t, querySeries(t, s, request("service", "reason")), map[string]string{
			"map[reason:sweep termination service:shop] KIND_COUNT": "0=0 4=1 8=0 12=1 20=0 24=0 ",
			"map[reason:sweep termination service:shop] KIND_MAX":   "4=1000 12=1000 ",
		})
	})
	t.Run("of one service", func(t *testing.T) {
		r := request("process")
		r.Matchers = []*gothermpb.Matcher{{Dimension: "service", Values: []string{"till"}}}
		expect(t, querySeries(t, s, r), map[string]string{
			"map[process:8-80] KIND_COUNT": "24=0 ",
			"map[process:8-80] KIND_MAX":   "",
		})
	})
	t.Run("of a reason that never was", func(t *testing.T) {
		r := request("service")
		r.Matchers = []*gothermpb.Matcher{{Dimension: "service", Values: []string{"shop"}}, {Dimension: "reason", Values: []string{"GOMAXPROCS"}}}
		expect(t, querySeries(t, s, r), map[string]string{
			"map[service:shop] KIND_COUNT": "0=0 4=0 8=0 20=0 24=0 ",
			"map[service:shop] KIND_MAX":   "",
		})
	})
}

func TestAttendanceForgetsWhatTheHeadForgets(t *testing.T) {
	a := newAttendance()
	m := mark{heat.Key{Process: "7-70"}, []string{"gc.stw"}}
	a.take(noon, []mark{m})
	if !a.present("7-70", noon.Add(time.Hour)) {
		t.Error("a process that nobody has said to be gone is gone")
	}
	a.take(noon.Add(time.Second), nil)
	if !a.present("7-70", noon.Add(farewell-time.Second)) {
		t.Error("gone before its farewell is over")
	}
	if a.present("7-70", noon.Add(farewell+time.Second)) {
		t.Error("still there after its farewell")
	}
	if got := a.watchers("gc.stw", nil); len(got) != 1 {
		t.Errorf("after a minute %d were watched, want 1", len(got))
	}
	a.take(noon.Add(2*time.Hour), nil)
	if len(a.processes) != 0 {
		t.Errorf("after two hours it remembers %v", a.processes)
	}
}
