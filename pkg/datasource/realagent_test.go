package datasource

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// said is the output of a process, to read while it runs.
type said struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (s *said) Write(b []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(b)
}

func (s *said) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// startAgent runs the built agent over this very process and returns its URL.
func startAgent(t *testing.T) string {
	if runtime.GOOS != "linux" || os.Geteuid() != 0 {
		t.Skip("attaching probes needs Linux and root")
	}
	var output said
	agent := exec.Command(built(t, "bpf-agent"), "run", "--listen", "127.0.0.1:0", "--pid", fmt.Sprint(os.Getpid()))
	agent.Stdout, agent.Stderr = &output, &output
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = agent.Process.Signal(os.Interrupt)
		_ = agent.Wait()
		if t.Failed() {
			t.Logf("the agent said:\n%s", output.String())
		}
	})
	address := regexp.MustCompile(`http://127\.0\.0\.1:[1-9][0-9]*`)
	waitFor(t, "the agent to answer", func() bool { return address.MatchString(output.String()) })
	return address.FindString(output.String())
}

// TestEveryPauseOfThisProcessReachesTheFrames crosses the whole back half of
// the street: kernel, agent, plugin process, frames.
func TestEveryPauseOfThisProcessReachesTheFrames(t *testing.T) {
	settings := configured(t, 5, "here", startAgent(t))
	plugin := startPlugin(t)
	grafana := backend.PluginContext{PluginID: "gotherm-runtime-datasource", DataSourceInstanceSettings: &settings}
	waitFor(t, "this process to be watched", func() bool {
		health, err := plugin.CheckHealth(t.Context(), &backend.CheckHealthRequest{PluginContext: grafana})
		return err == nil && strings.Contains(health.Message, "processes: 1 watched")
	})

	ask := func(q query.Query) backend.DataResponse {
		now := time.Now()
		answer, err := plugin.QueryData(t.Context(), &backend.QueryDataRequest{
			PluginContext: grafana, Queries: []backend.DataQuery{dataQuery(t, q, backend.TimeRange{From: now.Add(-5 * time.Minute), To: now.Add(time.Minute)})},
		})
		if err != nil {
			t.Fatal(err)
		}
		if answer.Responses["A"].Error != nil {
			t.Fatal(answer.Responses["A"].Error)
		}
		return answer.Responses["A"]
	}
	pauses := query.Query{Kind: query.KindHeatmap, POM: "gc.stw", Matchers: []query.Matcher{{
		Dimension: "reason", Values: []string{"mark termination", "sweep termination"},
	}}}
	hits := func() (n float64) {
		for _, f := range ask(pauses).Frames {
			n += frameCount(f)
		}
		return n
	}
	// Probes are attached when the first of our pauses is seen.
	waitFor(t, "the first pause", func() bool { runtime.GC(); return hits() > 0 })
	time.Sleep(3 * time.Second) // what was hit until now is drained
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	already := hits()
	const collections = 50
	for range collections {
		runtime.GC()
	}
	runtime.ReadMemStats(&after)
	want := already + float64(2*(after.NumGC-before.NumGC))
	waitFor(t, "all pauses", func() bool { return hits() >= want })
	// A collection of its own may have run between the counts: at most a few.
	if got := hits(); got > want+6 {
		t.Errorf("%g pauses in the frames, %g were made", got, want)
	}
	waitFor(t, "the count as a series for alert rules", func() bool {
		var counted float64
		for _, f := range ask(query.Query{Kind: query.KindSeries, POM: "gc.stw", Matchers: pauses.Matchers, Statistics: []string{"count"}}).Frames {
			for i := range f.Rows() {
				if len(f.Fields) > 1 {
					counted += f.At(1, i).(float64)
				}
			}
		}
		return counted >= want
	})
}
