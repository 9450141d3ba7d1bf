package frames

import (
	"maps"
	"math"
	"slices"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// binWidth is how wide the bins of a spectrum of durations are at the low end, in nanoseconds.
const binWidth = 10_000

// binEnds are the last buckets of each bin of a spectrum of durations. Bins are
// made of whole buckets, so that no count is ever split: at the low end each
// ends at the bound that is nearest to a multiple of 10 us, and where buckets
// are wider than that, each bucket is a bin.
//
//	buckets  ...||||||||||||||||||||||| | | | | | | |  |  |  |   |   |   |    |
//	bins     0           10 us      20 us     30 us ... 120 us  131 us   143 us
var binEnds = makeBinEnds()

func makeBinEnds() (ends []int) {
	bucket := 0
	for edge := uint64(binWidth); ; edge += binWidth {
		for heat.Bounds[bucket+1] <= edge {
			bucket++
		}
		// The edge lies between the bounds of bucket and the next.
		if heat.Bounds[bucket+1]-heat.Bounds[bucket] >= binWidth {
			break
		}
		nearest := bucket
		if heat.Bounds[bucket+1]-edge < edge-heat.Bounds[bucket] {
			nearest++
		}
		ends = append(ends, nearest)
	}
	for b := ends[len(ends)-1] + 1; b < heat.NumBuckets; b++ {
		ends = append(ends, b)
	}
	return ends
}

// Spectrum makes the heatmap-cells frame of hits by value and by a dimension
// that is a number, added up over the time range. Our panel draws it: its x axis
// is no time.
//
//	0 xMin   float64  exclusive lower bound of the bin; 0 for the first
//	1 xMax   float64  inclusive upper bound of the bin; +Inf for the last
//	2 yMin   float64  the number less a half
//	3 yMax   float64  the number plus a half
//	4 count  float64  hits, labelled with the dimensions of the series
//
// Bounds are exact: seconds or bytes. Bins of bytes are their buckets. Cells are
// ordered by x, then by y; what is not listed is zero.
func Spectrum(about Subject, dimension string, labels data.Labels, rows map[int]*heat.Histogram) *data.Frame {
	xMin, xMax, yMin, yMax, count := []float64{}, []float64{}, []float64{}, []float64{}, []float64{}
	numbers := slices.Sorted(maps.Keys(rows))
	first := 0
	for _, last := range about.binEnds() {
		for _, number := range numbers {
			var n uint64
			for _, hits := range rows[number].Counts[first : last+1] {
				n += hits
			}
			if n == 0 {
				continue
			}
			lower, upper := about.binBounds(first, last)
			xMin, xMax = append(xMin, lower), append(xMax, upper)
			yMin, yMax = append(yMin, float64(number)-0.5), append(yMax, float64(number)+0.5)
			count = append(count, float64(n))
		}
		first = last + 1
	}
	name := about.name(about.POM, labels)
	x := &data.FieldConfig{Unit: about.valueUnit(), DisplayNameFromDS: about.POM}
	y := &data.FieldConfig{Unit: "none", DisplayNameFromDS: dimension}
	return data.NewFrame(name,
		data.NewField("xMin", nil, xMin).SetConfig(x),
		data.NewField("xMax", nil, xMax).SetConfig(x),
		data.NewField("yMin", nil, yMin).SetConfig(y),
		data.NewField("yMax", nil, yMax).SetConfig(y),
		data.NewField("count", labels, count).SetConfig(&data.FieldConfig{Unit: "short", DisplayNameFromDS: name}),
	).SetMeta(&data.FrameMeta{
		Type:                           TypeHeatmapCells,
		TypeVersion:                    typeVersion,
		Custom:                         about.custom(),
		PreferredVisualizationPluginID: PanelID,
	})
}

func (s Subject) binEnds() []int {
	if s.isDuration() {
		return binEnds
	}
	each := make([]int, heat.NumBuckets)
	for b := range each {
		each[b] = b
	}
	return each
}

// binBounds returns the exact bounds of the buckets first to last.
func (s Subject) binBounds(first, last int) (lower, upper float64) {
	if s.isDuration() {
		return heat.LowerSeconds(first), heat.UpperSeconds(last)
	}
	upper = math.Inf(1)
	if last < heat.Overflow {
		upper = float64(heat.UpperNanoseconds(last))
	}
	return float64(heat.LowerNanoseconds(first)), upper
}
