package datasource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// gaugesOf is what one agent said of a gauge, or several together.
type gaugesOf struct {
	unit   string
	gauges []frames.Gauge
}

func (a *agent) queryGauges(ctx context.Context, r request, start, end time.Time) (gaugesOf, error) {
	answer, err := a.api.QueryGauges(ctx, connect.NewRequest(&pb.QueryGaugesRequest{
		Name: r.POM, Matchers: onTheWire(r.Matchers), Start: timestamppb.New(start), End: timestamppb.New(end), Step: durationpb.New(r.step),
	}))
	if err != nil {
		return gaugesOf{}, err
	}
	gauges, err := readGauges(answer.Msg, start, end, r.step)
	return gaugesOf{answer.Msg.Unit, gauges}, err
}

// gaugeFrames makes the frames of the kinds heatmap and series of a gauge.
// There is at least one. Nothing is streamed: agents stream hits only.
func gaugeFrames(r request, parts []gaugesOf, start, end time.Time) (data.Frames, error) {
	if len(r.GroupBy) > 0 {
		return nil, fmt.Errorf("groupBy has %q, but %s is a gauge, which has a series for each process: leave it empty", r.GroupBy[0], r.POM)
	}
	merged, err := mergeGauges(parts)
	if err != nil {
		return nil, err
	}
	about := frames.Subject{POM: r.POM, Unit: merged.unit, Gauge: true, Step: r.step, Legend: r.Legend}
	if err := r.statisticsSuit(about); err != nil {
		return nil, err
	}
	if err := atMost("series", len(merged.gauges), maxSeries, "match fewer processes"); err != nil {
		return nil, err
	}
	if r.Kind == query.KindHeatmap {
		if err := atMost("cells", len(merged.gauges)*int(end.Sub(start)/r.step), maxCells, "ask for a shorter range, fewer data points or fewer processes"); err != nil {
			return nil, err
		}
		return data.Frames{frames.GaugeRows(about, merged.gauges, start, end)}, nil
	}
	var result data.Frames
	points := 0
	for _, gauge := range merged.gauges {
		for _, statistic := range r.statistics {
			f := frames.GaugeSeries(about, statistic, gauge)
			points += f.Rows()
			if err := atMost("points", points, maxPoints, "ask for a shorter range, fewer data points or fewer processes"); err != nil {
				return nil, err
			}
			result = append(result, f)
		}
	}
	if result == nil {
		result = data.Frames{frames.NoSeries()}
	}
	return result, nil
}

// mergeGauges puts what several agents say together, in the order of the
// labels. Where two of them watch the same process, its values are those of
// both. The arguments stay as they were.
func mergeGauges(parts []gaugesOf) (gaugesOf, error) {
	type one struct {
		labels map[string]string
		points map[int64]heat.GaugePoint
	}
	all := map[string]one{}
	var merged gaugesOf
	for _, p := range parts {
		if merged.unit != "" && p.unit != merged.unit {
			return gaugesOf{}, fmt.Errorf("agents disagree on the unit: %q and %q", merged.unit, p.unit)
		}
		merged.unit = p.unit
		for _, g := range p.gauges {
			key := labelKey(g.Labels)
			if all[key].points == nil {
				all[key] = one{g.Labels, map[int64]heat.GaugePoint{}}
			}
			for _, point := range g.Points {
				at := point.Start.Unix()
				if other, there := all[key].points[at]; there {
					point.N += other.N
					point.Sum += other.Sum
					point.Min, point.Max = min(point.Min, other.Min), max(point.Max, other.Max)
				}
				all[key].points[at] = point
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(all)) {
		g := frames.Gauge{Labels: all[key].labels}
		for _, at := range slices.Sorted(maps.Keys(all[key].points)) {
			g.Points = append(g.Points, all[key].points[at])
		}
		merged.gauges = append(merged.gauges, g)
	}
	return merged, nil
}
