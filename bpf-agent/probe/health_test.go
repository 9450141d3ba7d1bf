package probe

import (
	"os"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// A process is felt once a second; it runs, or does not, and is hit, or is not.
func TestHealthTellsSilenceFromIdleness(t *testing.T) {
	program := target.Start(t, target.Build(t, ""))
	found, err := goproc.NewFinder(goproc.Selection{PIDs: []int{program.PID()}}, nil).Scan()
	if err != nil || len(found) != 1 || found[0].Refused != nil {
		if os.Geteuid() != 0 {
			t.Skipf("looking at a process needs root here: %v", err)
		}
		t.Fatalf("%+v, %v", found, err)
	}
	run := func() {
		t.Helper()
		before, err := found[0].CPUTime()
		for now := before; err == nil && now < before+hardly+100*time.Millisecond; now, err = found[0].CPUTime() {
			program.Ask("switch 20000")
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var p pulse
	now := time.Now()
	feel := func(what string, after time.Duration, hits uint64, state State, want Vitality) Health {
		t.Helper()
		now = now.Add(after)
		h := p.feel(&Status{Process: found[0], Points: []PointStatus{{State: Available}, {State: state, Hits: hits}}}, now)
		if h.Vitality != want {
			t.Errorf("%s: %+v, want vitality %d", what, h, want)
		}
		return h
	}
	feel("nothing is attached", 0, 0, Refused, Detached)
	feel("attached", time.Second, 0, Attached, Idle)
	feel("hit", time.Second, 3, Attached, Alive)
	feel("a moment later", quietAfter-time.Second, 3, Firing, Alive)
	feel("not hit for long, and does nothing", time.Second, 3, Firing, Idle)
	run()
	if h := feel("not hit for long, and runs", time.Second, 3, Firing, Silent); h.Quiet != quietAfter+time.Second || h.Used < hardly {
		t.Errorf("silent for %s, in which it ran for %s", h.Quiet, h.Used)
	}
	feel("hit again", time.Second, 4, Firing, Alive)
	feel("shed", time.Second, 4, Shed, Detached)
	feel("attached again", time.Second, 4, Attached, Alive)
	run()
	feel("runs, for a moment", time.Second, 4, Attached, Alive)
}
