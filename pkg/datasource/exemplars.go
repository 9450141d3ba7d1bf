package datasource

import (
	"cmp"
	"context"
	"fmt"
	"slices"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// exemplars answers the kind exemplars: the greatest that any agent has.
func (d *Datasource) exemplars(ctx context.Context, r request) (data.Frames, []failure, error) {
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.QueryExemplarsResponse, error) {
		answer, err := a.api.QueryExemplars(ctx, connect.NewRequest(&pb.QueryExemplarsRequest{
			Pom: r.POM, Matchers: onTheWire(r.Matchers), Limit: maxExemplars,
			Start: timestamppb.New(r.from), End: timestamppb.New(r.to),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg, checkExemplars(answer.Msg)
	})
	about := frames.Subject{POM: r.POM}
	var all []*pb.Exemplar
	for _, a := range answers {
		if about.Unit != "" && a.value.Unit != about.Unit {
			return nil, nil, fmt.Errorf("agents disagree on the unit: %q and %q", about.Unit, a.value.Unit)
		}
		about.Unit = a.value.Unit
		all = append(all, a.value.Exemplars...)
	}
	slices.SortStableFunc(all, func(a, b *pb.Exemplar) int { return cmp.Compare(b.Value, a.Value) })
	return data.Frames{frames.Exemplars(about, all[:min(len(all), maxExemplars)])}, failures, nil
}
