package frames

import (
	"maps"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// statisticLabel tells the statistics of one series apart: alert rules want
// every frame of a query to have labels of its own.
const statisticLabel = "statistic"

// Series makes the timeseries-multi frame of one statistic of one series, with
// which alert rules can work:
//
//	0 time   time     start of the column; columns are config.interval ms wide
//	1 POM    float64  the statistic, labelled with dimensions and statistic
//
// A column without a hit has no point, but for count, rate and sum: these are
// 0 there, from the first hit up to until. It returns nil when there is no point.
func Series(about Subject, statistic Statistic, series heat.Series, until time.Time) *data.Frame {
	var times []time.Time
	var values []float64
	point := func(at time.Time, h *heat.Histogram) {
		times = append(times, at.UTC())
		values = append(values, statistic.of(h, about))
	}
	var next time.Time
	for _, c := range series.Columns {
		if c.Start.Add(about.Step).After(until) {
			break
		}
		for statistic.zero && !next.IsZero() && next.Before(c.Start) {
			point(next, &heat.Histogram{})
			next = next.Add(about.Step)
		}
		point(c.Start, c.Histogram())
		next = c.Start.Add(about.Step)
	}
	for statistic.zero && !next.IsZero() && !next.Add(about.Step).After(until) {
		point(next, &heat.Histogram{})
		next = next.Add(about.Step)
	}
	if times == nil {
		return nil
	}
	return seriesFrame(about, statistic, series.Labels, times, values)
}

// SeriesColumns makes the frame of columns for a stream. A column without a hit
// has a row only where the statistic is 0 there.
func SeriesColumns(about Subject, statistic Statistic, series heat.Series) *data.Frame {
	times, values := []time.Time{}, []float64{}
	for _, c := range series.Columns {
		if len(c.Buckets) > 0 || statistic.zero {
			times = append(times, c.Start.UTC())
			values = append(values, statistic.of(c.Histogram(), about))
		}
	}
	return seriesFrame(about, statistic, series.Labels, times, values)
}

func seriesFrame(about Subject, statistic Statistic, dimensions map[string]string, times []time.Time, values []float64) *data.Frame {
	labels := data.Labels{statisticLabel: statistic.name}
	maps.Copy(labels, dimensions)
	name := about.name(statistic.name, labels)
	unit := statistic.unit
	if unit == "" {
		unit = about.valueUnit()
	}
	return data.NewFrame(name,
		data.NewField("time", nil, times).SetConfig(about.interval()),
		data.NewField(about.POM, labels, values).SetConfig(&data.FieldConfig{Unit: unit, DisplayNameFromDS: name}),
	).SetMeta(&data.FrameMeta{
		Type:                   data.FrameTypeTimeSeriesMulti,
		TypeVersion:            typeVersion,
		Custom:                 about.custom(),
		PreferredVisualization: data.VisTypeGraph,
	})
}

// NoSeries makes the frame that says that there is no data: a type, and no fields.
func NoSeries() *data.Frame {
	return data.NewFrame("").SetMeta(&data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: typeVersion})
}
