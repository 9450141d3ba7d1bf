package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

const (
	stormWatched = 10
	stormRate    = 1_000_000
	stormAgent   = "127.0.0.1:17118"
	stormSettle  = 5 * time.Second
	stormLength  = 20 * time.Second
	stormBudget  = 0.01
	stormMemory  = 64 << 20
)

// BenchmarkStorm lets one of ten watched processes spawn goroutines as fast as
// it can, with everything switched on that there is, and holds what watching
// costs against the budget, the agent's memory against 64 MiB, and all hits
// against what became of them. Then it holds what watching is estimated to
// cost against what the process needs more, where that can be told apart from
// noise.
func BenchmarkStorm(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	report := func(name string, value float64) {
		fmt.Printf("%s %.4g\n", name, value)
		b.ReportMetric(value, name)
	}
	path := filepath.Join(b.TempDir(), "gotherm-agent")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		b.Fatalf("build the agent: %v\n%s", err, out)
	}
	var targets []*target.Target
	var pids []string
	for i := range stormWatched {
		t := target.Start(b, target.Build(b, "", fmt.Sprintf("-ldflags=-X main.number=%d", i)))
		targets, pids = append(targets, t), append(pids, strconv.Itoa(t.PID()))
	}
	storm := targets[0]
	a := startStormAgent(b, path, "1%", pids)
	storm.Ask("storm %d", stormRate)
	a.askForEverything()
	time.Sleep(stormSettle)
	begin := a.cost(storm.PID())
	cpu := processCPU(b, storm.PID())
	spawned := storm.Ask("stats").Spawned
	for range 4 {
		time.Sleep(stormLength / 4)
		a.askForEverything()
	}
	used := processCPU(b, storm.PID()) - cpu
	spent := a.cost(storm.PID()).Total.AsDuration() - begin.Total.AsDuration()
	per := float64(storm.Ask("stats").Spawned-spawned) / stormLength.Seconds()
	report("storm_goroutines_per_s", per)
	factor := spent.Seconds() / used.Seconds() / stormBudget
	report("budget_hold_factor", factor)
	if factor > 1.5 {
		b.Errorf("watching costs %.2f times its budget", factor)
	}
	shed := 0
	for _, p := range a.process(storm.PID()).Points {
		if p.State == gothermpb.ProcessPoint_STATE_SHED {
			shed++
		}
	}
	report("storm_points_shed", float64(shed))
	for _, t := range targets {
		t.Freeze()
	}
	a.checkConserved()
	resident := a.peakResident()
	report("agent_rss_mib", resident/(1<<20))
	if resident > stormMemory {
		b.Errorf("the agent took %.1f MiB, at most %d", resident/(1<<20), stormMemory>>20)
	}
	for _, t := range targets {
		t.Thaw()
	}
	storm.Ask("calm")
	endForBenchmark(a.command)

	// Each goroutine works for some microseconds, so that one probe on it is a
	// cost that a generous budget allows.
	perGoroutine := func() float64 {
		cpu, spawned := processCPU(b, storm.PID()), storm.Ask("stats").Spawned
		time.Sleep(3 * time.Second)
		n := storm.Ask("stats").Spawned - spawned
		return float64(processCPU(b, storm.PID())-cpu) / float64(n)
	}
	storm.Ask("storm %d 1000", stormRate)
	var ratios []float64
	for range 5 {
		without := perGoroutine()
		a := startStormAgent(b, path, "50%", pids[:1])
		a.ask("goroutine.create")
		before, spawned := a.cost(storm.PID()).Total.AsDuration(), storm.Ask("stats").Spawned
		with := perGoroutine()
		estimated := float64(a.cost(storm.PID()).Total.AsDuration()-before) / float64(storm.Ask("stats").Spawned-spawned)
		endForBenchmark(a.command)
		ratios = append(ratios, estimated/(with-without))
	}
	report("cost_estimate_ratio", median(ratios))
	storm.Ask("calm")
	for _, t := range targets {
		t.Stop() // fails when it did not survive
	}
}

