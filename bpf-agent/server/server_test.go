package server

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

// The tests speak to a server over real connections. Its head is filled by
// hand, at a noon that has no connection with the clock on the wall: what a
// kernel fills it with is tested where there is one.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

func newServer(t *testing.T) *Server {
	t.Helper()
	log := slog.New(slog.NewTextHandler(testWriter{t}, nil))
	head := heat.NewHead(noon, heat.Limits{Series: 5_000})
	ledger := goproc.NewLedger()
	w := probe.NewWatcher(nil, goproc.NewFinder(goproc.Selection{PIDs: []int{os.Getpid()}}, log), ledger, log)
	gauges := &heat.Gauges{}
	s := New(Sources{Head: head, Gauges: gauges, Watcher: w, Ingest: ingest.New(nil, w, head, log), Pacer: pacer.New(nil, w, gauges, pacer.DefaultBudget, log), Ledger: ledger, Version: "v0.0.0-test", Log: log})
	s.started = noon
	return s
}

type testWriter struct{ t *testing.T }

func (w testWriter) Write(p []byte) (int, error) {
	w.t.Log(strings.TrimSpace(string(p)))
	return len(p), nil
}

// serve opens a port for s and closes it when the test ends.
func serve(t *testing.T, s *Server, a Access) *Listener {
	t.Helper()
	l, err := a.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l
}

func loopback(t *testing.T, s *Server) string {
	return serve(t, s, Access{Listen: "127.0.0.1:0"}).URL
}

// post sends JSON as curl would, and returns the status and the answer.
func post(t *testing.T, url, method, body string) (int, map[string]any) {
	t.Helper()
	response, err := http.Post(url+"/gotherm.v1.AgentService/"+method, "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	content, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	var answer map[string]any
	if err := json.Unmarshal(content, &answer); err != nil {
		t.Fatalf("%s answers %d with %q, which is no JSON: %v", method, response.StatusCode, content, err)
	}
	return response.StatusCode, answer
}

var (
	shopSweep = heat.Key{POM: "gc.stw", Process: "7-70", Service: "shop", Version: "v1", Node: heat.NodeKey(0), CPU: heat.NodeKey(1), Reason: "sweep termination"}
	shopMark  = heat.Key{POM: "gc.stw", Process: "7-70", Service: "shop", Version: "v1", Node: heat.NodeKey(1), CPU: heat.NodeKey(2), Reason: "mark termination"}
	tillMark  = heat.Key{POM: "gc.stw", Process: "8-80", Service: "till", Version: "v9", Node: heat.NodeKey(0), CPU: heat.NodeKey(0), Reason: "mark termination"}
)

// observe adds values in nanoseconds to a second after noon.
func observe(s *Server, k heat.Key, second int, values ...uint64) {
	for _, v := range values {
		s.Head.Matrix(k).Add(noon.Add(time.Duration(second)*time.Second), heat.Bucket(v), 1, v, v)
	}
}

// pass lets the head's time pass to a second after noon. It takes hits for the
// seconds about it only.
func pass(s *Server, second int) { s.Head.Advance(noon.Add(time.Duration(second) * time.Second)) }

// at is a time as JSON.
func at(second int) string { return noon.Add(time.Duration(second) * time.Second).Format(time.RFC3339) }

func TestOnePortSpeaksConnectGRPCAndGRPCWebAndAllAnswerTheSame(t *testing.T) {
	s := newServer(t)
	observe(s, shopSweep, 1, 10_000, 20_000)
	observe(s, shopMark, 2, 40_000)
	url := loopback(t, s)
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	overHTTP2 := &http.Client{Transport: &http.Transport{Protocols: h2c}}
	defer overHTTP2.CloseIdleConnections()
	for name, client := range map[string]gothermpbconnect.AgentServiceClient{
		"Connect":                gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url),
		"Connect with JSON":      gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url, connect.WithProtoJSON()),
		"Connect over HTTP/2":    gothermpbconnect.NewAgentServiceClient(overHTTP2, url),
		"gRPC":                   gothermpbconnect.NewAgentServiceClient(overHTTP2, url, connect.WithGRPC()),
		"gRPC-Web":               gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url, connect.WithGRPCWeb()),
		"Connect that zips":      gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url, connect.WithSendGzip()),
		"gRPC that zips as well": gothermpbconnect.NewAgentServiceClient(overHTTP2, url, connect.WithGRPC(), connect.WithSendGzip()),
	} {
		answer, err := client.QueryHeat(t.Context(), connect.NewRequest(&gothermpb.QueryHeatRequest{
			Pom: "gc.stw", Start: timestamppb.New(noon), End: timestamppb.New(noon.Add(4 * time.Second)),
			Step: durationpb.New(2 * time.Second), GroupBy: []string{"service"},
		}))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		m := answer.Msg
		if m.Schema != 3 || m.Unit != "ns" || len(m.Series) != 1 || m.Series[0].Labels["service"] != "shop" || len(m.Series[0].Columns) != 2 {
			t.Errorf("%s: %v", name, m)
			continue
		}
		first := m.Series[0].Columns[0]
		if !first.Start.AsTime().Equal(noon) || first.Sum != 30_000 || first.Max != 20_000 || len(first.Buckets) != 2 || int(first.Buckets[0]) != heat.Bucket(10_000) {
			t.Errorf("%s: first column %v", name, first)
		}
		if _, err := client.QueryHeat(t.Context(), connect.NewRequest(&gothermpb.QueryHeatRequest{})); connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%s: an empty request gets %v, want %v", name, err, connect.CodeInvalidArgument)
		}
	}
}

