package main

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// view turns the answer of an agent into a picture: durations as time by
// bucket, counts, which have no buckets, as time by start function.
type view struct {
	point   *gothermpb.MeasurementPoint
	process *gothermpb.Process
	series  []*gothermpb.HeatSeries
	// now is a whole second; the columns are the seconds before it.
	now   time.Time
	note  string
	scale *scale
	// lines is how many lines of the terminal there are for the plot, width how wide it is.
	lines, width int
}

const (
	bucketLabel   = 8  // "> 128 s", "1.2 µs"
	functionLabel = 32 // the end of a name, which is the telling part
	// rateWindow is how many seconds the rate is over, without the one that is still being counted.
	rateWindow = 10
)

func (v view) counts() bool { return v.point.Unit != "ns" }

func (v view) columns() int {
	if v.counts() {
		return columns(v.width, functionLabel)
	}
	return columns(v.width, bucketLabel)
}

// from is the first second that is shown.
func (v view) from() time.Time { return v.now.Add(-time.Duration(v.columns()) * time.Second) }

func (v view) picture(c colours) picture {
	n := v.columns()
	p := picture{
		above: []string{v.title(), v.summary(n)},
		below: "q quit   p next point   n next process",
		step:  time.Second,
	}
	if v.counts() {
		p.rows = v.functions(n, c)
	} else {
		p.rows = v.buckets(n, c)
	}
	return p
}

func (v view) title() string {
	name := v.process.Service
	if v.process.Version != "" {
		name += " " + v.process.Version
	}
	title := fmt.Sprintf("%s   %s   pid %d", v.point.Name, name, v.process.Pid)
	if c := v.process.Cost; c != nil {
		title += fmt.Sprintf("   costs %.2f %% of %.2g CPUs", 100*c.Ratio, c.Cpus)
	}
	if v.note != "" {
		title += "   " + v.note
	}
	return title
}

// each calls f with the number of each column that has hits.
func (v view) each(n int, f func(series *gothermpb.HeatSeries, column int, c *gothermpb.HeatColumn)) {
	from := v.from()
	for _, s := range v.series {
		for _, c := range s.Columns {
			if i := int(c.Start.AsTime().Sub(from) / time.Second); i >= 0 && i < n {
				f(s, i, c)
			}
		}
	}
}

func (v view) summary(n int) string {
	var all heat.Histogram
	var recent uint64
	v.each(n, func(_ *gothermpb.HeatSeries, i int, c *gothermpb.HeatColumn) {
		h := histogram(c)
		all.Add(h)
		if i >= n-1-rateWindow && i < n-1 {
			recent += h.Count()
		}
	})
	line := fmt.Sprintf("%.1f/s   %s hits shown", float64(recent)/rateWindow, humanCount(all.Count()))
	if all.Count() > 0 && !v.counts() {
		line += fmt.Sprintf("   p50 %s   p99 %s   max %s",
			humanDuration(all.Quantile(0.5)), humanDuration(all.Quantile(0.99)), humanDuration(float64(all.Max)))
	}
	return line
}

func histogram(c *gothermpb.HeatColumn) *heat.Histogram {
	h := &heat.Histogram{Sum: c.Sum, Max: c.Max}
	for i, b := range c.Buckets {
		h.Counts[b] += c.Counts[i]
	}
	return h
}

// scale is the range of buckets that is shown. It grows with what is seen and
// does not shrink, so that a picture that lives does not jump.
type scale struct {
	seen      bool
	low, high int
}

func (s *scale) include(bucket int) {
	if !s.seen {
		s.seen, s.low, s.high = true, bucket, bucket
	}
	s.low, s.high = min(s.low, bucket), max(s.high, bucket)
}

// fit returns the lowest bucket, and how many buckets make a row, so that
// rows hold all that was seen, in the middle.
func (s *scale) fit(rows int) (low, fold int) {
	if !s.seen {
		s.low, s.high = heat.Bucket(1_000), heat.Bucket(10_000_000)
	}
	fold = 1 + (s.high-s.low)/rows
	low = s.low - (rows*fold-(s.high-s.low+1))/2
	return max(0, min(low, heat.NumBuckets-rows*fold)), fold
}

// buckets are rows of buckets, the longest on top.
func (v view) buckets(n int, c colours) []row {
	v.each(n, func(_ *gothermpb.HeatSeries, _ int, c *gothermpb.HeatColumn) {
		for _, b := range c.Buckets {
			v.scale.include(int(b))
		}
	})
	perLine := c.rowsPerLine()
	rows := make([]row, min(v.lines*perLine, heat.NumBuckets))
	low, fold := v.scale.fit(len(rows))
	for i := range rows {
		rows[i].cells = make([]uint64, n)
		// Every third line has room to be read.
		if i%(3*perLine) == 0 {
			rows[i].label = boundLabel(low + (len(rows)-i)*fold - 1)
		}
	}
	v.each(n, func(_ *gothermpb.HeatSeries, column int, c *gothermpb.HeatColumn) {
		for i, b := range c.Buckets {
			r := len(rows) - 1 - (int(b)-low)/fold
			rows[r].cells[column] += c.Counts[i]
		}
	})
	return rows
}

// boundLabel is the upper bound of a bucket, which is the upper edge of its row.
func boundLabel(bucket int) string {
	if bucket >= heat.Overflow {
		return "> " + humanDuration(math.Floor(heat.UpperSeconds(heat.Overflow-1)*1e9))
	}
	return humanDuration(heat.UpperSeconds(bucket) * 1e9)
}

// functions are rows of start functions, the one with the most hits on top.
func (v view) functions(n int, c colours) []row {
	type function struct {
		row
		total uint64
	}
	byName := map[string]*function{}
	v.each(n, func(s *gothermpb.HeatSeries, column int, c *gothermpb.HeatColumn) {
		name := s.Labels["function"]
		f := byName[name]
		if f == nil {
			f = &function{row: row{label: ending(dash(name), functionLabel), cells: make([]uint64, n)}}
			byName[name] = f
		}
		hits := histogram(c).Count()
		f.cells[column] += hits
		f.total += hits
	})
	all := make([]*function, 0, len(byName))
	for _, f := range byName {
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b *function) int {
		return cmp.Or(cmp.Compare(b.total, a.total), cmp.Compare(a.label, b.label))
	})
	rows := []row{}
	for _, f := range all[:min(len(all), v.lines)] {
		rows = append(rows, f.row)
		if c.rowsPerLine() == 2 {
			// A function has a line for itself.
			rows = append(rows, row{cells: f.cells})
		}
	}
	if len(rows) == 0 {
		rows = append(rows, row{label: fmt.Sprintf("%*s", functionLabel, "no hits yet"), cells: make([]uint64, n)})
	}
	return rows
}

// ending is the last width runes of a name.
func ending(name string, width int) string {
	r := []rune(name)
	if len(r) <= width {
		return fmt.Sprintf("%*s", width, name)
	}
	return "…" + string(r[len(r)-width+1:])
}
