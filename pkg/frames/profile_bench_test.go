package frames

import (
	"bytes"
	"encoding/json"
	"fmt"
	"testing"
	"time"

	pprof "github.com/google/pprof/profile"

	"github.com/gotherm/gotherm/pkg/profile"
)

// manyFunctions is a CPU profile of 10,000 functions that call each other in
// stacks of 20 to 40, and which have many of their callers in common.
func manyFunctions() *pprof.Profile {
	const functions, stacks = 10_000, 5_000
	p := &pprof.Profile{
		SampleType: []*pprof.ValueType{{Type: "cpu", Unit: "nanoseconds"}},
		PeriodType: &pprof.ValueType{Type: "cpu", Unit: "nanoseconds"}, Period: 10_000_000,
	}
	for i := range functions {
		f := &pprof.Function{ID: uint64(i + 1), Name: fmt.Sprintf("example.com/shop/internal/part%d.(*Server).handle%d", i%97, i)}
		p.Function = append(p.Function, f)
		p.Location = append(p.Location, &pprof.Location{ID: uint64(i + 1), Line: []pprof.Line{{Function: f, Line: int64(i)}}})
	}
	for i := range stacks {
		depth := 20 + i%21
		s := &pprof.Sample{Value: []int64{int64(i%7+1) * 10_000_000}, Location: make([]*pprof.Location, depth)}
		for d := range depth {
			// The outer half is of few functions, the two innermost are this stack's own.
			at := (d*31 + i%(d+1)) % 1000
			if d >= depth-2 {
				at = (2*i + depth - 1 - d) % functions
			}
			s.Location[depth-1-d] = p.Location[at]
		}
		p.Sample = append(p.Sample, s)
	}
	return p
}

// BenchmarkProfileFlame reads a profile of 10,000 functions and makes its flame
// graph, as a frame and as the bytes that Grafana gets.
func BenchmarkProfileFlame(b *testing.B) {
	p := manyFunctions()
	var written bytes.Buffer
	if err := p.Write(&written); err != nil {
		b.Fatal(err)
	}
	cpu, err := profile.TypeOf(p, "")
	if err != nil {
		b.Fatal(err)
	}
	best := map[string]time.Duration{}
	keep := func(name string, since time.Time) {
		if d := time.Since(since); best[name] == 0 || d < best[name] {
			best[name] = d
		}
	}
	var bars, encoded int
	for b.Loop() {
		for range 10 {
			start := time.Now()
			read, err := profile.Parse(bytes.NewReader(written.Bytes()), profile.Usual)
			keep("profile_parse_ms", start)
			if err != nil {
				b.Fatal(err)
			}
			start = time.Now()
			flame, _ := profile.FlameOf(read, cpu).Fold(50_000)
			frame := Flame(Profile{Of: "shop", Kind: "cpu", Type: cpu}, flame)
			keep("flame_frame_ms", start)
			start = time.Now()
			content, err := json.Marshal(frame)
			keep("flame_json_ms", start)
			if err != nil {
				b.Fatal(err)
			}
			bars, encoded = len(flame.Nodes), len(content)
		}
	}
	fmt.Printf("flame_functions %d\nflame_bars %d\nflame_json_bytes %d\n", len(p.Function), bars, encoded)
	for _, name := range []string{"profile_parse_ms", "flame_frame_ms", "flame_json_ms"} {
		fmt.Printf("%s %.2f\n", name, float64(best[name].Microseconds())/1000)
	}
}
