package main

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/sys/unix"
	"gonum.org/v1/gonum/stat"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

const (
	costRounds   = 15
	costRequests = 4000
	// What the agent does once, as it starts, is not what points cost that are on.
	costWarmUp = 1500
	costAgent  = "127.0.0.1:17117"
	costShop   = "127.0.0.1:18090"
)

// BenchmarkCost measures what the points that are on by default cost the
// target: the CPU time that the shop needs for a request with the agent over
// without, next to a control that compares without and without. The budget is
// so wide that no point is shed. In a round the three runs come in random
// order, so that drift of the machine falls on all of them, and of the rounds
// the lower quartile counts: what else the machine does can only add. The
// agent's own CPU time is not the target's, and is printed apart.
func BenchmarkCost(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	pid := startShop(b)
	warm := func() float64 {
		perRequestOf(b, pid, costWarmUp)
		return perRequestOf(b, pid, costRequests)
	}

	var off, off2, on []float64
	var agentCPU time.Duration
	for range costRounds {
		inAnyOrder(
			func() { off = append(off, warm()) },
			func() { off2 = append(off2, warm()) },
			func() {
				agent := startAgent(b, pid, "--budget", "50%")
				perRequestOf(b, pid, costWarmUp)
				before := processCPU(b, agent.Process.Pid)
				on = append(on, perRequestOf(b, pid, costRequests))
				agentCPU += processCPU(b, agent.Process.Pid) - before
				endForBenchmark(agent)
			},
		)
	}
	ratio, aa := undisturbed(on)/undisturbed(slices.Concat(off, off2)), undisturbed(off2)/undisturbed(off)
	fmt.Printf("cost_default_ratio %.4f\n", ratio)
	fmt.Printf("cost_aa_ratio %.4f\n", aa)
	fmt.Printf("cost_agent_us_per_request %.2f\n", float64(agentCPU.Microseconds())/(costRounds*costRequests))
	b.ReportMetric(ratio, "cost_default_ratio")
	b.ReportMetric(aa, "cost_aa_ratio")
	if ratio > 1.05 {
		b.Errorf("a request costs the shop %.4f of what it does unwatched, at most 1.05 was promised (control: %.4f)", ratio, aa)
	}
}

// startShop starts the shop, which has to be built, and returns its pid when it answers.
func startShop(b *testing.B) int {
	b.Helper()
	for _, path := range []string{"../bin/gotherm-agent", "../bin/shop", "../bin/shop-load"} {
		if _, err := os.Stat(path); err != nil {
			b.Fatalf("%v: run this as go tool mage bench:cost", err)
		}
	}
	shop := exec.Command("../bin/shop", "--listen", costShop, "--metrics-listen", "127.0.0.1:0")
	startForBenchmark(b, shop)
	eventually(b, "the shop", func() bool {
		response, err := http.Get("http://" + costShop + "/version")
		if err == nil {
			response.Body.Close()
		}
		return err == nil
	})
	return shop.Process.Pid
}

// perRequestOf returns the nanoseconds of CPU time that a process spends on one
// request under load. Flags say which requests, where they are not the load's own.
func perRequestOf(b *testing.B, pid, requests int, flags ...string) float64 {
	b.Helper()
	before := processCPU(b, pid)
	load := exec.Command("../bin/shop-load", append([]string{"--url", "http://" + costShop, "--requests", strconv.Itoa(requests), "--connections", "8"}, flags...)...)
	if out, err := load.CombinedOutput(); err != nil {
		b.Fatalf("load: %v\n%s", err, out)
	}
	return float64(processCPU(b, pid)-before) / float64(requests)
}

// processCPU reads the CPU clock of another process: clock_gettime(2) with the
// clock id that clock_getcpuclockid(3) makes of a pid.
func processCPU(b *testing.B, pid int) time.Duration {
	b.Helper()
	const cpuclockSched = 2
	var ts unix.Timespec
	if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
		b.Fatalf("read the CPU clock of process %d: %v", pid, err)
	}
	return time.Duration(ts.Nano())
}

// startAgent starts an agent and returns when its probes are on the process.
func startAgent(b *testing.B, pid int, flags ...string) *exec.Cmd {
	b.Helper()
	agent := exec.Command("../bin/gotherm-agent", append([]string{"run", "--pid", strconv.Itoa(pid), "--listen", costAgent}, flags...)...)
	startForBenchmark(b, agent)
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, "http://"+costAgent)
	eventually(b, "the agent to attach", func() bool {
		response, err := client.ListProcesses(context.Background(), connect.NewRequest(&gothermpb.ListProcessesRequest{}))
		if err != nil {
			return false
		}
		return slices.ContainsFunc(response.Msg.Processes, func(p *gothermpb.Process) bool {
			return slices.ContainsFunc(p.Points, func(point *gothermpb.ProcessPoint) bool {
				return point.Pom == "sched.latency" && (point.State == gothermpb.ProcessPoint_STATE_ATTACHED || point.State == gothermpb.ProcessPoint_STATE_FIRING)
			})
		})
	})
	return agent
}

func startForBenchmark(b *testing.B, cmd *exec.Cmd) {
	b.Helper()
	var output strings.Builder
	cmd.Stdout, cmd.Stderr = &output, &output
	if err := cmd.Start(); err != nil {
		b.Fatalf("start %s: %v", cmd.Path, err)
	}
	b.Cleanup(func() {
		endForBenchmark(cmd)
		if b.Failed() {
			b.Logf("%s said:\n%s", cmd.Path, output.String())
		}
	})
}

func endForBenchmark(cmd *exec.Cmd) {
	if cmd.ProcessState == nil {
		_ = cmd.Process.Signal(unix.SIGTERM)
		_ = cmd.Wait()
	}
}

func inAnyOrder(runs ...func()) {
	rand.Shuffle(len(runs), func(i, j int) { runs[i], runs[j] = runs[j], runs[i] })
	for _, run := range runs {
		run()
	}
}

// undisturbed is the lower quartile, of values that disturbance can only raise.
func undisturbed(values []float64) float64 {
	slices.Sort(values)
	return stat.Quantile(0.25, stat.LinInterp, values, nil)
}

func median(values []float64) float64 {
	slices.Sort(values)
	return stat.Quantile(0.5, stat.LinInterp, values, nil)
}
