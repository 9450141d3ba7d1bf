package frames

import (
	"cmp"
	"maps"
	"slices"
	"strconv"
	"time"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Exemplars makes the table of single hits, in order of time.
//
//	time       time     when it happened
//	value      float64  in seconds for durations
//	traceID    string   lower-case hexadecimal; give this field a data link to where traces are kept
//	goroutine  string   id: JavaScript's numbers do not hold all of them
//	function   string   where the goroutine started
//	...        string   a field for each dimension that any of them has, in the order of display
//	...        float64  a field for each extra that any of them has, by name; null where it has not
func Exemplars(about Subject, exemplars []*pb.Exemplar) *data.Frame {
	exemplars = slices.SortedStableFunc(slices.Values(exemplars), func(a, b *pb.Exemplar) int {
		return cmp.Compare(a.Time.AsTime().UnixNano(), b.Time.AsTime().UnixNano())
	})
	n := len(exemplars)
	at, value := make([]time.Time, n), make([]float64, n)
	trace, goroutine, function := make([]string, n), make([]string, n), make([]string, n)
	dimensions, extras := map[string][]string{}, map[string][]*float64{}
	for i, e := range exemplars {
		at[i], value[i] = e.Time.AsTime(), about.scaled(float64(e.Value))
		trace[i], function[i] = e.TraceId, e.StartFunction
		if e.Goid != 0 {
			goroutine[i] = strconv.FormatUint(e.Goid, 10)
		}
		for dimension, v := range e.Labels {
			// The start function has a field of its own.
			if dimension == "function" {
				function[i] = cmp.Or(function[i], v)
				continue
			}
			if dimensions[dimension] == nil {
				dimensions[dimension] = make([]string, n)
			}
			dimensions[dimension][i] = v
		}
		for name, v := range e.Extra {
			if extras[name] == nil {
				extras[name] = make([]*float64, n)
			}
			extra := float64(v)
			extras[name][i] = &extra
		}
	}
	fields := data.Fields{
		data.NewField("time", nil, at),
		data.NewField("value", nil, value).SetConfig(&data.FieldConfig{Unit: about.valueUnit(), DisplayNameFromDS: about.POM}),
		data.NewField("traceID", nil, trace).SetConfig(&data.FieldConfig{DisplayNameFromDS: "trace id"}),
		data.NewField("goroutine", nil, goroutine),
		data.NewField("function", nil, function).SetConfig(&data.FieldConfig{DisplayNameFromDS: "start function"}),
	}
	byDisplay := func(a, b string) int {
		return cmp.Or(cmp.Compare(uint(slices.Index(heat.Dimensions, a)), uint(slices.Index(heat.Dimensions, b))), cmp.Compare(a, b))
	}
	for _, dimension := range slices.SortedFunc(maps.Keys(dimensions), byDisplay) {
		fields = append(fields, data.NewField(dimension, nil, dimensions[dimension]))
	}
	for _, name := range slices.Sorted(maps.Keys(extras)) {
		fields = append(fields, data.NewField(name, nil, extras[name]).SetConfig(&data.FieldConfig{Unit: "short"}))
	}
	return data.NewFrame("exemplars", fields...).SetMeta(&data.FrameMeta{
		Type:                   data.FrameTypeTable,
		TypeVersion:            typeVersion,
		Custom:                 about.custom(),
		PreferredVisualization: data.VisTypeTable,
	})
}
