package datasource

import (
	"bytes"
	"cmp"
	"context"
	"encoding/base64"
	"fmt"
	"maps"
	"math"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"connectrpc.com/connect"
	format "github.com/google/pprof/profile"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	pushv1 "github.com/grafana/pyroscope/api/gen/proto/go/push/v1"
	"github.com/grafana/pyroscope/api/gen/proto/go/push/v1/pushv1connect"
	typesv1 "github.com/grafana/pyroscope/api/gen/proto/go/types/v1"
)

// startPyroscope starts a real one, with a storage of v1 or v2, and returns its URL.
func startPyroscope(t *testing.T, storage string) string {
	binary := os.Getenv("GOTHERM_PYROSCOPE")
	if binary == "" {
		t.Skip("cannot run here: needs GOTHERM_PYROSCOPE: the path of a Pyroscope binary")
	}
	const host = "127.0.0.1"
	ports := make([]int, 4)
	for i := range ports {
		l, err := net.Listen("tcp", host+":0")
		if err != nil {
			t.Fatal(err)
		}
		ports[i] = l.Addr().(*net.TCPAddr).Port
		defer l.Close()
	}
	dir := t.TempDir()
	at := func(name string) string { return filepath.Join(dir, name) }
	flags := []string{
		"-architecture.storage=" + storage, "-auth.multitenancy-enabled=true", "-usage-stats.enabled=false", "-self-profiling.disable-push=true", "-tracing.enabled=false",
		"-server.http-listen-address=" + host, fmt.Sprint("-server.http-listen-port=", ports[0]),
		"-server.grpc-listen-address=" + host, fmt.Sprint("-server.grpc-listen-port=", ports[1]),
		"-memberlist.bind-addr=" + host, fmt.Sprint("-memberlist.bind-port=", ports[2]),
		"-memberlist.advertise-addr=" + host, fmt.Sprint("-memberlist.advertise-port=", ports[2]),
		"-distributor.ring.instance-addr=" + host, "-overrides-exporter.ring.instance-addr=" + host, "-query-frontend.instance-addr=" + host,
		"-pyroscopedb.data-path=" + at("db"), "-storage.backend=filesystem", "-storage.filesystem.dir=" + at("shared"),
	}
	if storage == "v2" {
		grpc, raft := fmt.Sprint(host, ":", ports[1]), fmt.Sprint(host, ":", ports[3])
		flags = append(flags, "-metastore.min-ready-duration=0", "-metastore.address="+grpc, "-query-backend.address="+grpc,
			"-metastore.data-dir="+at("metastore"), "-metastore.raft.dir="+at("raft"), "-metastore.raft.snapshots-dir="+at("snapshots"),
			"-metastore.raft.server-id="+raft, "-metastore.raft.bind-address="+raft, "-metastore.raft.advertise-address="+raft,
			"-segment-writer.min-ready-duration=0", "-segment-writer.lifecycler.addr="+host)
	} else {
		flags = append(flags, "-write-path=ingester", "-ingester.lifecycler.addr="+host, "-ingester.min-ready-duration=0",
			"-query-scheduler.ring.instance-addr="+host, "-store-gateway.sharding-ring.instance-addr="+host, "-compactor.ring.instance-addr="+host,
			"-blocks-storage.bucket-store.sync-dir="+at("sync"), "-compactor.data-dir="+at("compactor"))
	}
	server := exec.Command(binary, flags...)
	server.Dir = dir
	var said bytes.Buffer
	server.Stdout, server.Stderr = &said, &said
	server.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = server.Process.Kill()
		_ = server.Wait()
		if t.Failed() {
			t.Logf("Pyroscope said:\n%.20000s", said.String())
		}
	})
	return fmt.Sprint("http://", host, ":", ports[0])
}

// burnt is a CPU profile of this process, which did something for two routes.
func burnt(t *testing.T, at time.Time) *format.Profile {
	var raw bytes.Buffer
	if err := pprof.StartCPUProfile(&raw); err != nil {
		t.Fatal(err)
	}
	for i, route := range []string{"/cart", "/checkout"} {
		pprof.Do(t.Context(), pprof.Labels("route", route), func(context.Context) {
			// Of a busy machine it takes longer to get so much of a CPU.
			stop, until := make(chan struct{}), cpuUsed(t)+time.Duration(i+1)*200*time.Millisecond
			go func() {
				for cpuUsed(t) < until {
					time.Sleep(5 * time.Millisecond)
				}
				close(stop)
			}()
			burn(stop)
		})
	}
	pprof.StopCPUProfile()
	return stamped(t, raw.Bytes(), at)
}

