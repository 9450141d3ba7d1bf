package datasource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// spectrumColumns is how many columns a spectrum is added up of at most. The
// range that it covers is rounded out to whole columns.
const spectrumColumns = 120

// spectrum answers the kind spectrum: a frame for each series, and at least one.
func (d *Datasource) spectrum(ctx context.Context, r request) (data.Frames, []failure, error) {
	r.step = step(r.from, r.to, 0, spectrumColumns)
	start, end := aligned(r.from, r.to, r.step)
	q := r.heatQuery()
	q.groupBy = append(slices.Clone(r.GroupBy), r.Y)
	merged, failures, err := d.askHeat(ctx, q, start, end, false)
	if err != nil || len(failures) == len(d.agents) {
		return nil, failures, err
	}
	if merged.unit == frames.UnitCount {
		return nil, nil, fmt.Errorf("pom is %s, which counts hits: a spectrum is of durations or bytes", r.POM)
	}
	spectra, err := spectraOf(merged.series, r.Y)
	if err != nil {
		return nil, nil, err
	}
	if err := atMost("series", len(spectra), maxSeries, "group by fewer dimensions or match fewer values"); err != nil {
		return nil, nil, err
	}
	about := frames.Subject{POM: r.POM, Unit: merged.unit, Step: end.Sub(start), Legend: r.Legend}
	var result data.Frames
	cells := 0
	for _, key := range slices.Sorted(maps.Keys(spectra)) {
		s := spectra[key]
		f := frames.Spectrum(about, r.Y, s.labels, s.rows)
		cells += f.Rows()
		if err := atMost("cells", cells, maxCells, "group by fewer dimensions or match fewer values"); err != nil {
			return nil, nil, err
		}
		if s.without > 0 {
			f.AppendNotices(data.Notice{Severity: data.NoticeSeverityInfo, Text: fmt.Sprintf(
				"%d of %d hits are not shown: their %s is not known", s.without, s.hits, r.Y)})
		}
		result = append(result, f)
	}
	if result == nil {
		result = data.Frames{frames.Spectrum(about, r.Y, nil, nil)}
	}
	return result, failures, nil
}

// spectrum is one series, added up over time.
type spectrum struct {
	labels map[string]string
	rows   map[int]*heat.Histogram
	// hits are all there were; without are those of them that have no row.
	hits, without uint64
}

// spectraOf adds series up over time, and takes them together that differ in
// the dimension only.
func spectraOf(series []heat.Series, dimension string) (map[string]*spectrum, error) {
	spectra := map[string]*spectrum{}
	for _, one := range series {
		labels := maps.Clone(one.Labels)
		delete(labels, dimension)
		key := labelKey(labels)
		s := spectra[key]
		if s == nil {
			s = &spectrum{labels: labels, rows: map[int]*heat.Histogram{}}
			spectra[key] = s
		}
		row := &heat.Histogram{}
		for _, c := range one.Columns {
			row.Add(c.Histogram())
		}
		s.hits += row.Count()
		value := one.Labels[dimension]
		if value == "" {
			s.without += row.Count()
			continue
		}
		number, err := strconv.Atoi(value)
		if err != nil {
			return nil, fmt.Errorf("y is %s, which is %q, not a number, in what an agent says", dimension, value)
		}
		if s.rows[number] == nil {
			s.rows[number] = &heat.Histogram{}
		}
		s.rows[number].Add(row)
	}
	return spectra, nil
}
