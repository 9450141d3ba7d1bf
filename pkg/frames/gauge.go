package frames

import (
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TypeHeatmapRows is the frame type of gauges as heat; the SDK has no constant for it.
const TypeHeatmapRows data.FrameType = "heatmap-rows"

// Gauge is what a gauge was of one process, step by step; steps without a value are left out.
type Gauge struct {
	Labels map[string]string
	Points []heat.GaugePoint
}

// GaugeSeries makes the timeseries-multi frame of one statistic of one process,
// as [Series] does of hits. A step without a value has no point.
func GaugeSeries(about Subject, statistic Statistic, gauge Gauge) *data.Frame {
	times, values := []time.Time{}, []float64{}
	for _, p := range gauge.Points {
		times = append(times, p.Start.UTC())
		values = append(values, about.scaled(statistic.ofGauge(p)))
	}
	return timeSeries(about, statistic, gauge.Labels, times, values)
}

// GaugeRows makes the heatmap-rows frame of a gauge: a row of cells for each
// process, whose heat is the mean of its values. The rows have names, and no
// bounds.
//
//	0 time      time      end of the column; columns are config.interval ms wide, and none is left out
//	1 ... name  *float64  mean in the column, labelled with the process; null where there is no value
func GaugeRows(about Subject, gauges []Gauge, from, to time.Time) *data.Frame {
	columns := int(to.Sub(from) / about.Step)
	if len(gauges) == 0 {
		columns = 0 // so that it reads as no data
	}
	times := make([]time.Time, columns)
	for i := range times {
		times[i] = from.Add(time.Duration(i+1) * about.Step).UTC()
	}
	fields := data.Fields{data.NewField("time", nil, times).SetConfig(about.interval())}
	for _, g := range gauges {
		means := make([]*float64, columns)
		for _, p := range g.Points {
			mean := about.scaled(p.Sum / float64(p.N))
			means[p.Start.Sub(from)/about.Step] = &mean
		}
		name := about.name(about.POM, g.Labels)
		fields = append(fields, data.NewField(name, g.Labels, means).SetConfig(&data.FieldConfig{Unit: about.valueUnit(), DisplayNameFromDS: name}))
	}
	return data.NewFrame(about.POM, fields...).SetMeta(&data.FrameMeta{
		Type:                           TypeHeatmapRows,
		TypeVersion:                    typeVersion,
		Custom:                         about.custom(),
		PreferredVisualizationPluginID: PanelID,
	})
}
