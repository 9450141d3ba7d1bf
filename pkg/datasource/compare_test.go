package datasource

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// releasedFor is how long each of the two versions of these tests has run.
const releasedFor = 5 * time.Minute

// newReleasedShop is a shop whose version v1 ran until five minutes ago, when v2
// took over. Of each, a request in each 100 ms, of which each route has one in
// two; v2 takes four times as long for one in ten.
func newReleasedShop(now time.Time, hostname string) *shopAgent {
	a := newShopAgent(now, hostname)
	a.since = now.Add(-2 * releasedFor).Truncate(time.Second)
	a.head = heat.NewHead(a.since, heat.Limits{Series: 1000})
	began := a.since.Add(releasedFor)
	for at := a.since; at.Before(now.Truncate(time.Second)); at = at.Add(time.Second) {
		version := "v1"
		if !at.Before(began) {
			version = "v2"
		}
		for i := range 10 {
			took := time.Duration(1+(i*7+at.Second()*3)%10) * 200 * time.Microsecond
			if version == "v2" && i == 4 {
				took = 12 * time.Millisecond
			}
			a.request(at, version, []string{"GET /", "POST /cart"}[i%2], took)
		}
		a.head.Advance(at)
	}
	a.head.Advance(now)
	a.sealed.Store(now.Unix())
	a.releases = []*pb.Release{
		{Service: "shop", Version: "v1", GoVersion: "go1.25.3", FirstSeen: timestamppb.New(a.since), LastSeen: timestamppb.New(began)},
		{Service: "shop", Version: "v2", GoVersion: "go1.26.0", FirstSeen: timestamppb.New(began), Previous: "v1"},
	}
	return a
}

func (a *shopAgent) request(at time.Time, version, route string, took time.Duration) {
	key := heat.Key{POM: "http.request", Process: "42-1", Service: "shop", Version: version, Route: route}
	a.head.Matrix(key).Add(at, heat.Bucket(uint64(took)), 1, uint64(took), uint64(took))
	for pom, n := range map[string]uint64{"sched.latency": 3, "goroutine.create": 2, "tcp.send.bytes": 1} {
		key.POM, key.Route = pom, ""
		a.head.Matrix(key).Add(at, heat.Bucket(2048), n, 2048*n, 2048)
	}
}

func tenMinutes(now time.Time) backend.TimeRange {
	return backend.TimeRange{From: now.Add(-2 * releasedFor), To: now}
}

