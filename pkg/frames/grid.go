package frames

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TypeGoroutineGrid is the frame type of the goroutine grid, which our panel draws.
const TypeGoroutineGrid data.FrameType = "goroutine-grid"

// hottest is how many goroutines of a cell are named.
const hottest = 4

// GridCustom is meta.custom of the goroutine grid.
type GridCustom struct {
	POM string `json:"pom"`
	// Side is how many cells the square has on a side: x and y are under it.
	Side uint32 `json:"side"`
	// Carried is how many hits the grid is made of; Hits is all there were.
	Carried uint64 `json:"carried"`
	Hits    uint64 `json:"hits"`
}

// gridGoroutine is one goroutine in the field "goroutines". The id is text:
// JavaScript's numbers do not hold all of them.
type gridGoroutine struct {
	GoID     string `json:"goid"`
	Function string `json:"function"`
	Process  string `json:"process"`
	Count    uint64 `json:"count"`
	// Label is its pprof label, when it has one.
	Label string `json:"label,omitempty"`
}

// Grid makes the frame of the goroutine grid: a row per cell with hits, ordered
// by y, then x.
//
//	0 x           int64    column of the cell: the highest bits of the hash of the goroutine id
//	1 y           int64    row of the cell: the next bits
//	2 count       float64  hits
//	3 sum         float64  sum of the values, seconds for durations
//	4 goid        string   id of the hottest goroutine in the cell
//	5 function    string   its start function
//	6 goroutines  JSON     a few of the hottest: [{"goid", "function", "process", "count", "label"}]
func Grid(about Subject, grid *pb.QueryGridResponse) *data.Frame {
	n := len(grid.Cells)
	x, y := make([]int64, n), make([]int64, n)
	count, sum := make([]float64, n), make([]float64, n)
	goid, function := make([]string, n), make([]string, n)
	goroutines := make([]json.RawMessage, n)
	for i, c := range grid.Cells {
		x[i], y[i] = int64(c.X), int64(c.Y)
		count[i], sum[i] = float64(c.Count), about.scaled(float64(c.Sum))
		named := make([]gridGoroutine, len(c.Goroutines))
		for j, g := range c.Goroutines {
			named[j] = gridGoroutine{strconv.FormatUint(g.Goid, 10), g.StartFunction, g.Process, g.Count, g.Label}
		}
		if len(named) > 0 {
			goid[i], function[i] = named[0].GoID, named[0].Function
		}
		goroutines[i], _ = json.Marshal(named) // strings and numbers: can't fail
	}
	return data.NewFrame("goroutines",
		data.NewField("x", nil, x),
		data.NewField("y", nil, y),
		data.NewField("count", nil, count).SetConfig(&data.FieldConfig{Unit: "short"}),
		data.NewField("sum", nil, sum).SetConfig(&data.FieldConfig{Unit: about.valueUnit()}),
		data.NewField("goid", nil, goid),
		data.NewField("function", nil, function),
		data.NewField("goroutines", nil, goroutines),
	).SetMeta(&data.FrameMeta{
		Type:                           TypeGoroutineGrid,
		TypeVersion:                    typeVersion,
		Custom:                         GridCustom{POM: about.POM, Side: grid.Side, Carried: grid.Carried, Hits: grid.Hits},
		PreferredVisualizationPluginID: PanelID,
	})
}

// MergeGrids adds up the grids of several agents. A finer grid is folded to
// the coarsest side among them, which is exact. The arguments stay as they were.
func MergeGrids(grids []*pb.QueryGridResponse) (*pb.QueryGridResponse, error) {
	merged := &pb.QueryGridResponse{}
	for _, g := range grids {
		if merged.Side == 0 || g.Side < merged.Side {
			merged.Side = g.Side
		}
	}
	type place struct{ y, x uint32 }
	cells := map[place]*pb.GridCell{}
	for _, g := range grids {
		if merged.Unit != "" && g.Unit != merged.Unit {
			return nil, fmt.Errorf("agents disagree on the unit: %q and %q", merged.Unit, g.Unit)
		}
		merged.Unit = g.Unit
		merged.Carried += g.Carried
		merged.Hits += g.Hits
		shrink := g.Side / merged.Side
		for _, c := range g.Cells {
			at := place{c.Y / shrink, c.X / shrink}
			sum := cells[at]
			if sum == nil {
				sum = &pb.GridCell{X: at.x, Y: at.y}
				cells[at] = sum
				merged.Cells = append(merged.Cells, sum)
			}
			sum.Count += c.Count
			sum.Sum += c.Sum
			sum.Goroutines = append(sum.Goroutines, c.Goroutines...)
		}
	}
	slices.SortFunc(merged.Cells, func(a, b *pb.GridCell) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	for _, c := range merged.Cells {
		slices.SortStableFunc(c.Goroutines, func(a, b *pb.GridGoroutine) int { return cmp.Compare(b.Count, a.Count) })
		c.Goroutines = c.Goroutines[:min(len(c.Goroutines), hottest)]
	}
	return merged, nil
}
