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
// Columns that end after until are left out. A column without buckets says that
// it was watched and nothing was hit: count, rate, sum and share are 0 there,
// and the others have no point, as all have none where there is no column. So
// a frame may have no row.
func Series(about Subject, statistic Statistic, series heat.Series, until time.Time) *data.Frame {
	times, values := []time.Time{}, []float64{}
	for _, c := range series.Columns {
		hit := len(c.Buckets) > 0
		if (hit || statistic.zero) && !c.Start.Add(about.Step).After(until) {
			times = append(times, c.Start.UTC())
			values = append(values, statistic.of(c.Histogram(), about))
		}
	}
	return timeSeries(about, statistic, series.Labels, times, values)
}

// timeSeries makes the frame of a statistic that has been computed.
func timeSeries(about Subject, statistic Statistic, of map[string]string, times []time.Time, values []float64) *data.Frame {
	labels := data.Labels{statisticLabel: statistic.name}
	maps.Copy(labels, of)
	name := about.name(statistic.name, labels)
	return data.NewFrame(name,
		data.NewField("time", nil, times).SetConfig(about.interval()),
		data.NewField(about.POM, labels, values).SetConfig(&data.FieldConfig{Unit: statistic.shownIn(about), DisplayNameFromDS: name}),
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
