package frames_test

import (
	"testing"
	"time"

	pprof "github.com/google/pprof/profile"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile"
)

// tills is the CPU profile of a shop: sell calls weigh, which was inlined into
// it, and pay, on two tills; so many milliseconds were spent in each.
func tills(weigh, pay int64) *pprof.Profile {
	function := func(id uint64, name string) *pprof.Function { return &pprof.Function{ID: id, Name: name} }
	sell, weighing, paying := function(1, "shop.sell"), function(2, "shop.weigh"), function(3, "shop.pay")
	inlined := &pprof.Location{ID: 1, Line: []pprof.Line{{Function: weighing, Line: 7}, {Function: sell, Line: 3}}}
	called := &pprof.Location{ID: 2, Line: []pprof.Line{{Function: paying, Line: 1}}}
	caller := &pprof.Location{ID: 3, Line: []pprof.Line{{Function: sell, Line: 4}}}
	return &pprof.Profile{
		SampleType: []*pprof.ValueType{{Type: "samples", Unit: "count"}, {Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &pprof.ValueType{Type: "cpu", Unit: "nanoseconds"},
		Function:   []*pprof.Function{sell, weighing, paying}, Location: []*pprof.Location{inlined, called, caller},
		Sample: []*pprof.Sample{
			{Location: []*pprof.Location{inlined}, Value: []int64{weigh, weigh * 1e6}, Label: map[string][]string{"till": {"1"}}},
			{Location: []*pprof.Location{called, caller}, Value: []int64{pay, pay * 1e6}, Label: map[string][]string{"till": {"2"}}},
		},
	}
}

func ofTills(t *testing.T, p *pprof.Profile) frames.Profile {
	t.Helper()
	cpu, err := profile.TypeOf(p, "")
	if err != nil {
		t.Fatal(err)
	}
	return frames.Profile{Of: "shop", Kind: "cpu", Type: cpu, From: noon, To: noon.Add(10 * time.Second)}
}

func TestGoldenFlame(t *testing.T) {
	p := tills(30, 70)
	about := ofTills(t, p)
	golden(t, "flame", frames.Flame(about, profile.FlameOf(p, about.Type)))
}

func TestGoldenFlameOfADifference(t *testing.T) {
	p, err := profile.Diff(tills(30, 70), tills(50, 10))
	if err != nil {
		t.Fatal(err)
	}
	about := ofTills(t, p)
	about.Difference = true
	golden(t, "flame_difference", frames.Flame(about, profile.FlameOf(p, about.Type)))
}

func TestGoldenTop(t *testing.T) {
	p := tills(30, 70)
	difference, err := profile.Diff(p, tills(50, 10))
	if err != nil {
		t.Fatal(err)
	}
	about := ofTills(t, p)
	golden(t, "top", frames.Top(about, profile.TopOf(p, about.Type)), frames.Top(about, profile.TopOf(difference, about.Type)))
}

// Of requests that were counted in 8 of 10 s there were more in all: 100 for 80.
func TestGoldenTopPerRequest(t *testing.T) {
	p := tills(30, 70)
	about := ofTills(t, p)
	about.Processes = []string{"42-1"}
	about.Requests = &frames.Requests{Count: 80, Seconds: 8, Of: 10}
	golden(t, "top_per_request", frames.Top(about, profile.TopOf(p, about.Type)))
}

func TestGoldenRawProfile(t *testing.T) {
	golden(t, "raw_profile", frames.RawProfile(ofTills(t, tills(1, 1)), "shop.cpu.pb.gz", []byte("not looked at")))
}
