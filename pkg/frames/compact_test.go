package frames_test

import (
	"encoding/base64"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"pgregory.net/rapid"
)

func compact(t interface{ Fatal(...any) }, about frames.Subject, series heat.Series) *data.Frame {
	f, err := frames.Compact(about, series)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// src/renderer/wire.test.ts and src/panel/heat.test.ts read these, too.
func TestGoldenCompact(t *testing.T) {
	starts := frames.Subject{POM: "goroutine.create", Unit: "1", Step: time.Second}
	started := heat.Series{Labels: map[string]string{"function": "main.work"}, Columns: []heat.Column{
		{Start: noon, Buckets: []uint32{0}, Counts: []uint64{7}, Sum: 7, Max: 1},
		{Start: noon.Add(3 * time.Second), Buckets: []uint32{0}, Counts: []uint64{heat.MaxHits}, Sum: heat.MaxHits, Max: 1},
	}}
	sent := frames.Subject{POM: "tcp.send.bytes", Unit: "By", Step: 10 * time.Second}
	live := stopTheWorld
	live.Stream = "heat/of-pauses"
	rest := pauses()
	rest.Columns = rest.Columns[1:]
	golden(t, "compact",
		compact(t, stopTheWorld, pauses()),
		compact(t, starts, started),
		compact(t, sent, heat.Series{Columns: []heat.Column{columnOf(noon, 90, 1460, 64<<10)}}),
		compact(t, stopTheWorld, heat.Series{}),
		compact(t, live, pauses()),
		frames.HeatmapColumns(live, rest),
	)
}

// said is what a reader finds in a compact frame.
type said struct {
	Compact struct {
		X     struct{ Start, Step, Columns int64 }
		Y     struct{ Bounds []*float64 }
		Count struct{ Cells, Least, Most uint64 }
	}
}

func TestACompactFrameSaysWhatThePlainOneSays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		columns, hits := anyColumns(t, stopTheWorld.Step)
		series := heat.Series{Columns: columns}
		plain := frames.Heatmap(stopTheWorld, series)
		frame := compact(t, stopTheWorld, series)

		custom, err := json.Marshal(frame.Meta.Custom)
		if err != nil {
			t.Fatal(err)
		}
		var s said
		if err := json.Unmarshal(custom, &s); err != nil {
			t.Fatal(err)
		}
		x, bounds := s.Compact.X, s.Compact.Y.Bounds
		rows := max(0, len(bounds)-1)
		cells, err := base64.StdEncoding.DecodeString(frame.Fields[0].At(0).(string))
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]uint64, int(x.Columns)*rows)
		if err := heat.ReadCells(counts, cells); err != nil {
			t.Fatal(err)
		}
		var total, least, most, filled uint64
		type cell struct {
			end   int64
			upper float64
		}
		compacted := map[cell]float64{}
		for i, n := range counts {
			if n == 0 {
				continue
			}
			if filled == 0 || n < least {
				least = n
			}
			filled++
			most = max(most, n)
			total += n
			at := cell{x.Start + (int64(i/rows)+1)*x.Step, 1e9}
			if upper := bounds[i%rows+1]; upper != nil {
				at.upper = *upper
			}
			compacted[at] = float64(n)
		}
		if total != hits || s.Compact.Count.Cells != filled || s.Compact.Count.Least != least || s.Compact.Count.Most != most {
			t.Fatalf("%d hits of %d; %+v, must be %d cells, %d to %d", total, hits, s.Compact.Count, filled, least, most)
		}
		for i := range plain.Rows() {
			at := cell{plain.At(0, i).(time.Time).UnixMilli(), plain.At(2, i).(float64)}
			if plain.At(1, i).(float64) == heat.UpperSeconds(heat.Overflow-1) {
				at.upper = 1e9
			}
			if got, want := compacted[at], plain.At(3, i).(float64); got != want {
				t.Fatalf("%g hits up to %g at %d, the plain frame has %g", got, at.upper, at.end, want)
			}
		}
	})
}

func TestWhatABrowserCannotCountIsAnErrorThatSaysWhere(t *testing.T) {
	s := pauses()
	s.Columns[1].Counts[1] = heat.MaxHits + 1
	_, err := frames.Compact(stopTheWorld, s)
	if err == nil || !strings.Contains(err.Error(), `compact gc.stw{node="0", reason="mark termination"}: lay out heat: 9007199254740992 hits in bucket 241 at 2026-11-22T12:00:20Z, at most 9007199254740991`) {
		t.Fatalf("error is %v", err)
	}
}
