package probe

import (
	"fmt"
	"slices"
	"strings"
)

// Gauge is what is measured once a second of each process, and not by hits.
type Gauge struct {
	Name string
	// Unit is "By" for bytes, "ns" for durations, "1" for ratios and numbers.
	Unit string
	Help string
}

// Gauges is every gauge, a part of the catalogue.
var Gauges = slices.Concat(paceGauges, memGauges, publishedGauges)

var paceGauges = []Gauge{
	{HeatRate, "1", "Goroutine switches a second: eight times those that the runtime has timed."},
	{HeatEntropy, "1", "How unevenly scheduling events follow each other: the entropy of the octaves of the times between them, over 5 s, from 0 for a clock's ticks to 1; about 0.55 at random."},
	{HeatContention, "1", "Share of the time that goroutines wanted to run in which they waited for a P, from 0 to 1."},
	{HeatCoupling, "1", "How much the process moves with another: the greatest correlation of its switches a second with those of any other watched process, over a minute, from 0 to 1."},
	{WatchCost, "1", "What probes cost the process, as a share of the CPU time that it uses, over 5 s."},
	{WatchBudget, "1", "What probes may cost the process, as a share of the CPU time that it uses."},
}

// Gauges of package pacer.
const (
	HeatRate       = "heat.rate"
	HeatEntropy    = "heat.entropy"
	HeatContention = "heat.contention"
	HeatCoupling   = "heat.coupling"
	WatchCost      = "watch.cost"
	WatchBudget    = "watch.budget"
)

// GaugeOf returns a gauge by its name.
func GaugeOf(name string) (Gauge, error) {
	names := make([]string, len(Gauges))
	for i, g := range Gauges {
		if g.Name == name {
			return g, nil
		}
		names[i] = g.Name
	}
	return Gauge{}, fmt.Errorf("name is %q, must be one of %s", name, strings.Join(names, ", "))
}
