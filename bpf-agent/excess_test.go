package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

const (
	excessRounds   = 7
	excessRequests = 20_000
	// excessMix is the load's own, without what computes for milliseconds and
	// has next to nothing to do with goroutines: its noise is greater than all
	// that the agent adds.
	excessMix = "products=55,cart=12,checkout=10"
	// leastExcessRatio is what was promised.
	leastExcessRatio = 8
)

// entryScript is what a user of bpftrace writes to count what goroutines do:
// how they come, run, wait, become ready, and go.
const entryScript = `
uprobe:%[1]s:"runtime.newproc1",
uprobe:%[1]s:"runtime.execute",
uprobe:%[1]s:"runtime.gopark",
uprobe:%[1]s:"runtime.ready",
uprobe:%[1]s:"runtime.gdestroy"
{
	@calls[probe] = count();
}
`

// samePoints are the agent's for the same, at all times: they are hit where
// goroutines come, run, wait, become ready, and go.
var samePoints = []string{"goroutine.create", "sched.latency.exact", "goroutine.wait", "goroutine.exit"}

// BenchmarkExcess measures how much more bpftrace slows down a target than the
// agent does, where both are told of the same five things that goroutines do:
// what bpftrace adds to the CPU time of a request over what the agent adds,
// with all else that it always measures. Rounds and control are as in
// BenchmarkCost.
func BenchmarkExcess(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	if _, err := exec.LookPath("bpftrace"); err != nil {
		b.Skipf("bpftrace is not installed: %v", err)
	}
	shop, err := filepath.Abs("../bin/shop")
	if err != nil {
		b.Fatal(err)
	}
	pid := startShop(b)
	request := func() float64 { return perRequestOf(b, pid, excessRequests, "--mix", excessMix) }
	request() // warm up

	var traced, watched, control []float64
	for range excessRounds {
		var off, off2, byBpftrace, byAgent float64
		runs := []func(){
			func() { off = request() },
			func() { off2 = request() },
			func() {
				tracer := startBpftrace(b, fmt.Sprintf(entryScript, shop))
				byBpftrace = request()
				endForBenchmark(tracer)
			},
			func() {
				agent := startAgent(b, pid, "--budget", "50%")
				attachSamePoints(b)
				byAgent = request()
				attachSamePoints(b) // they still are
				endForBenchmark(agent)
			},
		}
		rand.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
		for _, run := range runs {
			run()
		}
		traced = append(traced, byBpftrace/off)
		watched = append(watched, byAgent/off)
		control = append(control, off2/off)
	}
	theirs, ours := median(traced), median(watched)
	ratio := (theirs - 1) / (ours - 1)
	for _, figure := range []struct {
		name  string
		value float64
	}{
		{"bpftrace_slowdown_ratio", theirs}, {"bpftrace_agent_slowdown_ratio", ours},
		{"bpftrace_aa_ratio", median(control)}, {"bpftrace_excess_ratio", ratio},
	} {
		fmt.Printf("%s %.4f\n", figure.name, figure.value)
		b.ReportMetric(figure.value, figure.name)
	}
	if ratio < leastExcessRatio {
		b.Errorf("bpftrace slows the shop down to %.3f, the agent to %.3f: excess ratio %.2f, at least %d was promised", theirs, ours, ratio, leastExcessRatio)
	}
}

// startBpftrace starts a script and returns when all of it is attached: what
// comes first in it and what comes last are heard of.
func startBpftrace(b *testing.B, script string) *exec.Cmd {
	b.Helper()
	path := filepath.Join(b.TempDir(), "script.bt")
	const first, last = "interval:ms:100 { printf(\"first\\n\"); }\n", "interval:ms:100 { printf(\"last\\n\"); }\n"
	if err := os.WriteFile(path, []byte(first+script+last), 0o600); err != nil {
		b.Fatal(err)
	}
	output, err := os.Create(path + ".out")
	if err != nil {
		b.Fatal(err)
	}
	tracer := exec.Command("bpftrace", path)
	tracer.Stdout, tracer.Stderr = output, output
	if err := tracer.Start(); err != nil {
		b.Fatalf("start bpftrace: %v", err)
	}
	output.Close()
	b.Cleanup(func() { endForBenchmark(tracer) })
	eventually(b, "bpftrace to attach", func() bool {
		said, err := os.ReadFile(output.Name())
		return err == nil && strings.Contains(string(said), "first\n") && strings.Contains(string(said), "last\n")
	})
	return tracer
}

// attachSamePoints has the agent attach what bpftrace does.
func attachSamePoints(b *testing.B) {
	b.Helper()
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, "http://"+costAgent)
	for _, pom := range samePoints {
		response, err := client.RequestAttach(context.Background(), connect.NewRequest(&gothermpb.RequestAttachRequest{
			Pom: pom, Duration: durationpb.New(5 * time.Minute),
		}))
		if err != nil {
			b.Fatalf("attach %s: %v", pom, err)
		}
		for _, a := range response.Msg.Attachments {
			if a.Refused != "" || a.Shed != "" {
				b.Fatalf("attach %s: refused %q, shed %q", pom, a.Refused, a.Shed)
			}
		}
	}
}
