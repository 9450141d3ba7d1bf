package frames

import (
	"math"
	"slices"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TypeHeatmapCells is the frame type of heat; the SDK has no constant for it.
const TypeHeatmapCells data.FrameType = "heatmap-cells"

// The outermost buckets have no bound on one side, and a logarithmic axis has
// no place for 0 or infinity: they are drawn half an octave high.
//
//	bucket   0                  1 ... 240         241
//	yMin     b0 / sqrt 2        as in heat        128 s
//	yMax     b0 = 2^-23 s       as in heat        128 s * sqrt 2
const halfOctave = math.Sqrt2

// CellBounds returns the bounds, in seconds, between which a bucket is drawn.
func CellBounds(bucket int) (lower, upper float64) {
	lower, upper = heat.LowerSeconds(bucket), heat.UpperSeconds(bucket)
	if lower == 0 {
		lower = upper / halfOctave
	}
	if math.IsInf(upper, 1) {
		upper = lower * halfOctave
	}
	return lower, upper
}

// cellBounds returns the bounds between which a bucket is drawn, in the unit that
// frames show. Buckets of bytes have those of nanoseconds: whole numbers.
func (s Subject) cellBounds(bucket int) (lower, upper float64) {
	switch {
	case s.Stream != "":
		return s.exactBounds(bucket)
	case s.countsHits():
		return 0.5, 1
	case s.isDuration():
		return CellBounds(bucket)
	}
	lower, upper = float64(heat.LowerNanoseconds(bucket)), float64(heat.UpperNanoseconds(bucket))
	if bucket == 0 {
		lower = upper / halfOctave
	}
	if bucket == heat.Overflow {
		upper = lower * halfOctave
	}
	return lower, upper
}

// exactBounds returns the bounds of a bucket, in the unit that frames show: 0
// below the lowest, +Inf above the highest.
func (s Subject) exactBounds(bucket int) (lower, upper float64) {
	if s.countsHits() {
		return 0.5, 1
	}
	return s.binBounds(bucket, bucket)
}

// Values of yLayout, as Prometheus numbers them.
const (
	// lowerOpen is of cells that hold (yMin, yMax].
	lowerOpen int8 = 0
	// bothOpen is of cells that hold (yMin, yMax): yMax is infinite.
	bothOpen int8 = 2
	// bothClosed is of cells that hold [yMin, yMax]: yMin is 0.
	bothClosed int8 = 3
)

func layoutOf(lower, upper float64) int8 {
	switch {
	case lower == 0:
		return bothClosed
	case math.IsInf(upper, 1):
		return bothOpen
	}
	return lowerOpen
}

// Heatmap makes the sparse heatmap-cells frame of one series. Readers, the
// built-in heatmap panel among them, go by the position of the fields:
//
//	0 xMax     time     end of the column; its width is config.interval, in ms
//	1 yMin     float64  exclusive lower bound of the bucket
//	2 yMax     float64  inclusive upper bound of the bucket
//	3 count    float64  hits, labelled with the dimensions of the series
//	4 yLayout  int8     0: the lower bound is open; where bounds are exact, see [Subject],
//	                    2 of the highest bucket and 3 of the lowest
//
// Cells are ordered by column, then by bucket; what is not listed is zero. The
// bounds of a duration are seconds, those of bytes are bytes; each hit of a
// count is drawn in (0.5, 1].
//
// The built-in panel takes the distance of the first two columns for the width
// of all. So where they are not neighbours, or there is but one, a cell with a
// count of zero is put in the column after the first.
//
// Streamed frames have the same fields. Each holds whole columns: where a cell
// is seen again, the later row replaces the earlier.
func Heatmap(about Subject, series heat.Series) *data.Frame {
	f := newHeatmap(about, series.Labels)
	columns := slices.DeleteFunc(slices.Clone(series.Columns), func(c heat.Column) bool { return len(c.Buckets) == 0 })
	for i, c := range columns {
		f.add(c)
		if i == 0 && (len(columns) == 1 || !columns[1].Start.Equal(c.Start.Add(about.Step))) {
			f.add(heat.Column{Start: c.Start.Add(about.Step), Buckets: c.Buckets[:1], Counts: []uint64{0}})
		}
	}
	return f.frame()
}

// HeatmapColumns makes the frame of columns for a stream: without the cell that
// [Heatmap] may add, and therefore without rows when there was no hit.
func HeatmapColumns(about Subject, series heat.Series) *data.Frame {
	f := newHeatmap(about, series.Labels)
	for _, c := range series.Columns {
		f.add(c)
	}
	return f.frame()
}

type heatmap struct {
	about      Subject
	labels     data.Labels
	xMax       []time.Time
	yMin, yMax []float64
	count      []float64
	layout     []int8
}

func newHeatmap(about Subject, labels data.Labels) *heatmap {
	// Not nil: a frame without rows still has the types of its fields.
	return &heatmap{about, labels, []time.Time{}, []float64{}, []float64{}, []float64{}, []int8{}}
}

func (h *heatmap) add(c heat.Column) {
	for i, bucket := range c.Buckets {
		lower, upper := h.about.cellBounds(int(bucket))
		h.xMax = append(h.xMax, c.Start.Add(h.about.Step).UTC())
		h.yMin = append(h.yMin, lower)
		h.yMax = append(h.yMax, upper)
		h.count = append(h.count, float64(c.Counts[i]))
		h.layout = append(h.layout, layoutOf(lower, upper))
	}
}

func (h *heatmap) frame() *data.Frame {
	name := h.about.name(h.about.POM, h.labels)
	unit := &data.FieldConfig{Unit: h.about.valueUnit()}
	return data.NewFrame(name,
		data.NewField("xMax", nil, h.xMax).SetConfig(h.about.interval()),
		data.NewField("yMin", nil, h.yMin).SetConfig(unit),
		data.NewField("yMax", nil, h.yMax).SetConfig(unit),
		data.NewField("count", h.labels, h.count).SetConfig(&data.FieldConfig{Unit: "short", DisplayNameFromDS: name}),
		data.NewField("yLayout", nil, h.layout),
	).SetMeta(&data.FrameMeta{
		Type:                           TypeHeatmapCells,
		TypeVersion:                    typeVersion,
		Custom:                         h.about.custom(),
		PreferredVisualizationPluginID: PanelID,
	})
}
