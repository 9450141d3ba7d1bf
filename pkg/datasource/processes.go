package datasource

import (
	"context"

	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// processTable answers the kind processes: those that the agents see now, whatever the time range.
func (d *Datasource) processTable(ctx context.Context, r request) (data.Frames, []failure, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) ([]*pb.Process, error) { return a.listProcesses(ctx) })
	var seen []frames.Seen
	for _, a := range answers {
		for _, p := range a.value {
			if processKey(p).Matches(matchersOf(r.Matchers)) {
				seen = append(seen, frames.Seen{Agent: a.agent.name, Process: p})
			}
		}
	}
	if err := atMost("processes", len(seen), maxPoints, "match fewer services"); err != nil {
		return nil, nil, err
	}
	return data.Frames{frames.Processes(seen)}, failures, nil
}

// processKey is what all series of a process have in common.
func processKey(p *pb.Process) heat.Key {
	return heat.Key{Process: p.Id, Service: p.Service, Version: p.Version}
}
