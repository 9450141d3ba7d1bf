package frames_test

import (
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile/stages"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// mapReduce is a job of 2.5 s: a second of map, of which one goroutine was in
// none, and then reduce, whose partition 3 takes long; nobody took a CPU profile
// in the last half second.
func mapReduce() *stages.Report {
	use := func(samples, allocated, collections uint64) stages.Usage {
		return stages.Usage{Samples: samples, Allocated: allocated, Collections: collections}
	}
	columns := func(columns ...stages.Usage) (all []stages.Usage, total stages.Usage) {
		for _, u := range columns {
			total.Add(u)
		}
		return columns, total
	}
	nothing := stages.Usage{}
	r := &stages.Report{Length: 2500 * time.Millisecond, Width: 500 * time.Millisecond, Period: 10 * time.Millisecond}
	ofMap, mapped := columns(use(40, 4e6, 1), use(50, 6e6, 0), nothing, nothing, nothing)
	ofReduce, reduced := columns(nothing, nothing, use(30, 1e6, 0), use(20, 0, 0), use(0, 5e5, 0))
	ofNone, none := columns(use(10, 0, 0), nothing, nothing, use(5, 0, 0), nothing)
	r.Columns = make([]stages.Usage, len(ofMap))
	for i := range r.Columns {
		for _, of := range [][]stages.Usage{ofMap, ofReduce, ofNone} {
			r.Columns[i].Add(of[i])
			r.Total.Add(of[i])
		}
	}
	took := func(n uint64, each time.Duration) stages.Durations {
		return stages.Durations{N: n, P50: each, P99: each, Total: time.Duration(n) * each}
	}
	r.Stages = []stages.Stage{
		{Name: "map", Usage: mapped, Goroutines: 3, Durations: took(1, time.Second), Columns: ofMap},
		{Name: "reduce", Usage: reduced, Goroutines: 2, Durations: took(4, 300*time.Millisecond), Columns: ofReduce, Partitions: []stages.Partition{
			{Name: "partition=3", Durations: took(1, 900*time.Millisecond), Times: 9, Outlier: true},
			{Name: "partition=1", Durations: took(1, 100*time.Millisecond), Times: 1},
		}},
		{Name: stages.Outside, Usage: none, Columns: ofNone},
	}
	return r
}

// mapReduces is the table of a job, and the heat of two: the second is half out of the range.
func mapReduces() []stages.Frame {
	about := stages.About{Of: "job", Services: []string{"mapreduce"}}
	heat, allocated := stages.Heat(about, []stages.Dated{
		{From: noon.Add(time.Second), Report: mapReduce()},
		{From: noon.Add(5 * time.Second), Report: mapReduce()},
	}, noon, noon.Add(6*time.Second), time.Second)
	return []stages.Frame{heat, allocated, stages.Table(about, mapReduce())}
}

func TestGoldenStages(t *testing.T) {
	var made data.Frames
	for _, f := range mapReduces() {
		made = append(made, frames.Stages(f))
	}
	golden(t, "stages", made...)
}

// The agent has no SDK of Grafana's, and writes the same.
func TestStagesAreWrittenAsTheSDKDoes(t *testing.T) {
	for _, f := range mapReduces() {
		var own, sdk any
		for into, of := range map[*any]any{&own: f, &sdk: frames.Stages(f)} {
			text, err := json.Marshal(of)
			if err != nil {
				t.Fatal(err)
			}
			if err := json.Unmarshal(text, into); err != nil {
				t.Fatal(err)
			}
		}
		if !reflect.DeepEqual(own, sdk) {
			t.Errorf("%s is written as\n%v\nand by the SDK as\n%v", f.Name, own, sdk)
		}
	}
}

func TestStagesWithoutAProfileHaveNoShares(t *testing.T) {
	r := mapReduce()
	none := func(u *stages.Usage) { u.Samples = 0 }
	none(&r.Total)
	for i := range r.Columns {
		none(&r.Columns[i])
	}
	for i := range r.Stages {
		none(&r.Stages[i].Usage)
		for j := range r.Stages[i].Columns {
			none(&r.Stages[i].Columns[j])
		}
	}
	about := stages.About{Of: "job"}
	table := frames.Stages(stages.Table(about, r))
	for i := range r.Stages {
		if share := table.Fields[1].At(i).(*float64); share != nil {
			t.Errorf("stage %d has a share of %g, of no CPU time", i, *share)
		}
	}
	// What is not known is not 0.
	of, _ := stages.Heat(about, []stages.Dated{{From: noon.Add(time.Second), Report: r}}, noon, noon.Add(6*time.Second), time.Second)
	heat := frames.Stages(of)
	if len(heat.Fields) != 1+len(r.Stages) {
		t.Errorf("the heat has %d fields, want the time and %d stages", len(heat.Fields), len(r.Stages))
	}
	for _, row := range heat.Fields[1:] {
		for i := range heat.Rows() {
			if share := row.At(i).(*float64); share != nil {
				t.Errorf("%s has a share of %g in column %d, of no CPU time", row.Name, *share, i)
			}
		}
	}
}
