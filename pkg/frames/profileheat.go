package frames

import (
	"time"

	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// ProfileHeat makes the heatmap-rows frame of profiles over time: a row of cells
// for each function, or value of a label. Columns are step wide; those of which
// there is no profile are null, which is not nothing.
//
//	0 time      time      end of the column; none is left out from the first profile to the last
//	1 ... name  *float64  of what was added up meanwhile, per second: of CPU and delays 1 is all of the time; else, what there was
//
// The starts of columns are those of the heat, in order, multiples of the step.
func ProfileHeat(about Profile, heat profile.Heat, starts []time.Time, step time.Duration, perSecond bool) *data.Frame {
	subject := Subject{POM: about.Kind, Step: step, Gauge: true}
	columns := 0
	if len(starts) > 0 && len(heat.Rows) > 0 {
		columns = int(starts[len(starts)-1].Sub(starts[0])/step) + 1
	}
	times := make([]time.Time, columns)
	for i := range times {
		times[i] = starts[0].Add(time.Duration(i+1) * step).UTC()
	}
	unit, scale := about.heatUnit(perSecond)
	fields := data.Fields{data.NewField("time", nil, times).SetConfig(subject.interval())}
	for row, name := range heat.Rows {
		values := make([]*float64, columns)
		for i, start := range starts {
			v := heat.Values[row][i] * scale
			values[start.Sub(starts[0])/step] = &v
		}
		fields = append(fields, data.NewField(name, data.Labels{"row": name}, values).SetConfig(&data.FieldConfig{Unit: unit, DisplayNameFromDS: name}))
	}
	return data.NewFrame(about.Kind, fields...).SetMeta(&data.FrameMeta{
		Type: TypeHeatmapRows, TypeVersion: typeVersion, PreferredVisualizationPluginID: PanelID,
		Custom: struct {
			Custom
			ProfileCustom
		}{subject.custom(), about.custom(0)},
	})
}

// heatUnit is the unit of cells, and what values are multiplied by.
func (p Profile) heatUnit(perSecond bool) (unit string, scale float64) {
	if !perSecond {
		return p.unit().Unit, 1
	}
	switch p.Type.Unit {
	case "nanoseconds":
		return "percentunit", 1e-9
	case "bytes":
		return "Bps", 1
	}
	return "cps", 1
}
