package server

import (
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/pkg/gothermpb"
)

// watchingCost is what watching costs, as the API shows it.
func watchingCost(c pacer.Cost) *gothermpb.WatchingCost {
	w := &gothermpb.WatchingCost{
		Ratio: c.Ratio, Budget: float64(c.Budget), Total: durationpb.New(c.Total),
		RunsPerSecond: c.RunsPerSecond, Cpus: c.CPUs,
	}
	if c.Class != 0 {
		w.Heat, w.RateLimit, w.ScanBatch = c.Class.String(), durationpb.New(c.RateLimit), uint32(c.ScanBatch)
	}
	return w
}

// runCost is what a run of a program costs, as the API shows it.
func runCost(c pacer.Costs) *gothermpb.RunCost {
	return &gothermpb.RunCost{
		Emulated: durationpb.New(c.Emulated), Stepped: durationpb.New(c.Stepped),
		Tracepoint: durationpb.New(c.Tracepoint), Sample: durationpb.New(c.Sample), Measured: c.Measured,
	}
}
