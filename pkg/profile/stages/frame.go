package stages

import (
	"encoding/json"
	"fmt"
	"time"
)

// Frame is a table as Grafana reads it, a data frame. The data source sends it,
// and the agent writes it: that has no need of Grafana's SDK, which would take
// 4 MB of memory on each machine.
type Frame struct {
	Name string
	// Type is the frame's in Grafana's data plane: "table", [HeatType] or "timeseries-multi".
	Type   string
	About  About
	Fields []Field
}

// HeatType is the type of heat by name: its rows are fields.
const HeatType = "heatmap-rows"

// About is what frames say in meta.custom.
type About struct {
	// Of is the target, the process or the file.
	Of string `json:"of"`
	// Services are those that it is of; none where nobody knows. A panel tells of the releases of no other.
	Services []string `json:"services"`
	// StepMS is the width of columns, in milliseconds; not of the table.
	StepMS int64 `json:"stepMs,omitempty"`
}

// Field is a column of the table.
type Field struct {
	Name string
	// Shown is its name for people, and Unit one of Grafana's.
	Shown, Unit string
	Labels      map[string]string
	// Step is that of times.
	Step time.Duration
	// Values has one for each row: []string, []float64, []*float64 or []time.Time.
	Values any
}

// Dated is what stages used from a time on.
type Dated struct {
	From   time.Time
	Report *Report
}

// outside is what is shown for what is in no stage.
const outside = "(in no stage)"

// Shown is the name of a stage for people.
func (s Stage) Shown() string { return shown(s.Name) }

func shown(name string) string {
	if name == Outside {
		return outside
	}
	return name
}

// Table makes the table of one report. What is in no stage is the last.
//
//	0 stage        string
//	1 cpu          *float64  share of the CPU time of all; null where no CPU profile was taken
//	2 allocated    float64   bytes in a second
//	3 collections  float64   that it began, in a second
//	4 goroutines   float64
//	5 times        float64   that it was run from begin to end
//	6 p50          *float64  seconds
//	7 p99          *float64  seconds
//	8 outlier      string    the partition that took at least three times as long as the median, and how many times
//	9 outlierTimes *float64
func Table(about About, r *Report) Frame {
	n := len(r.Stages)
	name, outlier := make([]string, n), make([]string, n)
	cpu, p50, p99, times := make([]*float64, n), make([]*float64, n), make([]*float64, n), make([]*float64, n)
	allocated, collections, goroutines, runs := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, s := range r.Stages {
		name[i] = s.Shown()
		if share, ok := r.CPUShare(s.Usage, r.Total); ok {
			cpu[i] = &share
		}
		allocated[i], collections[i] = r.PerSecond(s.Allocated), r.PerSecond(s.Collections)
		goroutines[i], runs[i] = float64(s.Goroutines), float64(s.N)
		if s.N > 0 {
			median, worst := s.P50.Seconds(), s.P99.Seconds()
			p50[i], p99[i] = &median, &worst
		}
		if len(s.Partitions) > 0 && s.Partitions[0].Outlier {
			outlier[i], times[i] = s.Partitions[0].Name, &s.Partitions[0].Times
		}
	}
	about.StepMS = 0
	return Frame{Name: "stages", Type: "table", About: about, Fields: []Field{
		// Grafana would call a field after its frame too, were it not said how it is shown.
		{Name: "stage", Shown: "stage", Values: name},
		{Name: "cpu", Shown: "CPU", Unit: "percentunit", Values: cpu},
		{Name: "allocated", Shown: "allocation", Unit: "Bps", Values: allocated},
		{Name: "collections", Shown: "collections", Unit: "cps", Values: collections},
		{Name: "goroutines", Shown: "goroutines", Unit: "short", Values: goroutines},
		{Name: "times", Shown: "times", Unit: "short", Values: runs},
		{Name: "p50", Shown: "p50", Unit: "s", Values: p50},
		{Name: "p99", Shown: "p99", Unit: "s", Values: p99},
		{Name: "outlier", Shown: "outlier", Values: outlier},
		{Name: "outlierTimes", Shown: "times the median", Unit: "short", Values: times},
	}}
}

// dated is usage in the columns of frames.
type dated struct {
	names  []string
	stages map[string][]Usage
	total  []Usage
	seen   []time.Duration // for how long of each column there is something known
}

// columnsOf puts what several reports say into columns of a range. A column of
// a report goes whole where its middle is.
func columnsOf(all []Dated, from, to time.Time, step time.Duration) dated {
	n := max(0, int(to.Sub(from)/step))
	c := dated{stages: map[string][]Usage{}, total: make([]Usage, n), seen: make([]time.Duration, n)}
	for _, one := range all {
		r := one.Report
		for _, s := range r.Stages {
			if c.stages[s.Name] == nil {
				c.names = append(c.names, s.Name)
				c.stages[s.Name] = make([]Usage, n)
			}
		}
		for i := range r.Columns {
			width := min(r.Width, r.Length-time.Duration(i)*r.Width)
			middle := one.From.Add(time.Duration(i)*r.Width + width/2)
			column := int(middle.Sub(from) / step)
			if middle.Before(from) || column >= n {
				continue
			}
			c.seen[column] += width
			c.total[column].Add(r.Columns[i])
			for _, s := range r.Stages {
				c.stages[s.Name][column].Add(s.Columns[i])
			}
		}
	}
	return c
}

