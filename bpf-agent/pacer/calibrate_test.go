package pacer

import (
	"os"
	"testing"
	"time"
)

// What holds on every machine, and under load, is asserted: all three run the
// same program, at a stepped instruction after two traps, at an emulated one
// after one, and at a tracepoint after none.
func TestCalibrationMeasuresThisMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("attaching probes needs root")
	}
	costs, err := Calibrate()
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("%+v", costs)
	if !costs.Measured {
		t.Error("costs are assumed, must be measured")
	}
	if costs.Stepped <= costs.Emulated {
		t.Errorf("a stepped instruction costs %v, an emulated one %v: must be more", costs.Stepped, costs.Emulated)
	}
	if costs.Tracepoint >= costs.Emulated {
		t.Errorf("a tracepoint costs %v, one trap %v: must be less", costs.Tracepoint, costs.Emulated)
	}
	for name, c := range map[string]struct{ cost, least, greatest time.Duration }{
		"emulated":   {costs.Emulated, leastCosts.Emulated, greatestCosts.Emulated},
		"stepped":    {costs.Stepped, leastCosts.Stepped, greatestCosts.Stepped},
		"tracepoint": {costs.Tracepoint, leastCosts.Tracepoint, greatestCosts.Tracepoint},
	} {
		if c.cost <= c.least || c.cost >= c.greatest {
			t.Errorf("the cost of a run, %s, is %v: must be measured between %v and %v, not cut to one of them", name, c.cost, c.least, c.greatest)
		}
	}
}

func TestDisturbedRoundsDoNotCount(t *testing.T) {
	rounds := []time.Duration{9000, 1010, 5000, 1000, 7000, 1020, 4000, 3000, 2000}
	if got, want := undisturbed(rounds), 1020*time.Nanosecond; got != want {
		t.Errorf("of rounds of which six of nine were disturbed %v counts, must be %v", got, want)
	}
}
