package frames

import (
	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Stages makes a frame of stages, as [stages.Table] and [stages.Heat] lay them out, one that Grafana's SDK sends.
func Stages(of stages.Frame) *data.Frame {
	f := data.NewFrame(of.Name)
	for _, from := range of.Fields {
		f.Fields = append(f.Fields, data.NewField(from.Name, data.Labels(from.Labels), from.Values).SetConfig(&data.FieldConfig{
			DisplayNameFromDS: from.Shown, Unit: from.Unit, Interval: float64(from.Step.Milliseconds()),
		}))
	}
	own, plugin := of.Visualization()
	of.About.Services = append([]string{}, of.About.Services...)
	return f.SetMeta(&data.FrameMeta{
		Type: data.FrameType(of.Type), TypeVersion: data.FrameTypeVersion(of.TypeVersion()), Custom: of.About,
		PreferredVisualization: data.VisType(own), PreferredVisualizationPluginID: plugin,
	})
}