// comparisonOf reads what is said of a difference, as a panel does: from JSON.
func comparisonOf(t *testing.T, f *data.Frame) frames.Comparison {
	t.Helper()
	spelt, err := json.Marshal(f.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	var custom struct{ Comparison frames.Comparison }
	if err := json.Unmarshal(spelt, &custom); err != nil {
		t.Fatal(err)
	}
	return custom.Comparison
}

func TestTheLatestVersionIsComparedWithTheOneBefore(t *testing.T) {
	now := time.Now()
	east, west := newReleasedShop(now, "east"), newReleasedShop(now, "west")
	d := open(t, "east", east.serve(t), "west", west.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCompare, POM: "http.request"}, tenMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 3 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	said := comparisonOf(t, answer.Frames[2])
	t.Log(said.Words)
	if said.Refused != "" || said.Baseline.Version != "v1" || said.Candidate.Version != "v2" {
		t.Fatalf("the comparison is %+v", said)
	}
	for i, side := range []frames.Side{said.Baseline, said.Candidate} {
		if got := frameCount(answer.Frames[i]); got != float64(side.N) {
			t.Errorf("%g hits in frame %d, %d were compared", got, i, side.N)
		}
	}
	// Ten requests a second on each of two hosts, but those that are not settled yet.
	if want := uint64(releasedFor/time.Second) * 20; said.Baseline.N != want || said.Candidate.N > want || said.Candidate.N < want-20*20 {
		t.Errorf("%d and %d hits, want %d of the baseline", said.Baseline.N, said.Candidate.N, want)
	}
	if *said.Candidate.P99 < 0.0110 || *said.Baseline.P99 > 0.0022 || said.Candidate.Blocks < 8 || said.SignificantCells == 0 || said.Distance <= 0 {
		t.Errorf("the comparison is %+v", said)
	}
	coloured := map[float64]bool{}
	for i := range answer.Frames[2].Rows() {
		row := func(field int) float64 { return answer.Frames[2].At(field, i).(float64) }
		if math.Abs(row(3)-(row(7)-row(6))) > 1e-12 {
			t.Fatalf("row %d: %g is not %g - %g", i, row(3), row(7), row(6))
		}
		if answer.Frames[2].At(5, i).(bool) {
			coloured[row(2)] = true
		}
	}
	lower, upper := frames.CellBounds(heat.Bucket(12e6))
	if !coloured[upper] {
		t.Errorf("the cells of 12 ms (%g to %g s) are grey; coloured are those up to %v", lower, upper, coloured)
	}
}

func TestEachSeriesIsComparedByItself(t *testing.T) {
	now := time.Now()
	d := open(t, "east", newReleasedShop(now, "east").serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCompare, POM: "http.request", GroupBy: []string{"route"}}, tenMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 6 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	for i, want := range []bool{true, false} { // only GET / became slower
		f := answer.Frames[3*i+2]
		if said := comparisonOf(t, f); (said.SignificantCells > 0) != want {
			t.Errorf("%s: %s", f.Fields[3].Labels["route"], said.Words)
		}
	}
}

func TestWhatCannotBeComparedIsRefusedBesideTheHeat(t *testing.T) {
	now := time.Now()
	shop := newReleasedShop(now, "east")
	d := open(t, "east", shop.serve(t))
	ms := func(ago time.Duration) int64 { return now.Add(-ago).UnixMilli() }
	for what, c := range map[string]struct {
		query query.Query
		says  string
		heat  [2]bool
	}{
		"Go versions of sampled latency": {query.Query{POM: "sched.latency"}, "golang/go#79391", [2]bool{true, true}},
		"short windows": {query.Query{POM: "http.request",
			Baseline:  &query.Arm{From: ms(9 * time.Minute), To: ms(9*time.Minute - 12*time.Second)},
			Candidate: &query.Arm{From: ms(4 * time.Minute), To: ms(4*time.Minute - 12*time.Second)},
		}, "too few blocks: the candidate has 6 of 2 s, and 8 are needed, which take 16 s of hits: wait for 4 s more", [2]bool{true, true}},
		"the same hits twice": {query.Query{POM: "http.request",
			Baseline:  &query.Arm{From: ms(9 * time.Minute), To: ms(4 * time.Minute)},
			Candidate: &query.Arm{From: ms(5 * time.Minute), To: ms(1 * time.Minute)},
		}, "the windows overlap by 1 min", [2]bool{true, true}},
		"a version by two names":    {query.Query{POM: "http.request", Baseline: &query.Arm{Version: "v2"}}, "nothing else tells the sides apart", [2]bool{true, true}},
		"a version and all of them": {query.Query{POM: "http.request", Baseline: &query.Arm{}}, "the windows overlap by 9 min", [2]bool{true, true}},
		"a version that never ran":  {query.Query{POM: "http.request", Baseline: &query.Arm{Version: "v0"}}, "no hits: the baseline (v0) has none of http.request", [2]bool{false, true}},
		"shares of counts":          {query.Query{POM: "goroutine.create", Per: query.PerShare}, "hits of goroutine.create have no values", [2]bool{true, true}},
	} {
		c.query.Kind = query.KindCompare
		answer := ask(t, d, dataQuery(t, c.query, tenMinutes(now)))
		if answer.Error != nil || len(answer.Frames) != 3 {
			t.Errorf("%s: %d frames, error %v", what, len(answer.Frames), answer.Error)
			continue
		}
		f := answer.Frames[2]
		if said := comparisonOf(t, f); !strings.Contains(said.Refused, c.says) || f.Rows() != 0 || len(f.Meta.Notices) != 1 || said.SignificantCells != 0 {
			t.Errorf("%s: refused is %q, want %q; %d rows, notices %+v", what, said.Refused, c.says, f.Rows(), f.Meta.Notices)
		}
		for i, want := range c.heat {
			if got := frameCount(answer.Frames[i]) > 0; got != want {
				t.Errorf("%s: frame %d has heat: %t, want %t", what, i, got, want)
			}
		}
	}
}

func TestTheOnlyReleaseHasNothingBeforeIt(t *testing.T) {
	now := time.Now()
	shop := newReleasedShop(now, "east")
	shop.releases = shop.releases[1:]
	answer := ask(t, open(t, "east", shop.serve(t)), dataQuery(t, query.Query{Kind: query.KindCompare, POM: "http.request"}, tenMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if said := comparisonOf(t, answer.Frames[2]); !strings.Contains(said.Refused, "only one release of shop") || frameCount(answer.Frames[1]) == 0 {
		t.Errorf("refused is %q", said.Refused)
	}
}

func TestCountsAndBytesAreCompared(t *testing.T) {
	now := time.Now()
	d := open(t, "east", newReleasedShop(now, "east").serve(t))
	for _, c := range []struct {
		query query.Query
		per   frames.Per
		// each is what every column has in the mean.
		each float64
	}{
		{query.Query{POM: "goroutine.create"}, frames.PerSecond, 20},
		{query.Query{POM: "goroutine.create", Per: query.PerRequest}, frames.PerRequest, 2},
		{query.Query{POM: "tcp.send.bytes"}, frames.PerShare, 1},
		{query.Query{POM: "tcp.send.bytes", Per: query.PerRequest}, frames.PerRequest, 1},
	} {
		c.query.Kind = query.KindCompare
		answer := ask(t, d, dataQuery(t, c.query, tenMinutes(now)))
		if answer.Error != nil || len(answer.Frames) != 3 {
			t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
		}
		f := answer.Frames[2]
		said := comparisonOf(t, f)
		if said.Refused != "" || said.Per != c.per || said.SignificantCells != 0 || f.Rows() == 0 {
			t.Errorf("%s per %s: %+v", c.query.POM, c.query.Per, said)
			continue
		}
		for i := range f.Rows() {
			if baseline, candidate := f.At(6, i).(float64), f.At(7, i).(float64); math.Abs(baseline-c.each) > 1e-9 || math.Abs(candidate-c.each) > 1e-9 {
				t.Errorf("%s per %s: row %d has %g and %g, want %g of both", c.query.POM, c.query.Per, i, baseline, candidate, c.each)
				break
			}
		}
	}
}

func TestAnArmMayBeAnotherQuery(t *testing.T) {
	now := time.Now()
	d := open(t, "east", newReleasedShop(now, "east").serve(t))
	queries := []backend.DataQuery{
		dataQuery(t, query.Query{Kind: query.KindHeatmap, POM: "http.request", Matchers: []query.Matcher{{Dimension: "version", Values: []string{"v1"}}}}, tenMinutes(now)),
		dataQuery(t, query.Query{Kind: query.KindHeatmap, POM: "http.request", Matchers: []query.Matcher{{Dimension: "version", Values: []string{"v2"}}}}, tenMinutes(now)),
		dataQuery(t, query.Query{Kind: query.KindHeatmap, POM: "tcp.send.bytes"}, tenMinutes(now)),
	}
	for i := range queries {
		queries[i].RefID = string(rune('A' + i))
	}
	askWith := func(refIDs ...string) backend.DataResponse {
		q := dataQuery(t, query.Query{Kind: query.KindCompare, Baseline: &query.Arm{Query: refIDs[0]}, Candidate: &query.Arm{Query: refIDs[1]}}, tenMinutes(now))
		q.RefID = "difference"
		answer, err := d.QueryData(t.Context(), &backend.QueryDataRequest{PluginContext: shopContext, Queries: append(queries, q)})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Responses[q.RefID]
	}
	answer := askWith("A", "B")
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if said := comparisonOf(t, answer.Frames[2]); said.Baseline.Version != "v1" || said.Candidate.Label != "query B" || said.SignificantCells == 0 {
		t.Errorf("the comparison is %+v", said)
	}
	if said := comparisonOf(t, askWith("A", "C").Frames[2]); !strings.Contains(said.Refused, "units differ") {
		t.Errorf("of requests and bytes: %+v", said)
	}
	for _, c := range []struct{ refID, says string }{{"difference", "no other query"}, {"Z", "no other query"}} {
		if answer := askWith("A", c.refID); answer.Error == nil || !strings.Contains(answer.Error.Error(), `candidate.query is "`+c.refID+`", which is `+c.says) {
			t.Errorf("error is %v", answer.Error)
		}
	}
}

func TestAnotherSchemaIsRefused(t *testing.T) {
	now := time.Now()
	foreign := newReleasedShop(now, "west")
	foreign.schema = 1
	d := open(t, "east", newReleasedShop(now, "east").serve(t), "west", foreign.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCompare, POM: "http.request"}, tenMinutes(now)))
	if answer.Error != nil {
		t.Fatal(answer.Error)
	}
	if said := comparisonOf(t, answer.Frames[2]); !strings.Contains(said.Refused, "schemas differ: agent west") || !strings.Contains(said.Refused, "schema 4, must be 3") {
		t.Errorf("refused is %q", said.Refused)
	}
}

func TestABadComparisonIsAnErrorThatNamesTheField(t *testing.T) {
	now := time.Now()
	d := open(t, "east", newReleasedShop(now, "east").serve(t))
	for says, q := range map[string]query.Query{
		`per is "minute"`:                 {POM: "http.request", Per: "minute"},
		"baseline.to is":                  {POM: "http.request", Baseline: &query.Arm{From: now.UnixMilli(), To: now.UnixMilli() - 1}},
		"candidate is 8d long, at most":   {POM: "http.request", Candidate: &query.Arm{From: now.Add(-8 * 24 * time.Hour).UnixMilli()}},
		`groupBy has "version"`:           {POM: "http.request", GroupBy: []string{"version"}},
		"pom is mem.heap.live, a gauge":   {POM: "mem.heap.live"},
		"pom is empty":                    {},
		`baseline.query is "A", which is`: {POM: "http.request", Baseline: &query.Arm{Query: "A"}},
	} {
		q.Kind = query.KindCompare
		answer := ask(t, d, dataQuery(t, q, tenMinutes(now)))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), says) {
			t.Errorf("error is %v, want %q", answer.Error, says)
		}
	}
}
