package probe

import (
	"fmt"
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
var Gauges = []Gauge{}

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