// cpuUsed is how long this process has used a CPU.
func cpuUsed(t *testing.T) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		t.Error(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// stamped reads a profile, and gives it another time.
func stamped(t *testing.T, raw []byte, at time.Time) *format.Profile {
	p, err := profile.Parse(bytes.NewReader(raw), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	p.TimeNanos = at.UnixNano()
	return p
}

// push gives Pyroscope a profile of a service, as its SDK does.
func push(t *testing.T, address, service, name string, p *format.Profile, labels ...string) {
	t.Helper()
	var raw bytes.Buffer
	if err := p.Write(&raw); err != nil {
		t.Fatal(err)
	}
	series := &pushv1.RawProfileSeries{
		Labels:  []*typesv1.LabelPair{{Name: "__name__", Value: name}, {Name: serviceLabel, Value: service}},
		Samples: []*pushv1.RawSample{{RawProfile: raw.Bytes()}},
	}
	for i := 0; i < len(labels); i += 2 {
		series.Labels = append(series.Labels, &typesv1.LabelPair{Name: labels[i], Value: labels[i+1]})
	}
	client := pushv1connect.NewPusherServiceClient(http.DefaultClient, address)
	request := func() *connect.Request[pushv1.PushRequest] {
		r := connect.NewRequest(&pushv1.PushRequest{Series: []*pushv1.RawProfileSeries{series}})
		r.Header().Set("X-Scope-OrgID", "street")
		return r
	}
	var err error
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		// A server that is just starting refuses, and takes nothing.
		if _, err = client.Push(t.Context(), request()); err == nil {
			return
		}
	}
	t.Fatal(err)
}

// TestTheProfilesThatPyroscopeKeeps has a real Pyroscope keep profiles of this
// very process, and asks for them as a dashboard does: what it shows is what was pushed.
func TestTheProfilesThatPyroscopeKeeps(t *testing.T) {
	for _, storage := range []string{"v2", "v1"} {
		t.Run(storage, func(t *testing.T) { testStored(t, startPyroscope(t, storage)) })
	}
}

func testStored(t *testing.T, address string) {
	minute := time.Now().Truncate(time.Minute)
	old, middle, recent := minute.Add(-9*time.Minute), minute.Add(-4*time.Minute), minute.Add(-2*time.Minute)
	var pushed []*format.Profile
	for i, at := range []time.Time{old, middle, recent} {
		p := burnt(t, at)
		pushed = append(pushed, p)
		push(t, address, "shop", "process_cpu", p, "version", fmt.Sprint("v", i+1))
	}
	runtime.GC()
	var raw bytes.Buffer
	if err := pprof.Lookup("heap").WriteTo(&raw, 0); err != nil {
		t.Fatal(err)
	}
	heap := stamped(t, raw.Bytes(), recent)
	push(t, address, "shop", "memory", heap)
	push(t, address, "kitchen", "process_cpu", pushed[0])

	d := openWith(t, asPyroscope(t, address, 30, map[string]string{"X-Scope-OrgID": "street"}))
	list := func(path string) string {
		var listed string
		err := d.CallResource(t.Context(), &backend.CallResourceRequest{Method: http.MethodGet, Path: strings.Split(path, "?")[0], URL: path},
			backend.CallResourceResponseSenderFunc(func(r *backend.CallResourceResponse) error { listed += string(r.Body); return nil }))
		if err != nil {
			t.Fatal(err)
		}
		return listed
	}
	waitFor(t, "Pyroscope to list what was pushed", func() bool {
		return strings.TrimSpace(list("services")) == `{"values":["kitchen","shop"]}` && strings.Contains(list("profiles?service=shop"), "memory:")
	})
	if listed := list("profiles?service=shop"); !strings.Contains(listed, `{"type":"`+cpuType+`","count":0,"timed":false}`) || !strings.Contains(listed, "memory:inuse_space:bytes") {
		t.Errorf("of the shop it lists %s", listed)
	}
	health, err := d.CheckHealth(t.Context(), &backend.CheckHealthRequest{})
	if err != nil || health.Status != backend.HealthStatusOk || health.Message != "Pyroscope answers. Services with profiles in the last hour: 2." {
		t.Errorf("health is %+v, %v", health, err)
	}

	over := backend.TimeRange{From: minute.Add(-10 * time.Minute), To: minute}
	asked := func(kind query.Kind, p query.Profile, matchers ...query.Matcher) backend.DataResponse {
		t.Helper()
		return ask(t, d, dataQuery(t, query.Query{Kind: kind, Profile: &p, Matchers: matchers}, over))
	}
	frame := func(kind query.Kind, p query.Profile, matchers ...query.Matcher) *data.Frame {
		t.Helper()
		got := asked(kind, p, matchers...)
		if got.Error != nil {
			t.Fatalf("%s of %+v: %v", kind, p, got.Error)
		}
		return got.Frames[0]
	}
	sum := func(f profile.Filter, of ...*format.Profile) profile.Top {
		merged, err := profile.Merge(of)
		if err != nil {
			t.Fatal(err)
		}
		kept := f.Keep(merged)
		about, err := profile.TypeOf(kept, "cpu")
		if err != nil {
			t.Fatal(err)
		}
		return profile.TopOf(kept, about)
	}
	filter := func(function, label string) profile.Filter {
		f, err := profile.NewFilter(function, label)
		if err != nil {
			t.Fatal(err)
		}
		return f
	}

	// All that was pushed, to the nanosecond, by function.
	all := sum(filter("", ""), pushed...)
	same := func(what string, f *data.Frame, want profile.Top) {
		t.Helper()
		if want.Total == 0 {
			t.Fatalf("%s: there is nothing to find", what)
		}
		got := profile.Top{}
		for i := range f.Rows() {
			got.Functions = append(got.Functions, profile.Function{Name: f.Fields[0].At(i).(string), Flat: f.Fields[1].At(i).(int64), Cum: f.Fields[3].At(i).(int64)})
		}
		byName := func(a, b profile.Function) int { return cmp.Compare(a.Name, b.Name) }
		slices.SortFunc(got.Functions, byName)
		slices.SortFunc(want.Functions, byName)
		if !slices.Equal(got.Functions, want.Functions) {
			t.Errorf("%s: the table has %+v, what was pushed %+v", what, got.Functions, want.Functions)
		}
	}
	same("all", frame(query.KindTop, query.Profile{Service: "shop"}), all)
	same("by its own type", frame(query.KindTop, query.Profile{Service: "shop", Type: cpuType}), all)
	same("of another service", frame(query.KindTop, query.Profile{Service: "kitchen"}), sum(filter("", ""), pushed[0]))
	same("of a label", frame(query.KindTop, query.Profile{Service: "shop", Label: "route=/check.*"}), sum(filter("", "route=/check.*"), pushed...))
	same("of a function", frame(query.KindTop, query.Profile{Service: "shop", Function: "burn$"}), sum(filter("burn$", ""), pushed...))
	same("of two versions", frame(query.KindTop, query.Profile{Service: "shop"}, query.Matcher{Dimension: "version", Values: []string{"v1", "v3"}}), sum(filter("", ""), pushed[0], pushed[2]))
	same("of a window", frame(query.KindTop, query.Profile{Service: "shop", From: middle.UnixMilli(), To: recent.UnixMilli()}), sum(filter("", ""), pushed[1]))
	if got := rootOf(t, frame(query.KindFlame, query.Profile{Service: "shop"})); got != all.Total {
		t.Errorf("the flame graph has %d ns, %d were pushed", got, all.Total)
	}

	// Less the window before.
	less := frame(query.KindTop, query.Profile{Service: "shop", From: recent.UnixMilli(), Base: &query.Profile{From: old.UnixMilli(), To: middle.UnixMilli()}})
	var difference int64
	for i := range less.Rows() {
		difference += less.Fields[1].At(i).(int64)
	}
	if want := sum(filter("", ""), pushed[2]).Total - sum(filter("", ""), pushed[0]).Total; difference != want {
		t.Errorf("the difference comes to %d, want %d", difference, want)
	}

	download := frame(query.KindProfile, query.Profile{Service: "shop", SampleType: "samples"})
	unpacked, err := base64.StdEncoding.DecodeString(download.Fields[2].At(0).(string))
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(bytes.NewReader(unpacked), profile.Usual)
	if err != nil || len(p.SampleType) != 1 || p.SampleType[0].Type != "samples" {
		t.Errorf("the download is %v, %v", p, err)
	}

	// What there is at a time says that it was added up.
	inuse := frame(query.KindFlame, query.Profile{Service: "shop", Type: "heap"})
	about, err := profile.TypeOf(heap, "inuse_space")
	if err != nil {
		t.Fatal(err)
	}
	value, _ := inuse.FieldByName("value")
	if want := profile.TopOf(heap, about).Total; value.At(0).(int64) != want || value.Config.Unit != "bytes" || len(inuse.Meta.Notices) != 1 || !strings.Contains(inuse.Meta.Notices[0].Text, "adds up") {
		t.Errorf("the heap is %d %s with %+v, was %d", value.At(0), value.Config.Unit, inuse.Meta.Notices, want)
	}

	testStoredHeat(t, frame, pushed, map[time.Time]int{old: 0, middle: 1, recent: 2}, sum, filter)

	if got := asked(query.KindProfileHeat, query.Profile{Service: "shop", GroupBy: "label:route", Label: "route=/nowhere"}); got.Error == nil || !strings.Contains(got.Error.Error(), "there is no "+cpuType) {
		t.Errorf("heat of nothing is %v", got.Error)
	}
	for says, p := range map[string]query.Profile{
		`profile.type is "mutex", which there is none of`:    {Service: "shop", Type: "mutex"},
		`of service kitchen there is ` + cpuType:             {Service: "kitchen", Type: "heap"},
		`profile.service is "cellar", of which there is not`: {Service: "cellar"},
		`profile.sampleType is "delay", must be one of cpu,`: {Service: "shop", SampleType: "delay"},
		`route=~"/nowhere"} from`:                            {Service: "shop", Label: "route=/nowhere"},
	} {
		if got := asked(query.KindFlame, p); got.Error == nil || !strings.Contains(got.Error.Error(), says) || !strings.Contains(got.Error.Error(), "pyroscope ("+address+")") {
			t.Errorf("%+v: the error is %v, want it to say %q", p, got.Error, says)
		}
	}
	week := ask(t, d, dataQuery(t, query.Query{Kind: query.KindTop, Profile: &query.Profile{Service: "shop"}}, backend.TimeRange{From: minute.Add(-48 * time.Hour), To: minute}))
	if week.Error == nil || !strings.Contains(week.Error.Error(), "refuses: ") || !strings.Contains(week.Error.Error(), "limit") {
		t.Errorf("of two days the error is %v", week.Error)
	}

	// Without its tenant, and in another, it is seen by nobody.
	lost := openWith(t, asPyroscope(t, address, 30, nil))
	if health, err := lost.CheckHealth(t.Context(), &backend.CheckHealthRequest{}); err != nil || health.Status != backend.HealthStatusError || !strings.Contains(health.Message, "refuses: no org id: see to pyroscope.headers") {
		t.Errorf("health without a tenant is %+v, %v", health, err)
	}
	next := openWith(t, asPyroscope(t, address, 30, map[string]string{"X-Scope-OrgID": "next"}))
	if health, err := next.CheckHealth(t.Context(), &backend.CheckHealthRequest{}); err != nil || health.Message != "Pyroscope answers. Services with profiles in the last hour: 0." {
		t.Errorf("health of another tenant is %+v, %v", health, err)
	}

	// A server in front of it that sends away is not followed, with the headers.
	door := httptest.NewServer(http.StripPrefix("/behind", http.RedirectHandler(address, http.StatusFound)))
	defer door.Close()
	away := openWith(t, asPyroscope(t, door.URL+"/behind", 30, nil))
	if got := ask(t, away, dataQuery(t, query.Query{Kind: query.KindTop, Profile: &query.Profile{Service: "shop"}}, over)); got.Error == nil || !strings.Contains(got.Error.Error(), "redirects to "+address+", which is refused") {
		t.Errorf("of a redirect the error is %v", got.Error)
	}
}

// testStoredHeat holds heat by function and by label to what was pushed when: columns of a minute, and what was used of a second.
func testStoredHeat(t *testing.T, frame func(query.Kind, query.Profile, ...query.Matcher) *data.Frame, pushed []*format.Profile, when map[time.Time]int,
	sum func(profile.Filter, ...*format.Profile) profile.Top, filter func(function, label string) profile.Filter,
) {
	t.Helper()
	for groupBy, rows := range map[string]map[string]func(*format.Profile) int64{
		"label:route": {
			"/cart":     func(p *format.Profile) int64 { return sum(filter("", "route=/cart"), p).Total },
			"/checkout": func(p *format.Profile) int64 { return sum(filter("", "route=/checkout"), p).Total },
		},
		"function": {
			"all rows": func(p *format.Profile) int64 { return sum(filter("", ""), p).Total },
		},
		"label:version": {
			"all rows": func(p *format.Profile) int64 { return sum(filter("", ""), p).Total },
		},
	} {
		heat := frame(query.KindProfileHeat, query.Profile{Service: "shop", GroupBy: groupBy})
		step := time.Duration(heat.Fields[0].Config.Interval) * time.Millisecond
		got := map[time.Time]map[string]float64{}
		for i := range heat.Rows() {
			// A column is called by its end.
			start := heat.Fields[0].At(i).(time.Time).Add(-step)
			for _, f := range heat.Fields[1:] {
				if v := f.At(i).(*float64); v != nil && *v != 0 {
					if got[start] == nil {
						got[start] = map[string]float64{}
					}
					got[start][f.Name] += *v
					got[start]["all rows"] += *v
				}
			}
		}
		if len(got) != len(when) {
			t.Errorf("%s: the heat has columns at %v, want %v", groupBy, slices.Collect(maps.Keys(got)), slices.Collect(maps.Keys(when)))
		}
		for at, i := range when {
			for row, want := range rows {
				share := float64(want(pushed[i])) / float64(step)
				if v := got[floor(at, step).UTC()][row]; math.Abs(v-share) > 1e-12 || share == 0 {
					t.Errorf("%s: %s at %s is %g, want %g", groupBy, row, at, v, share)
				}
			}
		}
	}
}
