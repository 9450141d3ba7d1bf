package frames

import (
	"cmp"
	"maps"
	"math"
	"slices"
	"strconv"
	"time"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// maxParts is how many values of a dimension, or goroutines, are told apart in a cell.
const maxParts = 50

// Others is the value of the row for all values that have none of their own.
const Others = "others"

// Cell is where hits are: in a range of time, and of buckets.
type Cell struct {
	From, To time.Time
	// First and Last are the buckets, both in it.
	First, Last int
}

// Count counts the hits of a column that are in the cell's buckets.
func (c Cell) Count(column heat.Column) (n uint64) {
	for i, bucket := range column.Buckets {
		if int(bucket) >= c.First && int(bucket) <= c.Last {
			n += column.Counts[i]
		}
	}
	return n
}

// CellCustom is meta.custom of the frames of a cell.
type CellCustom struct {
	POM string `json:"pom"`
	// Dimension that it is by; absent of goroutines.
	Dimension string `json:"dimension,omitempty"`
	// From and To are what the cell covers, in milliseconds since 1970.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Count is how many hits are in the cell; of goroutines, how many are known by goroutine.
	Count uint64 `json:"count"`
	// Others says that the last row is of all values that have no row of their own.
	Others bool `json:"others,omitempty"`
}

// bucketTolerance is how far a bound may be off for having been written and read: buckets are 9 % apart.
const bucketTolerance = 1e-9

// BucketsWithin returns the first and the last bucket that lie wholly between
// two values, in the unit that frames show; a most of 0 is no bound. The
// outermost buckets may be meant by the bounds between which they are drawn.
func (s Subject) BucketsWithin(least, most float64) (first, last int, found bool) {
	if most == 0 {
		most = math.Inf(1)
	}
	first, last = heat.NumBuckets, -1
	for b := range heat.NumBuckets {
		lower, upper := s.cellBounds(b)
		trueLower, trueUpper := lower, upper
		if b == 0 && !s.countsHits() {
			trueLower = 0
		}
		if b == heat.Overflow && !s.countsHits() {
			trueUpper = math.Inf(1)
		}
		from := trueLower >= least || math.Abs(lower-least) <= bucketTolerance*lower
		to := trueUpper <= most || math.Abs(upper-most) <= bucketTolerance*upper
		if from && to {
			first, last = min(first, b), b
		}
	}
	return first, last, first <= last
}

// CellPart makes the table of what a cell has by one dimension, most hits first.
//
//	0 value  string   of the dimension; "" where it is not known
//	1 count  float64  hits
//	2 share  float64  of the hits in the cell
//
// Counts add up to the cell's. Where there are more values than a table has
// rows, or hits whose value was not told, the last row is of all these: others.
func CellPart(about Subject, cell Cell, dimension string, counts map[string]uint64, untold uint64) *data.Frame {
	names := slices.SortedFunc(maps.Keys(counts), func(a, b string) int {
		return cmp.Or(cmp.Compare(counts[b], counts[a]), cmp.Compare(a, b))
	})
	names = slices.DeleteFunc(names, func(name string) bool { return counts[name] == 0 })
	others, total := untold, untold
	for i, name := range names {
		total += counts[name]
		if i >= maxParts {
			others += counts[name]
		}
	}
	names = names[:min(len(names), maxParts)]
	value, count, share := []string{}, []float64{}, []float64{}
	add := func(name string, n uint64) {
		value, count, share = append(value, name), append(count, float64(n)), append(share, float64(n)/float64(total))
	}
	for _, name := range names {
		add(name, counts[name])
	}
	if others > 0 {
		add(Others, others)
	}
	return data.NewFrame(dimension,
		data.NewField("value", nil, value).SetConfig(&data.FieldConfig{DisplayNameFromDS: dimension}),
		data.NewField("count", nil, count).SetConfig(&data.FieldConfig{Unit: "short"}),
		data.NewField("share", nil, share).SetConfig(&data.FieldConfig{Unit: "percentunit"}),
	).SetMeta(cell.meta(CellCustom{POM: about.POM, Dimension: dimension, Count: total, Others: others > 0}))
}

// CellGoroutines makes the table of the goroutines of a grid, most hits first.
//
//	0 goroutine  string   id: JavaScript's numbers do not hold all of them
//	1 function   string   where it started
//	2 label      string   its pprof label, "key=value"; "" for none
//	3 process    string
//	4 count      float64  hits
func CellGoroutines(about Subject, cell Cell, grid *pb.QueryGridResponse) *data.Frame {
	var all []*pb.GridGoroutine
	for _, c := range grid.Cells {
		all = append(all, c.Goroutines...)
	}
	slices.SortStableFunc(all, func(a, b *pb.GridGoroutine) int {
		return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Process, b.Process), cmp.Compare(a.Goid, b.Goid))
	})
	all = all[:min(len(all), maxParts)]
	n := len(all)
	id, function, label, process, count := make([]string, n), make([]string, n), make([]string, n), make([]string, n), make([]float64, n)
	for i, g := range all {
		id[i], function[i], label[i], process[i] = strconv.FormatUint(g.Goid, 10), g.StartFunction, g.Label, g.Process
		count[i] = float64(g.Count)
	}
	return data.NewFrame("goroutines",
		data.NewField("goroutine", nil, id),
		data.NewField("function", nil, function).SetConfig(&data.FieldConfig{DisplayNameFromDS: "start function"}),
		data.NewField("label", nil, label),
		data.NewField("process", nil, process),
		data.NewField("count", nil, count).SetConfig(&data.FieldConfig{Unit: "short"}),
	).SetMeta(cell.meta(CellCustom{POM: about.POM, Count: grid.Carried}))
}

func (c Cell) meta(custom CellCustom) *data.FrameMeta {
	custom.From, custom.To = c.From.UnixMilli(), c.To.UnixMilli()
	return &data.FrameMeta{
		Type:                   data.FrameTypeTable,
		TypeVersion:            typeVersion,
		Custom:                 custom,
		PreferredVisualization: data.VisTypeTable,
	}
}
