package frames

import (
	"time"

	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Stages is what frames of stages are about.
type Stages struct {
	// Of is the target, or the process.
	Of string
	// Services is that of the process; none of a target, of which nobody knows it.
	Services []string
	// Step is the width of columns.
	Step time.Duration
}

// StagesCustom is meta.custom of frames of stages.
type StagesCustom struct {
	Of string `json:"of"`
	// Services are those that it is of: a panel tells of the releases of no other.
	Services []string `json:"services"`
	// StepMS is the width of columns, in milliseconds; not of the table.
	StepMS int64 `json:"stepMs,omitempty"`
}

func (s Stages) custom() StagesCustom {
	return StagesCustom{Of: s.Of, Services: append([]string{}, s.Services...)}
}

// Staged is what stages used for a while.
type Staged struct {
	From   time.Time
	Report *stages.Report
}

// outside is what is shown for what is in no stage.
const outside = "(in no stage)"

func stageName(name string) string {
	if name == stages.Outside {
		return outside
	}
	return name
}

// StagesTable makes the table of one report. What is in no stage is the last.
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
func StagesTable(about Stages, r *stages.Report) *data.Frame {
	n := len(r.Stages)
	name, outlier := make([]string, n), make([]string, n)
	cpu, p50, p99, times := make([]*float64, n), make([]*float64, n), make([]*float64, n), make([]*float64, n)
	allocated, collections, goroutines, runs := make([]float64, n), make([]float64, n), make([]float64, n), make([]float64, n)
	for i, s := range r.Stages {
		name[i] = stageName(s.Name)
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
	config := func(name, unit string) *data.FieldConfig {
		return &data.FieldConfig{DisplayNameFromDS: name, Unit: unit}
	}
	return data.NewFrame("stages",
		// Grafana would call a field after its frame too, where there are several.
		data.NewField("stage", nil, name).SetConfig(config("stage", "")),
		data.NewField("cpu", nil, cpu).SetConfig(config("CPU", "percentunit")),
		data.NewField("allocated", nil, allocated).SetConfig(config("allocation", "Bps")),
		data.NewField("collections", nil, collections).SetConfig(config("collections", "cps")),
		data.NewField("goroutines", nil, goroutines).SetConfig(config("goroutines", "short")),
		data.NewField("times", nil, runs).SetConfig(config("times", "short")),
		data.NewField("p50", nil, p50).SetConfig(config("p50", "s")),
		data.NewField("p99", nil, p99).SetConfig(config("p99", "s")),
		data.NewField("outlier", nil, outlier).SetConfig(config("outlier", "")),
		data.NewField("outlierTimes", nil, times).SetConfig(config("times the median", "short")),
	).SetMeta(&data.FrameMeta{
		Type: data.FrameTypeTable, TypeVersion: typeVersion, PreferredVisualization: data.VisTypeTable, Custom: about.custom(),
	})
}

// stageColumns is usage in the columns of frames.
type stageColumns struct {
	names  []string
	stages map[string][]stages.Usage
	total  []stages.Usage
	seen   []time.Duration // for how long of each column there is something known
	dark   []bool          // whether some of that is of a trace without any sample
}

// columnsOf puts what several reports say into columns of the range. A column of
// a report goes whole where its middle is.
func columnsOf(about Stages, all []Staged, from, to time.Time) stageColumns {
	n := max(0, int(to.Sub(from)/about.Step))
	c := stageColumns{stages: map[string][]stages.Usage{}, total: make([]stages.Usage, n), seen: make([]time.Duration, n), dark: make([]bool, n)}
	for _, staged := range all {
		r := staged.Report
		for _, s := range r.Stages {
			if c.stages[s.Name] == nil {
				c.names = append(c.names, s.Name)
				c.stages[s.Name] = make([]stages.Usage, n)
			}
		}
		for i := range r.Columns {
			width := min(r.Width, r.Length-time.Duration(i)*r.Width)
			middle := staged.From.Add(time.Duration(i)*r.Width + width/2)
			column := int(middle.Sub(from) / about.Step)
			if middle.Before(from) || column >= n {
				continue
			}
			c.seen[column] += width
			c.dark[column] = c.dark[column] || r.Total.Samples == 0
			c.total[column].Add(r.Columns[i])
			for _, s := range r.Stages {
				c.stages[s.Name][column].Add(s.Columns[i])
			}
		}
	}
	return c
}

func (c stageColumns) times(about Stages, from time.Time) *data.Field {
	times := make([]time.Time, len(c.total))
	for i := range times {
		times[i] = from.Add(time.Duration(i+1) * about.Step).UTC()
	}
	return data.NewField("time", nil, times).SetConfig(Subject{Step: about.Step}.interval())
}

// StagesHeat makes the heatmap-rows frame of stages over time: a row of cells
// for each, whose heat is its share of the CPU time in the column; and the
// timeseries frame of what was allocated, which is drawn over it. The range must
// be of whole columns.
//
//	0 time      time      end of the column; columns are config.interval ms wide, and none is left out
//	1 ... name  *float64  share of the CPU time, labelled with the stage; null where there is no sample, but 0 where all of a trace has none, so that its stages are seen
//
//	0 time       time
//	1 allocated  *float64  bytes in a second, of all stages; null where nothing was collected
func StagesHeat(about Stages, all []Staged, from, to time.Time) data.Frames {
	c := columnsOf(about, all, from, to)
	rows := data.Fields{c.times(about, from)}
	for _, name := range c.names {
		shares := make([]*float64, len(c.total))
		for i, of := range c.total {
			if of.Samples > 0 || c.dark[i] {
				share := float64(c.stages[name][i].Samples) / float64(max(1, of.Samples))
				shares[i] = &share
			}
		}
		rows = append(rows, data.NewField(stageName(name), data.Labels{"stage": stageName(name)}, shares).
			SetConfig(&data.FieldConfig{Unit: "percentunit", DisplayNameFromDS: stageName(name)}))
	}
	rates := make([]*float64, len(c.total))
	for i, of := range c.total {
		if c.seen[i] > 0 {
			rate := float64(of.Allocated) / c.seen[i].Seconds()
			rates[i] = &rate
		}
	}
	custom := about.custom()
	custom.StepMS = about.Step.Milliseconds()
	return data.Frames{
		data.NewFrame("CPU by stage", rows...).SetMeta(&data.FrameMeta{
			Type: TypeHeatmapRows, TypeVersion: typeVersion, Custom: custom, PreferredVisualizationPluginID: PanelID,
		}),
		data.NewFrame("allocated",
			c.times(about, from),
			data.NewField("allocated", nil, rates).SetConfig(&data.FieldConfig{Unit: "Bps", DisplayNameFromDS: "allocated"}),
		).SetMeta(&data.FrameMeta{Type: data.FrameTypeTimeSeriesMulti, TypeVersion: typeVersion, Custom: custom}),
	}
}
