package frames

import (
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Flame makes the frame of a flame graph, as the core panel reads it: bars
// depth first, each with its level. The first is the root.
//
//	level       int64  0 of the root
//	value       int64  of the bar with all that it called; of a difference, in the base
//	self        int64  of the function itself; of a difference, in the base
//	label       enum   the function
//	valueRight  int64  of a difference, in the profile that is compared
//	selfRight   int64
//
// A profile whose values may be negative, such as memory that was allocated and
// freed in a while, is a difference too: what was freed is the base.
func Flame(about Profile, flame profile.Flame) *data.Frame {
	n := len(flame.Nodes)
	level, label := make([]int64, n), make([]data.EnumItemIndex, n)
	left, right, selfLeft, selfRight := make([]int64, n), make([]int64, n), make([]int64, n), make([]int64, n)
	for i, node := range flame.Nodes {
		level[i], label[i] = int64(node.Level), data.EnumItemIndex(node.Name)
		left[i], right[i] = node.Left, node.Right
		selfLeft[i], selfRight[i] = node.SelfLeft, node.SelfRight
	}
	names := &data.FieldConfig{TypeConfig: &data.FieldTypeConfig{Enum: &data.EnumFieldConfig{Text: flame.Names}}}
	frame := data.NewFrame(about.Kind, data.NewField("level", nil, level))
	sum := flame.Nodes[0].Right
	if about.Difference || flame.Nodes[0].Left > 0 {
		sum = flame.Nodes[0].Left
		frame.Fields = append(frame.Fields,
			data.NewField("value", nil, left).SetConfig(about.unit()),
			data.NewField("self", nil, selfLeft).SetConfig(about.unit()),
			data.NewField("label", nil, label).SetConfig(names),
			data.NewField("valueRight", nil, right).SetConfig(about.unit()),
			data.NewField("selfRight", nil, selfRight).SetConfig(about.unit()),
		)
	} else {
		frame.Fields = append(frame.Fields,
			data.NewField("value", nil, right).SetConfig(about.unit()),
			data.NewField("self", nil, selfRight).SetConfig(about.unit()),
			data.NewField("label", nil, label).SetConfig(names),
		)
	}
	return frame.SetMeta(&data.FrameMeta{PreferredVisualization: data.VisTypeFlameGraph, Custom: about.custom(sum)})
}
