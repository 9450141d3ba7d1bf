package frames

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Seen is a process as an agent sees it.
type Seen struct {
	Agent string
	*pb.Process
}

// Processes makes the table of the Go processes that agents see: how each is,
// what watching costs it and what was shed to hold that cost. Ordered by
// service, version, agent and process.
//
//	process, service, version, go, executable, agent, host, container, unit  string
//	state   string    "firing", "attached" or "refused"
//	heat    string    "cold", "warm" or "hot"; sets how finely it is watched
//	cost    *float64  of watching: share of the CPU time that the process uses, over the last seconds
//	budget  *float64  what that may be
//	cpus    *float64  CPUs that the process used in the last second
//	runs    *float64  program runs per second
//	total   *float64  seconds of CPU time that watching has cost
//	points  int64     measurement points that are watched
//	shed    string    points that were detached to hold the cost, each with its reason
//	reason  string    why it, or points of it, are refused
//
// What is not known is null.
func Processes(processes []Seen) *data.Frame {
	processes = slices.SortedFunc(slices.Values(processes), func(a, b Seen) int {
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(a.Version, b.Version), cmp.Compare(a.Agent, b.Agent), cmp.Compare(a.Id, b.Id))
	})
	table := data.NewFrame("processes").SetMeta(&data.FrameMeta{
		Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable,
	})
	text := func(name string, of func(Seen) string) {
		values := make([]string, len(processes))
		for i, p := range processes {
			values[i] = of(p)
		}
		table.Fields = append(table.Fields, data.NewField(name, nil, values))
	}
	cost := func(name, unit string, of func(*pb.WatchingCost) float64) {
		values := make([]*float64, len(processes))
		for i, p := range processes {
			if p.Cost != nil {
				v := of(p.Cost)
				values[i] = &v
			}
		}
		table.Fields = append(table.Fields, data.NewField(name, nil, values).SetConfig(&data.FieldConfig{Unit: unit}))
	}
	text("service", func(p Seen) string { return p.Service })
	text("version", func(p Seen) string { return p.Version })
	text("process", func(p Seen) string { return p.Id })
	text("state", func(p Seen) string { return stateOf(p.Process) })
	text("heat", func(p Seen) string { return p.Cost.GetHeat() })
	cost("cost", "percentunit", (*pb.WatchingCost).GetRatio)
	cost("budget", "percentunit", (*pb.WatchingCost).GetBudget)
	cost("cpus", "short", (*pb.WatchingCost).GetCpus)
	cost("runs", "cps", (*pb.WatchingCost).GetRunsPerSecond)
	cost("total", "s", func(c *pb.WatchingCost) float64 { return c.Total.AsDuration().Seconds() })
	watched := make([]int64, len(processes))
	for i, p := range processes {
		watched[i] = int64(count(p.Points, pb.ProcessPoint_STATE_FIRING) + count(p.Points, pb.ProcessPoint_STATE_ATTACHED))
	}
	table.Fields = append(table.Fields, data.NewField("points", nil, watched))
	text("shed", func(p Seen) string { return Reasons(p.Points, pb.ProcessPoint_STATE_SHED) })
	text("reason", func(p Seen) string { return cmp.Or(p.Refused, Reasons(p.Points, pb.ProcessPoint_STATE_REFUSED)) })
	text("go", func(p Seen) string { return p.GoVersion })
	text("agent", func(p Seen) string { return p.Agent })
	text("host", func(p Seen) string { return p.Hostname })
	text("container", func(p Seen) string { return p.Container })
	text("unit", func(p Seen) string { return p.Unit })
	text("executable", func(p Seen) string { return p.Executable })
	return table
}

func stateOf(p *pb.Process) string {
	switch {
	case p.Refused != "":
		return "refused"
	case count(p.Points, pb.ProcessPoint_STATE_FIRING) > 0:
		return "firing"
	}
	return "attached"
}

func count(points []*pb.ProcessPoint, state pb.ProcessPoint_State) (n int) {
	for _, p := range points {
		if p.State == state {
			n++
		}
	}
	return n
}

// Reasons lists the points in a state, "sched.latency: over budget", those with the same reason together.
func Reasons(points []*pb.ProcessPoint, state pb.ProcessPoint_State) string {
	var reasons []string
	names := map[string][]string{}
	for _, p := range points {
		if p.State != state {
			continue
		}
		if names[p.Reason] == nil {
			reasons = append(reasons, p.Reason)
		}
		names[p.Reason] = append(names[p.Reason], p.Pom)
	}
	for i, reason := range reasons {
		reasons[i] = fmt.Sprintf("%s: %s", strings.Join(names[reason], ", "), cmp.Or(reason, "no reason is given"))
	}
	return strings.Join(reasons, "; ")
}