func TestHeatAsCurlReadsIt(t *testing.T) {
	s := newServer(t)
	observe(s, shopSweep, 1, 10_000, 10_000)
	observe(s, tillMark, 1, 10_000)
	url := loopback(t, s)
	status, answer := post(t, url, "QueryHeat", fmt.Sprintf(
		`{"pom":"gc.stw","start":%q,"end":%q,"step":"1s","groupBy":["reason","node"],"matchers":[{"dimension":"service","values":["shop"]}]}`, at(0), at(4)))
	want := fmt.Sprintf(`{"schema":3,"unit":"ns","step":"1s","series":[{"labels":{"reason":"sweep termination","node":"0"},`+
		`"columns":[{"start":%q,"buckets":[%d],"counts":["2"],"sum":"20000","max":"10000"}]}]}`, at(1), heat.Bucket(10_000))
	if status != http.StatusOK || !sameJSON(answer, want) {
		t.Errorf("got %d %v\nwant %s", status, answer, want)
	}
}

func sameJSON(got map[string]any, want string) bool {
	g, err := json.Marshal(got)
	if err != nil {
		return false
	}
	var a, b any
	if json.Unmarshal(g, &a) != nil || json.Unmarshal([]byte(want), &b) != nil {
		return false
	}
	g, _ = json.Marshal(a)
	w, _ := json.Marshal(b)
	return bytes.Equal(g, w)
}

func TestTheAgentSaysWhoItIs(t *testing.T) {
	_, answer := post(t, loopback(t, newServer(t)), "GetAgent", `{}`)
	for _, field := range []string{"version", "hostname", "kernel", "architecture", "numaNodes", "cpus", "started", "cpuTime", "residentBytes", "historyStart"} {
		if answer[field] == nil {
			t.Errorf("%s is missing in %v", field, answer)
		}
	}
	if n := len(answer["accounting"].([]any)); n != len(probe.Catalogue) {
		t.Errorf("accounts for %d points, the catalogue has %d", n, len(probe.Catalogue))
	}
}

func TestTheCatalogueIsServedWhole(t *testing.T) {
	_, answer := post(t, loopback(t, newServer(t)), "ListMeasurementPoints", `{}`)
	points := answer["points"].([]any)
	var want []string
	for _, p := range probe.Catalogue {
		want = append(want, p.Name)
	}
	for _, g := range probe.Gauges {
		want = append(want, g.Name)
	}
	if len(points) != len(want) {
		t.Fatalf("%d points, the catalogue has %d", len(points), len(want))
	}
	for i, p := range points {
		if got := p.(map[string]any)["name"]; got != want[i] {
			t.Errorf("point %d is %v, want %s", i, got, want[i])
		}
	}
}

func TestDimensionValuesAreThoseThatWereHitInTheRange(t *testing.T) {
	s := newServer(t)
	observe(s, shopSweep, 0, 10_000)
	pass(s, 5)
	observe(s, shopMark, 5, 10_000)
	observe(s, tillMark, 5, 10_000)
	url := loopback(t, s)
	for body, want := range map[string]string{
		fmt.Sprintf(`{"pom":"gc.stw","dimension":"reason","start":%q,"end":%q}`, at(0), at(9)):                                                           "[mark termination sweep termination]",
		fmt.Sprintf(`{"pom":"gc.stw","dimension":"reason","start":%q,"end":%q}`, at(3), at(9)):                                                           "[mark termination]",
		fmt.Sprintf(`{"pom":"gc.stw","dimension":"node","start":%q,"end":%q}`, at(0), at(9)):                                                             "[0 1]",
		fmt.Sprintf(`{"pom":"gc.stw","dimension":"service","matchers":[{"dimension":"node","values":["1"]}],"start":%q,"end":%q}`, at(0), at(9)):         "[shop]",
		fmt.Sprintf(`{"pom":"gc.stw","dimension":"service","matchers":[{"dimension":"reason","values":["no such"]}],"start":%q,"end":%q}`, at(0), at(9)): "<nil>",
	} {
		if _, answer := post(t, url, "ListDimensionValues", body); fmt.Sprint(answer["values"]) != want {
			t.Errorf("%s: got %v, want %s", body, answer, want)
		}
	}
}

func TestOnlyWhatIsOnDemandCanBeAskedFor(t *testing.T) {
	url := loopback(t, newServer(t))
	for body, want := range map[string]string{
		`{"pom":"gc.stw","duration":"5s"}`:                                                             "gc.stw, which is always watched",
		`{"pom":"goroutine.create"}`:                                                                   "duration is missing",
		`{"pom":"goroutine.create","duration":"0s"}`:                                                   "duration is 0s, must be over 0s and at most 5m0s",
		`{"pom":"goroutine.create","duration":"301s"}`:                                                 "duration is 5m1s, must be over 0s and at most 5m0s",
		`{"pom":"goroutine.create","duration":"5s","matchers":[{"dimension":"function"}]}`:             `matchers.dimension is "function", must be one of the dimensions of a process`,
		`{"pom":"goroutine.create","duration":"-5s","matchers":[{"dimension":"process","values":[]}]}`: "duration is -5s",
	} {
		status, answer := post(t, url, "RequestAttach", body)
		if message := fmt.Sprint(answer["message"]); status != http.StatusBadRequest || !strings.Contains(message, want) {
			t.Errorf("%s: got %d %q, want %q", body, status, message, want)
		}
	}
	if status, answer := post(t, url, "RequestAttach", `{"pom":"goroutine.create","duration":"5s"}`); status != http.StatusOK {
		t.Errorf("got %d %v, want an answer, even if nobody is there to attach to", status, answer)
	}
}
