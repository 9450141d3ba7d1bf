package frames

import (
	"encoding/base64"
	"fmt"
	"math"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// compactVersion is the version of the form that [Compact] writes. A reader refuses those that it does not know.
const compactVersion = 1

// compacted is meta.custom of a compact frame.
type compacted struct {
	Custom
	Compact layout `json:"compact"`
}

// layout says what the cells of a compact frame are.
type layout struct {
	Version int     `json:"version"`
	X       columns `json:"x"`
	Y       rows    `json:"y"`
	Count   counts  `json:"count"`
}

// columns are all of one width, without gaps.
type columns struct {
	// Start of the first, in milliseconds since 1970.
	Start int64 `json:"start"`
	// Step is the width of each, in milliseconds.
	Step    int64 `json:"step"`
	Columns int   `json:"columns"`
}

// rows lie between bounds: row i holds (bounds[i], bounds[i+1]], and the lowest
// also its lower bound where that is 0. There is one bound more than rows; none
// of either without a hit.
type rows struct {
	Unit   string  `json:"unit"`
	Bounds []bound `json:"bounds"`
}

// bound of a row; infinity is null in JSON.
type bound float64

// MarshalJSON is what encoding/json asks for.
func (b bound) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(b), 1) {
		return []byte("null"), nil
	}
	return fmt.Appendf(nil, "%v", float64(b)), nil
}

// counts sums up the cells that have a hit, so that nobody must read them to choose colours.
type counts struct {
	Unit string `json:"unit"`
	// Cells are how many have a hit.
	Cells int `json:"cells"`
	// Least and Most hits in one of them; 0 when there is none.
	Least uint64 `json:"least"`
	Most  uint64 `json:"most"`
}

// Compact makes the compact heatmap-cells frame of one series, for our panel:
// where the plain one that [Heatmap] makes for everybody else has many cells, a
// fortieth of its text, half of it gzipped, and read in a tenth of the time
// (workbench/bench/wire.mjs). It has one row and one field:
//
//	0 cells  string  counts of all cells as [heat.AppendCells] writes them, in base64,
//	                 labelled with the dimensions of the series
//
// What they are is in meta.custom.compact: when columns start and how wide they
// are, bounds of rows and their unit, and the least and the most of the counts.
// Bounds are exact: those of the lowest bucket begin at 0, and the highest has
// none above. Counts are exact, or an error.
//
// Where a stream goes on with the series, about.Stream names it, and the frame of
// [HeatmapColumns] that has the channel says the same in meta.custom.stream.
// The compact frame itself is never streamed to: it has no columns to append to.
func Compact(about Subject, series heat.Series) (*data.Frame, error) {
	name := about.name(about.POM, series.Labels)
	sheet, err := about.sheet(series)
	if err != nil {
		return nil, fmt.Errorf("compact %s: %w", name, err)
	}
	cells, err := heat.AppendCells(nil, sheet.Counts)
	if err != nil {
		return nil, fmt.Errorf("compact %s: %w", name, err)
	}
	filled, least, most := sheet.Extent()
	said := layout{
		Version: compactVersion,
		X:       columns{sheet.Start.UnixMilli(), sheet.Step.Milliseconds(), sheet.Columns},
		Y:       rows{about.valueUnit(), about.rowBounds(sheet)},
		Count:   counts{"short", filled, least, most},
	}
	if sheet.Columns == 0 {
		said.X.Start = 0
	}
	return data.NewFrame(name,
		data.NewField("cells", series.Labels, []string{base64.StdEncoding.EncodeToString(cells)}).
			SetConfig(&data.FieldConfig{Unit: "short", DisplayNameFromDS: name}),
	).SetMeta(&data.FrameMeta{
		Type:                           TypeHeatmapCells,
		TypeVersion:                    typeVersion,
		Custom:                         compacted{about.custom(), said},
		PreferredVisualizationPluginID: PanelID,
	}), nil
}

// sheet lays a series out. Hits that have no value are in one row.
func (s Subject) sheet(series heat.Series) (heat.Sheet, error) {
	if !s.countsHits() {
		return heat.NewSheet(series.Columns, s.Step)
	}
	flat := make([]heat.Column, len(series.Columns))
	for i, c := range series.Columns {
		flat[i] = heat.Column{Start: c.Start, Buckets: []uint32{0}, Counts: []uint64{0}}
		for _, n := range c.Counts {
			flat[i].Counts[0] += n
		}
	}
	return heat.NewSheet(flat, s.Step)
}

func (s Subject) rowBounds(sheet heat.Sheet) []bound {
	bounds := []bound{}
	for row := range sheet.Rows {
		lower, upper := s.exactBounds(sheet.First + row)
		if row == 0 {
			bounds = append(bounds, bound(lower))
		}
		bounds = append(bounds, bound(upper))
	}
	return bounds
}
