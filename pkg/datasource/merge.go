package datasource

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/gotherm/gotherm/pkg/heat"
)

// heatOf is what one agent said, or several together.
type heatOf struct {
	unit   string
	series []heat.Series
}

// merge adds up the heat of several agents: series with the same labels become
// one, and columns of the same time are added bucket by bucket, which is exact.
// The result is in the order of the labels. The arguments stay as they were.
func merge(parts []heatOf) (heatOf, error) {
	type sum struct {
		labels  map[string]string
		columns map[int64]heat.Column
	}
	sums := map[string]*sum{}
	var merged heatOf
	for _, p := range parts {
		if merged.unit != "" && p.unit != merged.unit {
			return heatOf{}, fmt.Errorf("agents disagree on the unit: %q and %q", merged.unit, p.unit)
		}
		merged.unit = p.unit
		for _, s := range p.series {
			key := labelKey(s.Labels)
			if sums[key] == nil {
				sums[key] = &sum{s.Labels, map[int64]heat.Column{}}
			}
			for _, c := range s.Columns {
				at := c.Start.Unix()
				if other, ok := sums[key].columns[at]; ok {
					c = addColumns(other, c)
				}
				sums[key].columns[at] = c
			}
		}
	}
	for _, key := range slices.Sorted(maps.Keys(sums)) {
		s := heat.Series{Labels: sums[key].labels}
		for _, at := range slices.Sorted(maps.Keys(sums[key].columns)) {
			s.Columns = append(s.Columns, sums[key].columns[at])
		}
		merged.series = append(merged.series, s)
	}
	return merged, nil
}

// addColumns returns the sum of two columns of the same time.
func addColumns(a, b heat.Column) heat.Column {
	h := a.Histogram()
	h.Add(b.Histogram())
	return heat.NewColumn(a.Start, h)
}

// labelKey tells sets of labels apart.
func labelKey(labels map[string]string) string {
	var b strings.Builder
	for _, k := range slices.Sorted(maps.Keys(labels)) {
		b.WriteString(strconv.Quote(k))
		b.WriteString(strconv.Quote(labels[k]))
	}
	return b.String()
}
