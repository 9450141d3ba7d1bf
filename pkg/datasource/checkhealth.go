package datasource

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// CheckHealth says of each agent what it sees, or why it does not answer; of targets and Pyroscope whether they do. It
// is an error when the settings are wrong or nobody answers. The details are
// a [query.AgentsAnswer].
func (d *Datasource) CheckHealth(ctx context.Context, _ *backend.CheckHealthRequest) (*backend.CheckHealthResult, error) {
	if d.broken != nil {
		return &backend.CheckHealthResult{Status: backend.HealthStatusError, Message: d.broken.Error()}, nil
	}
	states := d.agentStates(ctx)
	details, err := json.Marshal(query.AgentsAnswer{Agents: states})
	if err != nil {
		return nil, fmt.Errorf("spell health: %w", err)
	}
	result := &backend.CheckHealthResult{Status: backend.HealthStatusOk, JSONDetails: details}
	answering := 0
	var lines []string
	for _, s := range states {
		if s.Error == "" {
			answering++
		}
		lines = append(lines, healthLine(s))
	}
	var said []string
	if len(states) > 0 {
		said = append(said, fmt.Sprintf("%d of %d agents answer. %s", answering, len(states), strings.Join(lines, " ")))
	}
	if len(d.targets) > 0 {
		serving, line := d.targetsHealth(ctx)
		answering += serving
		said = append(said, line)
	}
	if d.pyroscope != nil {
		answers, line := d.pyroscope.health(ctx)
		if answers {
			answering++
		}
		said = append(said, line)
	}
	if answering == 0 {
		result.Status = backend.HealthStatusError
	}
	result.Message = strings.Join(said, " ")
	return result, nil
}

// targetsHealth says how many targets list their profiles, and why the others do not.
func (d *Datasource) targetsHealth(ctx context.Context) (serving int, line string) {
	var lines []string
	for i, state := range d.askTargets(ctx) {
		if state.err != nil {
			lines = append(lines, state.err.Error()+".")
			continue
		}
		serving++
		lines = append(lines, fmt.Sprintf("%s serves %d profiles.", d.targets[i].name, len(state.served)))
	}
	return serving, fmt.Sprintf("%d of %d targets answer. %s", serving, len(d.targets), strings.Join(lines, " "))
}

// saidShed is of how many processes health says what was shed.
const saidShed = 3

func healthLine(s query.AgentState) string {
	if s.Error != "" {
		return s.Error + "."
	}
	var hits, carried, counted uint64
	for _, a := range s.Accounting {
		hits, carried, counted = hits+a.Hits, carried+a.Carried, counted+a.Counted
	}
	line := fmt.Sprintf("%s (version %s on %s): processes: %d watched, %d refused; points firing: %d; hits: %d, of which %d carried and %d counted so far.",
		s.Name, s.Version, s.Hostname, s.ProcessesWatched, s.ProcessesRefused, s.PointsFiring, hits, carried, counted)
	if len(s.Shed) > 0 {
		line += " Shed to hold the cost of watching: " + strings.Join(s.Shed[:min(len(s.Shed), saidShed)], "; ")
		if more := len(s.Shed) - saidShed; more > 0 {
			line += fmt.Sprintf("; and of %d more processes", more)
		}
		line += "."
	}
	if s.ProcessesWatched == 0 && s.ProcessesRefused > 0 {
		line += " Nothing will be seen before that is mended: gotherm-agent doctor says how."
	}
	return line
}

// agentStates asks all agents how they are, in the order of the settings.
func (d *Datasource) agentStates(ctx context.Context) []query.AgentState {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (query.AgentState, error) {
		return a.state(ctx)
	})
	byAgent := map[*agent]query.AgentState{}
	for _, a := range answers {
		byAgent[a.agent] = a.value
	}
	for _, f := range failures {
		byAgent[f.agent] = query.AgentState{Name: f.agent.name, URL: f.agent.url, Error: f.Error()}
	}
	states := make([]query.AgentState, len(d.agents))
	for i, a := range d.agents {
		states[i] = byAgent[a]
	}
	return states
}

func (a *agent) state(ctx context.Context) (query.AgentState, error) {
	about, err := a.api.GetAgent(ctx, connect.NewRequest(&pb.GetAgentRequest{}))
	if err != nil {
		return query.AgentState{}, err
	}
	seen, err := a.api.ListProcesses(ctx, connect.NewRequest(&pb.ListProcessesRequest{}))
	if err != nil {
		return query.AgentState{}, err
	}
	said := about.Msg
	state := query.AgentState{
		Name: a.name, URL: a.url,
		Version: said.Version, Hostname: said.Hostname, Kernel: said.Kernel, Architecture: said.Architecture,
		NUMANodes: said.NumaNodes, CPUs: said.Cpus,
		ProcessesWatched: said.ProcessesWatched, ProcessesRefused: said.ProcessesRefused,
	}
	for _, p := range seen.Msg.Processes {
		if shed := frames.Reasons(p.Points, pb.ProcessPoint_STATE_SHED); shed != "" {
			state.Shed = append(state.Shed, fmt.Sprintf("%s %s: %s", p.Service, p.Id, shed))
		}
		for _, point := range p.Points {
			if point.State == pb.ProcessPoint_STATE_FIRING {
				state.PointsFiring++
			}
		}
	}
	for _, one := range said.Accounting {
		state.Accounting = append(state.Accounting, query.Accounting{
			POM: one.Pom, Hits: one.Hits, Carried: one.Carried, Counted: one.Counted, Coarse: one.Coarse,
		})
	}
	return state, nil
}
