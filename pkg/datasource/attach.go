package datasource

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/durationpb"
)

// attachFor is how long one query keeps a costly measurement point watched.
// Dashboards that refresh, and streams, ask again before it is over; when
// nobody looks any more, the agent detaches by itself.
const attachFor = time.Minute

// attachAgain is how often a stream renews the wish to watch a costly point; well under attachFor.
const attachAgain = attachFor / 2

// attachDimensions are the dimensions by which processes are chosen.
var attachDimensions = []string{"process", "service", "version"}

// attach asks every agent to watch the query's measurement point, and returns
// what was refused as notices. An agent that does not answer is said by the query itself.
func (d *Datasource) attach(ctx context.Context, r request) []data.Notice {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.RequestAttachResponse, error) {
		return a.requestAttach(ctx, r.heatQuery())
	})
	var notices []data.Notice
	notice := func(format string, args ...any) {
		notices = append(notices, data.Notice{Severity: data.NoticeSeverityWarning, Text: fmt.Sprintf(format, args...)})
	}
	for _, f := range failures {
		if f.kind == refused {
			notice("%v: asked to watch %s", f, r.POM)
		}
	}
	for _, a := range answers {
		for _, one := range a.value.Attachments {
			if one.Refused != "" {
				notice("agent %s refuses to watch %s of process %s: %s", a.agent.name, r.POM, one.Process, one.Refused)
			}
		}
	}
	return notices
}

func (a *agent) requestAttach(ctx context.Context, q heatQuery) (*pb.RequestAttachResponse, error) {
	var matchers []*pb.Matcher
	for _, m := range onTheWire(q.matchers) {
		if slices.Contains(attachDimensions, m.Dimension) {
			matchers = append(matchers, m)
		}
	}
	answer, err := a.api.RequestAttach(ctx, connect.NewRequest(&pb.RequestAttachRequest{
		Pom: q.pom, Matchers: matchers, Duration: durationpb.New(attachFor),
	}))
	if err != nil {
		return nil, err
	}
	return answer.Msg, nil
}

// keepAttached renews the wish to watch a costly point until ctx is done. Its
// refusals are said by queries.
func (a *agent) keepAttached(ctx context.Context, q heatQuery) {
	again := time.NewTicker(attachAgain)
	defer again.Stop()
	for {
		calling, cancel := context.WithTimeout(ctx, a.timeout)
		_, _ = a.requestAttach(calling, q)
		cancel()
		select {
		case <-ctx.Done():
			return
		case <-again.C:
		}
	}
}
