package stages

import (
	"fmt"
	"time"

	"github.com/google/pprof/profile"
)

// Match holds what a trace says of a stage against what a CPU profile of the
// same time says, by its label.
type Match struct {
	Stage          string
	Trace, Profile uint64 // samples
}

// labelStage is the label that pkg/instrument sets.
const labelStage = "stage"

// Check compares the samples of a report with those of a CPU profile of the same
// time, stage by stage. The profile's labels are set by the program, the trace's
// regions as well, and neither is made of the other. It sets the report's
// period to the profile's.
//
// Where the trace has less than the profile, a stage was begun before the trace
// and did not end in it, or the profile was taken for longer.
func (r *Report) Check(cpu *profile.Profile) ([]Match, error) {
	samples := -1
	for i, t := range cpu.SampleType {
		if t.Type == "samples" && t.Unit == "count" {
			samples = i
		}
	}
	if samples < 0 || cpu.PeriodType == nil || cpu.PeriodType.Type != "cpu" {
		return nil, fmt.Errorf("check against profile: it is no CPU profile of Go: it has no samples/count by CPU time")
	}
	if cpu.Period > 0 {
		r.Period = time.Duration(cpu.Period)
	}
	byLabel := map[string]uint64{}
	for _, s := range cpu.Sample {
		stage := Outside
		if values := s.Label[labelStage]; len(values) > 0 {
			stage = values[0]
		}
		if n := s.Value[samples]; n > 0 {
			byLabel[stage] += uint64(n)
		}
	}
	var matches []Match
	for _, s := range r.Stages {
		matches = append(matches, Match{s.Name, s.Samples, byLabel[s.Name]})
		delete(byLabel, s.Name)
	}
	for stage, n := range byLabel {
		matches = append(matches, Match{stage, 0, n})
	}
	return matches, nil
}

// Agreement is which share of all samples trace and profile have in the same
// stage: 1 when they agree on each.
func Agreement(matches []Match) float64 {
	var same, most uint64
	for _, m := range matches {
		same += min(m.Trace, m.Profile)
		most += max(m.Trace, m.Profile)
	}
	if most == 0 {
		return 1
	}
	return float64(same) / float64(most)
}
