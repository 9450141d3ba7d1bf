package server

import (
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// present makes the processes of keys count as seen just now.
func present(s *Server, keys ...heat.Key) {
	var marks []mark
	for _, k := range keys {
		marks = append(marks, mark{heat.Key{Process: k.Process, Service: k.Service, Version: k.Version}, []string{k.POM}})
	}
	s.attendance.take(time.Now(), marks)
}

// scrape reads /metrics as Prometheus does, native histograms and all.
func scrape(t *testing.T, url string) map[string]*dto.MetricFamily {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), "GET", url+"/metrics", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Header.Set("Accept", "application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	families := map[string]*dto.MetricFamily{}
	decoder := expfmt.NewDecoder(response.Body, expfmt.ResponseFormat(response.Header))
	for {
		f := &dto.MetricFamily{}
		if err := decoder.Decode(f); err == io.EOF {
			return families
		} else if err != nil {
			t.Fatal(err)
		}
		families[f.GetName()] = f
	}
}

func TestEachPointHasAMetricOfItsKind(t *testing.T) {
	s := newServer(t)
	for _, p := range probe.Catalogue {
		k := heat.Key{POM: p.Name, Process: "7-70", Service: "shop", Version: "v1"}
		observe(s, k, 1, 1_000)
		present(s, k)
	}
	families := scrape(t, loopback(t, s))
	for name, kind := range map[string]dto.MetricType{
		"gotherm_gc_stw_seconds":          dto.MetricType_HISTOGRAM,
		"gotherm_gc_stw_stopping_seconds": dto.MetricType_HISTOGRAM,
		"gotherm_gc_stw_stopped_seconds":  dto.MetricType_HISTOGRAM,
		"gotherm_sched_latency_seconds":   dto.MetricType_HISTOGRAM,
		"gotherm_goroutine_create_total":  dto.MetricType_COUNTER,
		"gotherm_goroutine_exit_total":    dto.MetricType_COUNTER,
		"gotherm_hits_total":              dto.MetricType_COUNTER,
		"gotherm_hits_carried_total":      dto.MetricType_COUNTER,
		"gotherm_hits_counted_total":      dto.MetricType_COUNTER,
		"gotherm_hits_coarse_total":       dto.MetricType_COUNTER,
		"gotherm_head_bytes":              dto.MetricType_GAUGE,
		"gotherm_head_series":             dto.MetricType_GAUGE,
		"gotherm_head_minutes":            dto.MetricType_GAUGE,
		"process_cpu_seconds_total":       dto.MetricType_COUNTER,
		"go_goroutines":                   dto.MetricType_GAUGE,
	} {
		if f := families[name]; f == nil || f.GetType() != kind {
			t.Errorf("%s is %v, want a %s", name, f, kind)
		}
	}
	for _, p := range probe.Catalogue {
		if f := families[metricName(p)]; f == nil || f.GetHelp() != p.Help {
			t.Errorf("%s: %v, want help %q", p.Name, f, p.Help)
		}
	}
}

func TestExportSaysWhatTheHeadHolds(t *testing.T) {
	s := newServer(t)
	s.Head.Matrix(heat.Key{POM: "gc.stw", Process: "7-70"}).Add(noon, 100, 1, 1, 1)
	s.Head.Matrix(heat.Key{POM: "gc.stw", Process: "7-71"}).Add(noon, 100, 1, 1, 1)
	pass(s, 200)
	pass(s, 400)
	s.Head.Pack()
	families := scrape(t, loopback(t, s))
	got := map[string]float64{}
	for _, name := range []string{"gotherm_head_bytes", "gotherm_head_series", "gotherm_head_minutes", "gotherm_head_oldest_timestamp_seconds"} {
		f := families[name]
		if f == nil {
			t.Fatalf("no %s", name)
		}
		for _, m := range f.Metric {
			for _, l := range m.Label {
				name += "{" + l.GetValue() + "}"
			}
			got[name] = m.GetGauge().GetValue()
		}
	}
	if got["gotherm_head_series"] != 2 || got["gotherm_head_minutes{all}"] != 1 || got["gotherm_head_minutes{process}"] != 0 ||
		got["gotherm_head_bytes"] < 1000 || got["gotherm_head_oldest_timestamp_seconds"] > float64(noon.Unix()) {
		t.Errorf("two series with hits in one minute: %v", got)
	}
}

func TestExportMovesNoHitToAnotherBucket(t *testing.T) {
	s := newServer(t)
	k := heat.Key{POM: "gc.stw", Process: "7-70", Service: "shop", Version: "v1"}
	// As many hits in a bucket as its number and one.
	for b := range heat.NumBuckets {
		s.Head.Matrix(k).Add(noon, b, uint64(b)+1, 7, 1)
	}
	present(s, k)
	h := scrape(t, loopback(t, s))["gotherm_gc_stw_seconds"].GetMetric()[0].GetHistogram()
	if h.GetSchema() != heat.Schema || h.GetZeroThreshold() != math.Exp2(-23) || h.GetZeroCount() != 1 {
		t.Errorf("schema %d, zero bucket to %g with %d", h.GetSchema(), h.GetZeroThreshold(), h.GetZeroCount())
	}
	if got, want := h.GetSampleSum(), 7*heat.NumBuckets/1e9; math.Abs(got-want) > 1e-15 {
		t.Errorf("sum %g s, want %g", got, want)
	}
	// The buckets as Prometheus reads them: spans of indexes, counts by differences.
	got := map[int]int64{}
	index, count, delta := 0, int64(0), 0
	for _, span := range h.GetPositiveSpan() {
		index += int(span.GetOffset())
		for range span.GetLength() {
			count += h.GetPositiveDelta()[delta]
			got[index] = count
			index, delta = index+1, delta+1
		}
	}
	if len(got) != heat.NumBuckets-1 {
		t.Errorf("%d buckets, want %d", len(got), heat.NumBuckets-1)
	}
	for b := 1; b < heat.NumBuckets; b++ {
		// The upper bound of index i is 2^(i/8).
		i := heat.FirstExponent + b
		if b < heat.Overflow && math.Abs(math.Exp2(float64(i)/8)/heat.UpperSeconds(b)-1) > 1e-12 {
			t.Errorf("bucket %d to %g s is index %d, to %g s", b, heat.UpperSeconds(b), i, math.Exp2(float64(i)/8))
		}
		if got[i] != int64(b)+1 {
			t.Errorf("bucket %d has %d hits, want %d", b, got[i], b+1)
		}
	}
}

func TestFunctionsAndCPUsMakeNoSeries(t *testing.T) {
	s := newServer(t)
	for i := range 50 {
		k := heat.Key{POM: "sched.latency", Process: "7-70", Service: "shop", Version: "v1", Node: heat.NodeKey(0), Function: fmt.Sprintf("main.f%d", i)}
		observe(s, k, 1, 1_000)
		k = shopMark
		k.CPU = heat.NodeKey(i)
		observe(s, k, 1, 1_000)
		present(s, k)
	}
	families := scrape(t, loopback(t, s))
	for _, name := range []string{"gotherm_sched_latency_seconds", "gotherm_gc_stw_seconds"} {
		m := families[name].GetMetric()
		if len(m) != 1 || m[0].GetHistogram().GetSampleCount() != 50 {
			t.Errorf("%s: %d series, the first of %d; want one of 50", name, len(m), m[0].GetHistogram().GetSampleCount())
		}
	}
}

func TestACounterOutlivesTheHourAndAnEndedProcessItsLastScrape(t *testing.T) {
	s := newServer(t)
	url := loopback(t, s)
	count := func() uint64 {
		f := scrape(t, url)["gotherm_gc_stw_seconds"]
		if f == nil {
			return 0
		}
		return f.GetMetric()[0].GetHistogram().GetSampleCount()
	}
	observe(s, shopMark, 1, 1_000, 2_000, 3_000)
	present(s, shopMark)
	if got := count(); got != 3 {
		t.Fatalf("%d hits, want 3", got)
	}
	pass(s, 2*3600)
	if got := count(); got != 3 {
		t.Errorf("after two hours %d hits, want 3 still", got)
	}
	present(s) // the process has ended
	if got := count(); got != 3 {
		t.Errorf("right after the end %d hits, want 3 still", got)
	}
	s.attendance.processes[shopMark.Process].lastSeen = time.Now().Add(-farewell - time.Second)
	if got := count(); got != 0 {
		t.Errorf("long after the end %d hits, want no series", got)
	}
}

// A real Prometheus scrapes the agent, and answers histogram_quantile.
func TestPrometheusReadsTheQuantilesBack(t *testing.T) {
	binary, err := exec.LookPath("prometheus")
	if err != nil {
		t.Skip("no prometheus is installed: apt-get install prometheus")
	}
	s := newServer(t)
	var all heat.Histogram
	for v := uint64(1_000); v <= 1_000_000; v += 1_000 {
		observe(s, shopMark, 1, v)
		all.Observe(v)
	}
	present(s, shopMark)
	agent := strings.TrimPrefix(loopback(t, s), "http://")

	dir := t.TempDir()
	config := filepath.Join(dir, "prometheus.yml")
	if err := os.WriteFile(config, []byte("scrape_configs: [{job_name: gotherm, scrape_interval: 1s, static_configs: [{targets: ['"+agent+"']}]}]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := freeAddress(t)
	cmd := exec.CommandContext(t.Context(), binary, "--config.file="+config, "--storage.tsdb.path="+filepath.Join(dir, "data"),
		"--web.listen-address="+address, "--enable-feature=native-histograms", "--log.level=warn")
	var said strings.Builder
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	ask := func(query string) (value float64, ok bool) {
		response, err := http.Get("http://" + address + "/api/v1/query?query=" + url.QueryEscape(query))
		if err != nil {
			return 0, false
		}
		defer response.Body.Close()
		var answer struct {
			Data struct {
				Result []struct{ Value [2]any }
			}
		}
		if json.NewDecoder(response.Body).Decode(&answer) != nil || len(answer.Data.Result) != 1 {
			return 0, false
		}
		text, isText := answer.Data.Result[0].Value[1].(string)
		if !isText {
			return 0, false // a histogram, not a number
		}
		_, err = fmt.Sscan(text, &value)
		return value, err == nil
	}
	const metric = `gotherm_gc_stw_seconds{service="shop",reason="mark termination",node="1",version="v1"}`
	for range 150 {
		if v, ok := ask("histogram_count(" + metric + ")"); ok && v == 1000 {
			break
		}
		time.Sleep(200 * time.Millisecond)
	}
	for query, want := range map[string]float64{
		"histogram_count(" + metric + ")":                              1000,
		"histogram_sum(" + metric + ")":                                float64(all.Sum) / 1e9,
		"histogram_quantile(0.5, " + metric + ")":                      all.Quantile(0.5) / 1e9,
		"histogram_quantile(0.99, " + metric + ")":                     all.Quantile(0.99) / 1e9,
		`max(gotherm_hits_total{pom="gc.stw"})`:                        0,
		`up{job="gotherm"}`:                                            1,
		`count(count by (pom) (gotherm_hits_total))`:                   float64(len(probe.Catalogue)),
		`count({__name__=~"gotherm_gc_stw_seconds(_bucket|_sum)?"})`:   1,
		"histogram_fraction(0, 0.0005, " + metric + ") > bool 0.4":     1,
		"histogram_fraction(0, 0.0005, " + metric + ") < bool 0.6":     1,
		"histogram_quantile(1, " + metric + ") > bool 0.0009":          1,
		`sum(process_resident_memory_bytes{job="gotherm"}) > bool 1e6`: 1,
	} {
		got, ok := ask(query)
		// Prometheus 2.42 interpolates linearly in a bucket, we exponentially: a bucket is 9 % wide.
		if !ok || math.Abs(got-want) > 0.045*want {
			t.Errorf("%s is %g (%v), want %g", query, got, ok, want)
		}
	}
}

// freeAddress is a loopback address that nobody listened on a moment ago.
func freeAddress(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}
