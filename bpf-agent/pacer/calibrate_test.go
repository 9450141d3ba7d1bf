package pacer

import (
	"os"
	"testing"
)

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
	if costs.Stepped < costs.Emulated {
		t.Errorf("a stepped instruction costs %v, an emulated one %v: must not be less", costs.Stepped, costs.Emulated)
	}
	if costs.Tracepoint >= costs.Emulated {
		t.Errorf("a tracepoint costs %v, a trap %v: must be less", costs.Tracepoint, costs.Emulated)
	}
}
