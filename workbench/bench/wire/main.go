// Wire makes what workbench/bench/wire.mjs measures: heat of a busy program as
// the plain frame that every reader gets and as the compact one that our panel
// gets, and how long it takes natively to normalise and write cells. It prints
// one JSON object.
package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// parts that shares are of.
const parts = 1_000_000

// made is what is printed.
type made struct {
	Plain   json.RawMessage `json:"plain"`
	Compact json.RawMessage `json:"compact"`
	// Filled is how many of Cells have a hit.
	Cells  int `json:"cells"`
	Filled int `json:"filled"`
	// Small is a quarter of it, to normalise and write: its cells, and those of its shares.
	Small    sheet   `json:"small"`
	EncodeNS float64 `json:"encodeNsPerCell"`
	// NativeMS is how long shares of Small, and writing them, take.
	NativeMS float64 `json:"nativeMs"`
}

type sheet struct {
	Start   int64  `json:"start"`
	Step    int64  `json:"step"`
	Columns int    `json:"columns"`
	Rows    int    `json:"rows"`
	Cells   string `json:"cells"`
	Shares  string `json:"shares"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "wire:", err)
		os.Exit(1)
	}
}

func run() error {
	about := frames.Subject{POM: "sched.latency", Unit: "ns", Step: time.Second}
	series := busy(1<<20/heat.NumBuckets + 1)
	plain, err := data.FrameToJSON(frames.Heatmap(about, series), data.IncludeAll)
	if err != nil {
		return fmt.Errorf("make the plain frame: %w", err)
	}
	compact, err := frames.Compact(about, series)
	if err != nil {
		return fmt.Errorf("make the compact frame: %w", err)
	}
	spelt, err := data.FrameToJSON(compact, data.IncludeAll)
	if err != nil {
		return fmt.Errorf("make the compact frame: %w", err)
	}
	large, err := heat.NewSheet(series.Columns, about.Step)
	if err != nil {
		return fmt.Errorf("lay out heat: %w", err)
	}
	filled, _, _ := large.Extent()
	result := made{Plain: plain, Compact: spelt, Cells: len(large.Counts), Filled: filled}
	result.EncodeNS = 1e6 * median(func() { _, err = frames.Compact(about, series) }) / float64(len(large.Counts))
	if err != nil {
		return fmt.Errorf("make the compact frame: %w", err)
	}

	small, err := heat.NewSheet(series.Columns[:len(series.Columns)/4], about.Step)
	if err != nil {
		return fmt.Errorf("lay out heat: %w", err)
	}
	cells, err := heat.AppendCells(nil, small.Counts)
	if err != nil {
		return fmt.Errorf("write heat: %w", err)
	}
	var shares []byte
	result.NativeMS = median(func() { shares, err = heat.AppendCells(nil, small.Shares(parts).Counts) })
	if err != nil {
		return fmt.Errorf("write shares: %w", err)
	}
	text := base64.StdEncoding.EncodeToString
	result.Small = sheet{small.Start.UnixMilli(), small.Step.Milliseconds(), small.Columns, small.Rows, text(cells), text(shares)}
	return json.NewEncoder(os.Stdout).Encode(result)
}

// busy is heat as programs under load have it: most hits around a latency that
// wanders, a second hump of slow ones, a long tail. About 30 % of the cells have hits.
func busy(columns int) heat.Series {
	r := rand.New(rand.NewPCG(2026, 11))
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	series := heat.Series{Labels: map[string]string{"service": "shop", "node": "0"}}
	middle := math.Log(50e3)
	for i := range columns {
		middle += 0.02 * r.NormFloat64()
		h := &heat.Histogram{}
		for range 500 + r.IntN(1000) {
			at, spread := middle, 0.9
			switch p := r.Float64(); {
			case p < 0.02:
				at, spread = middle+4, 0.8
			case p < 0.023:
				at, spread = middle+2, 4
			}
			h.Observe(uint64(math.Exp(min(25.5, max(0, at+spread*r.NormFloat64())))))
		}
		series.Columns = append(series.Columns, heat.NewColumn(start.Add(time.Duration(i)*time.Second), h))
	}
	return series
}

// median of how long it takes, in milliseconds.
func median(do func()) float64 {
	var took []float64
	for range 15 {
		began := time.Now()
		do()
		took = append(took, float64(time.Since(began))/1e6)
	}
	slices.Sort(took)
	return took[len(took)/2]
}
