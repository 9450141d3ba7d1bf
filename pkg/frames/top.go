package frames

import (
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Top makes the table of what a profile has of each function, those with most
// of their own first. Values are as go tool pprof -top has them.
//
//	0 function   string
//	1 flat       int64    of the function itself
//	2 flatShare  float64  of the total; of a difference, of the total of its base
//	3 cum        int64    of the function with all that it called
//	4 cumShare   float64
//	5 flatPerRequest, 6 cumPerRequest  float64  in the same unit; absent where no requests are known
func Top(about Profile, top profile.Top) *data.Frame {
	n := len(top.Functions)
	name := make([]string, n)
	flat, cum, flatShare, cumShare := make([]int64, n), make([]int64, n), make([]float64, n), make([]float64, n)
	for i, f := range top.Functions {
		name[i], flat[i], cum[i] = f.Name, f.Flat, f.Cum
		if top.Total > 0 {
			flatShare[i], cumShare[i] = float64(f.Flat)/float64(top.Total), float64(f.Cum)/float64(top.Total)
		}
	}
	share := func(name string) *data.FieldConfig {
		return &data.FieldConfig{Unit: "percentunit", DisplayNameFromDS: name}
	}
	frame := data.NewFrame(about.Kind,
		data.NewField("function", nil, name),
		data.NewField("flat", nil, flat).SetConfig(about.unit()),
		data.NewField("flatShare", nil, flatShare).SetConfig(share("flat %")),
		data.NewField("cum", nil, cum).SetConfig(about.unit()),
		data.NewField("cumShare", nil, cumShare).SetConfig(share("cum %")),
	)
	if about.Requests != nil {
		perRequest := func(name, shown string, values []int64) *data.Field {
			each := make([]float64, n)
			for i, v := range values {
				each[i] = about.Requests.each(v)
			}
			return data.NewField(name, nil, each).SetConfig(&data.FieldConfig{Unit: about.unit().Unit, DisplayNameFromDS: shown})
		}
		frame.Fields = append(frame.Fields, perRequest("flatPerRequest", "flat / request", flat), perRequest("cumPerRequest", "cum / request", cum))
	}
	return frame.SetMeta(&data.FrameMeta{
		Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable, Custom: about.custom(top.Total),
	})
}