// Heat makes the heatmap-rows frame of stages over time: a row of cells for
// each, whose heat is its share of the CPU time in the column; and the
// timeseries frame of what was allocated, which is drawn over it. The range must
// be of whole columns, as wide as step.
//
//	0 time      time      end of the column; columns are config.interval ms wide, and none is left out
//	1 ... name  *float64  share of the CPU time, labelled with the stage; null where there is no sample, as nothing is known
//
//	0 time       time
//	1 allocated  *float64  bytes in a second, of all stages; null where nothing was collected
func Heat(about About, all []Dated, from, to time.Time, step time.Duration) (heat, allocated Frame) {
	about.StepMS = step.Milliseconds()
	c := columnsOf(all, from, to, step)
	ends := make([]time.Time, len(c.total))
	for i := range ends {
		ends[i] = from.Add(time.Duration(i+1) * step).UTC()
	}
	times := Field{Name: "time", Step: step, Values: ends}
	heat = Frame{Name: "CPU by stage", Type: HeatType, About: about, Fields: []Field{times}}
	for _, name := range c.names {
		shares := make([]*float64, len(c.total))
		for i, of := range c.total {
			if of.Samples > 0 {
				share := float64(c.stages[name][i].Samples) / float64(of.Samples)
				shares[i] = &share
			}
		}
		heat.Fields = append(heat.Fields, Field{
			Name: shown(name), Shown: shown(name), Unit: "percentunit", Labels: map[string]string{"stage": shown(name)}, Values: shares,
		})
	}
	rates := make([]*float64, len(c.total))
	for i, of := range c.total {
		if c.seen[i] > 0 {
			rate := float64(of.Allocated) / c.seen[i].Seconds()
			rates[i] = &rate
		}
	}
	allocated = Frame{Name: "allocated", Type: "timeseries-multi", About: about, Fields: []Field{
		times, {Name: "allocated", Shown: "allocated", Unit: "Bps", Values: rates},
	}}
	return heat, allocated
}

// Visualization is what Grafana should draw the frame with: a visualization of its own, or a panel plugin.
func (f Frame) Visualization() (own, plugin string) {
	switch f.Type {
	case "table":
		return "table", ""
	case HeatType:
		return "", "gotherm-heatmap-panel"
	}
	return "", ""
}

// TypeVersion is of Grafana's data plane.
func (f Frame) TypeVersion() [2]uint { return [2]uint{0, 1} }

// MarshalJSON writes a frame as Grafana's SDK does. Times are whole milliseconds.
func (f Frame) MarshalJSON() ([]byte, error) {
	type info struct {
		Frame    string `json:"frame"`
		Nullable bool   `json:"nullable,omitempty"`
	}
	type config struct {
		Shown    string `json:"displayNameFromDS,omitempty"`
		Unit     string `json:"unit,omitempty"`
		Interval int64  `json:"interval,omitempty"`
	}
	type field struct {
		Name   string            `json:"name"`
		Type   string            `json:"type"`
		Info   info              `json:"typeInfo"`
		Labels map[string]string `json:"labels,omitempty"`
		Config config            `json:"config"`
	}
	var written struct {
		Schema struct {
			Name string `json:"name"`
			Meta struct {
				Type    string  `json:"type"`
				Version [2]uint `json:"typeVersion"`
				About   About   `json:"custom"`
				Own     string  `json:"preferredVisualisationType,omitempty"`
				Plugin  string  `json:"preferredVisualisationPluginId,omitempty"`
			} `json:"meta"`
			Fields []field `json:"fields"`
		} `json:"schema"`
		Data struct {
			Values []any `json:"values"`
		} `json:"data"`
	}
	schema := &written.Schema
	schema.Name, schema.Meta.Type, schema.Meta.Version, schema.Meta.About = f.Name, f.Type, f.TypeVersion(), f.About
	schema.Meta.About.Services = append([]string{}, f.About.Services...)
	schema.Meta.Own, schema.Meta.Plugin = f.Visualization()
	for _, of := range f.Fields {
		one := field{Name: of.Name, Labels: of.Labels, Config: config{of.Shown, of.Unit, of.Step.Milliseconds()}}
		values := of.Values
		switch v := of.Values.(type) {
		case []string:
			one.Type, one.Info.Frame = "string", "string"
		case []float64:
			one.Type, one.Info.Frame = "number", "float64"
		case []*float64:
			one.Type, one.Info = "number", info{"float64", true}
		case []time.Time:
			one.Type, one.Info.Frame = "time", "time.Time"
			since := make([]int64, len(v))
			for i, at := range v {
				since[i] = at.UnixMilli()
			}
			values = since
		default:
			return nil, fmt.Errorf("write frame %s: field %s has values of %T", f.Name, of.Name, of.Values)
		}
		schema.Fields = append(schema.Fields, one)
		written.Data.Values = append(written.Data.Values, values)
	}
	return json.Marshal(written)
}
