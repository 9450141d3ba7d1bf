package ingest

import (
	"bufio"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// startMapReduce runs examples/mapreduce for as long as the test does, and
// returns its pid and the address that it serves.
func startMapReduce(t *testing.T) (pid int, url string) {
	t.Helper()
	if os.Getenv(target.Made) != "" {
		t.Skip("cannot run here: there is no Go toolchain to build the example")
	}
	path := filepath.Join(t.TempDir(), "mapreduce")
	if out, err := exec.Command("go", "build", "-o", path, "../../examples/mapreduce").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	command := exec.Command(path, "--listen", "127.0.0.1:0", "--size", "500000")
	stderr, err := command.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		command.Process.Signal(os.Interrupt)
		if err := command.Wait(); err != nil {
			t.Errorf("the example: %v", err)
		}
	})
	for lines := bufio.NewScanner(stderr); lines.Scan(); {
		if _, address, found := strings.Cut(lines.Text(), "serving address="); found {
			go io.Copy(io.Discard, stderr)
			return command.Process.Pid, "http://" + address
		}
	}
	t.Fatal("the example did not say where it serves")
	return 0, ""
}

// What pkg/instrument labels a program's goroutines with is seen from outside:
// stages and routes as the dimension label, a trace id with its request.
func TestLabelsOfInstrumentArrive(t *testing.T) {
	pid, url := startMapReduce(t)
	a := watch(t, probe.Options{SampleRate: testRate}, pid)
	a.rateLimit(pid, 0)
	samples := func() map[string]uint64 {
		a.flush()
		labels := map[string]uint64{}
		for _, k := range a.head.Keys("oncpu", nil) {
			if k.Reason == "goroutine" {
				labels[k.Label] += a.total("oncpu", matchersOf(k)...).Count()
			}
		}
		return labels
	}
	trace := traceID(0xabcdef0123456789, 42)
	var asked atomic.Uint64
	ask := func() {
		r, err := http.NewRequest("GET", url+"/top", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("traceparent", "00-"+trace+"-00f067aa0ba902b7-01")
		response, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
		asked.Add(1)
	}
	wanted := map[string]uint64{"stage=map": 20, "stage=shuffle": 20, "stage=reduce": 1, "route=GET /top": 20}
	var seen map[string]uint64
	for end := time.Now().Add(20 * time.Second); time.Now().Before(end); {
		for range 5 {
			ask()
		}
		seen = samples()
		short := false
		for label, n := range wanted {
			short = short || seen[label] < n
		}
		if !short {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Logf("samples by label: %v", seen)
	for label, n := range wanted {
		if seen[label] < n {
			t.Errorf("%d samples have the label %s, want %d", seen[label], label, n)
		}
	}
	for label := range seen {
		if label != "" && !strings.HasPrefix(label, "stage=") && !strings.HasPrefix(label, "route=GET /") {
			t.Errorf("samples have the label %q, which nothing sets", label)
		}
	}
	// The job works all the time, and nearly all it does is in a stage.
	var inStages, all uint64
	for label, n := range seen {
		all += n
		if strings.HasPrefix(label, "stage=") {
			inStages += n
		}
	}
	if inStages < all/2 {
		t.Errorf("%d of %d samples are in a stage, want most", inStages, all)
	}
	// The middleware hands a copy of the request on: the route is known all the same.
	for _, k := range a.head.Keys("http.request", nil) {
		if k.Route != "GET /top" {
			t.Errorf("a request has the route %q, want GET /top", k.Route)
		}
	}
	if n := a.total("http.request", heat.Matcher{Dimension: "route", Values: []string{"GET /top"}}).Count(); n == 0 || n > asked.Load() {
		t.Errorf("%d requests of GET /top, %d were asked", n, asked.Load())
	}
	for _, e := range a.readEvents(bpf.KernelPointHTTP_REQUEST) {
		if got := traceID(e.Extra[0], e.Extra[1]); got != trace {
			t.Errorf("a request has the trace %s, want %s", got, trace)
		}
	}
}