// stormAgentProcess is an agent of its own.
type stormAgentProcess struct {
	b       *testing.B
	command *exec.Cmd
	client  gothermpbconnect.AgentServiceClient
	points  []string // on demand
}

func startStormAgent(b *testing.B, path, budget string, pids []string) *stormAgentProcess {
	b.Helper()
	a := &stormAgentProcess{
		b: b, command: exec.Command(path, "run", "--listen", stormAgent, "--budget", budget, "--pid", strings.Join(pids, ",")),
		client: gothermpbconnect.NewAgentServiceClient(http.DefaultClient, "http://"+stormAgent),
	}
	startForBenchmark(b, a.command)
	eventually(b, "the agent to attach", func() bool {
		response, err := a.client.GetAgent(context.Background(), connect.NewRequest(&gothermpb.GetAgentRequest{}))
		return err == nil && int(response.Msg.ProcessesWatched) == len(pids)
	})
	response, err := a.client.ListMeasurementPoints(context.Background(), connect.NewRequest(&gothermpb.ListMeasurementPointsRequest{}))
	if err != nil {
		b.Fatal(err)
	}
	for _, p := range response.Msg.Points {
		if p.OnDemand {
			a.points = append(a.points, p.Name)
		}
	}
	return a
}

func (a *stormAgentProcess) ask(pom string) {
	a.b.Helper()
	if _, err := a.client.RequestAttach(context.Background(), connect.NewRequest(&gothermpb.RequestAttachRequest{
		Pom: pom, Duration: durationpb.New(time.Minute),
	})); err != nil {
		a.b.Fatal(err)
	}
}

func (a *stormAgentProcess) askForEverything() {
	a.b.Helper()
	for _, pom := range a.points {
		a.ask(pom)
	}
}

func (a *stormAgentProcess) process(pid int) *gothermpb.Process {
	a.b.Helper()
	response, err := a.client.ListProcesses(context.Background(), connect.NewRequest(&gothermpb.ListProcessesRequest{}))
	if err != nil {
		a.b.Fatal(err)
	}
	for _, p := range response.Msg.Processes {
		if int(p.Pid) == pid {
			return p
		}
	}
	a.b.Fatalf("the agent does not know process %d", pid)
	return nil
}

// cost is what watching costs a process.
func (a *stormAgentProcess) cost(pid int) (c *gothermpb.WatchingCost) {
	a.b.Helper()
	eventually(a.b, "what watching costs", func() bool {
		c = a.process(pid).Cost
		return c != nil
	})
	return c
}

// checkConserved checks, of processes that are frozen, that each hit was
// carried or counted, once the agent has taken all of them.
func (a *stormAgentProcess) checkConserved() {
	a.b.Helper()
	var wrong string
	for range 50 {
		time.Sleep(200 * time.Millisecond)
		response, err := a.client.GetAgent(context.Background(), connect.NewRequest(&gothermpb.GetAgentRequest{}))
		if err != nil {
			a.b.Fatal(err)
		}
		wrong = ""
		for _, p := range response.Msg.Accounting {
			if p.Carried+p.Counted != p.Hits {
				wrong += fmt.Sprintf("%s: carried %d + counted %d is not the hits, %d\n", p.Pom, p.Carried, p.Counted, p.Hits)
			}
		}
		if wrong == "" {
			return
		}
	}
	a.b.Error(wrong)
}

// peakResident is the most memory that the agent has had, in bytes.
func (a *stormAgentProcess) peakResident() float64 {
	a.b.Helper()
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", a.command.Process.Pid))
	if err != nil {
		a.b.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	kib, _, _ := strings.Cut(strings.TrimSpace(rest), " ")
	n, err := strconv.ParseFloat(kib, 64)
	if err != nil {
		a.b.Fatalf("VmHWM of the agent is %q: %v", kib, err)
	}
	return n * 1024
}
