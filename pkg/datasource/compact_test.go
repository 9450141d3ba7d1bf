package datasource

import (
	"encoding/base64"
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

// sight is what our panel sees of one series: the hits of each cell, by the end
// of its column in milliseconds and its lower bound.
type sight map[[2]float64]float64

// history reads a compact frame. It names the stream that goes on with it, if there is one.
func (s sight) history(t testing.TB, f *data.Frame) (stream string) {
	t.Helper()
	custom, err := json.Marshal(f.Meta.Custom)
	if err != nil {
		t.Fatal(err)
	}
	var said struct {
		Stream  string
		Compact *struct {
			X struct{ Start, Step, Columns float64 }
			Y struct{ Bounds []float64 }
		}
	}
	if err := json.Unmarshal(custom, &said); err != nil || said.Compact == nil {
		t.Fatalf("meta.custom of a compact frame is %s: %v", custom, err)
	}
	cells, err := base64.StdEncoding.DecodeString(f.Fields[0].At(0).(string))
	if err != nil {
		t.Fatal(err)
	}
	x, rows := said.Compact.X, len(said.Compact.Y.Bounds)-1
	counts := make([]uint64, int(x.Columns)*rows)
	if err := heat.ReadCells(counts, cells); err != nil {
		t.Fatal(err)
	}
	for i, n := range counts {
		if n > 0 {
			s[[2]float64{x.Start + float64(i/rows+1)*x.Step, said.Compact.Y.Bounds[i%rows]}] = float64(n)
		}
	}
	return said.Stream
}

// rest reads a plain frame: the later replaces the earlier.
func (s sight) rest(f *data.Frame) {
	for i := range f.Rows() {
		s[[2]float64{float64(f.At(0, i).(time.Time).UnixMilli()), f.At(1, i).(float64)}] = f.At(3, i).(float64)
	}
}

func (s sight) total() (sum float64) {
	for _, n := range s {
		sum += n
	}
	return sum
}

func TestOurPanelGetsTheSameHitsInCompactFrames(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	shop.stop(now.Add(-time.Minute), 0, 60*time.Nanosecond)
	d := open(t, "shop", shop.serve(t))
	q := pausesByNode
	q.Compact = true
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 2 {
		t.Fatalf("%d frames, error %v, want one for each of the nodes 0 and 1", len(answer.Frames), answer.Error)
	}
	for node, f := range answer.Frames {
		s := sight{}
		if stream := s.history(t, f); stream != "" || f.Meta.Channel != "" || f.Meta.Type != frames.TypeHeatmapCells {
			t.Errorf("node %d: meta is %+v, with the stream %q, which nobody has asked for", node, f.Meta, stream)
		}
		if got, want := s.total(), float64(shop.hits[node]); got != want {
			t.Errorf("node %d: %g hits in the frame, %g were hit", node, got, want)
		}
		lowest := math.Inf(1)
		for at := range s {
			lowest = min(lowest, at[1])
		}
		if (lowest == 0) != (node == 0) {
			t.Errorf("node %d: the lowest bucket with a hit begins at %g s; a pause of 60 ns was on node 0", node, lowest)
		}
	}
}

func TestAStreamGoesOnWhereACompactFrameEnds(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	q := pausesByNode
	q.Compact, q.Live = true, true
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 4 {
		t.Fatalf("%d frames, error %v, want two for each node: what was, and what comes", len(answer.Frames), answer.Error)
	}
	history, rest := answer.Frames[0], answer.Frames[1]
	s := sight{}
	stream := s.history(t, history)
	channel, err := live.ParseChannel(rest.Meta.Channel)
	if err != nil || history.Meta.Channel != "" || channel.Path != stream || rest.Rows() != 0 {
		t.Fatalf("history %q goes on in %q, the frame beside it has %d rows and the channel %q, %v", history.Meta.Channel, stream, rest.Rows(), rest.Meta.Channel, err)
	}
	streamOf := func(f *data.Frame) string {
		custom, _ := json.Marshal(f.Meta.Custom)
		var said frames.Custom
		if err := json.Unmarshal(custom, &said); err != nil {
			t.Error(err)
		}
		return said.Stream
	}
	s.rest(subscribe(t, d, channel.Path))
	received := packets(t, t.Context(), d, channel.Path)
	waitFor(t, "the agent to be followed", func() bool { return shop.openStreams() == 1 })
	at := now.Truncate(time.Second)
	shop.stop(at, 0, 60*time.Nanosecond)
	shop.stop(at, 0, 300*time.Second)
	shop.passTime(at.Add(time.Second))
	for late := time.After(20 * time.Second); s.total() < float64(shop.hits[0]); {
		select {
		case f := <-received:
			if streamOf(f) != stream {
				t.Fatalf("a streamed frame says that it is of %q, the compact one goes on in %q", streamOf(f), stream)
			}
			s.rest(f)
		case <-late:
			t.Fatalf("%g hits, want %d", s.total(), shop.hits[0])
		}
	}
	end := float64(at.Add(time.Second).UnixMilli())
	if s.total() != float64(shop.hits[0]) || s[[2]float64{end, 0}] != 1 || s[[2]float64{end, 128}] != 1 {
		t.Fatalf("%g hits, want %d, one of them in the bucket from 0 up and one in that over 128 s: %v", s.total(), shop.hits[0], s)
	}
}

func TestWhoeverDoesNotAskForCompactFramesSharesNoStreamWithOneWhoDoes(t *testing.T) {
	now := time.Now()
	shop := newShopAgent(now, "shop")
	d := open(t, "shop", shop.serve(t))
	_, plain := openLive(t, d, pausesByNode, now)
	q := pausesByNode
	q.Compact, q.Live = true, true
	answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
	channel, err := live.ParseChannel(answer.Frames[1].Meta.Channel)
	if err != nil || channel.Path == plain {
		t.Fatalf("both have the channel %q, %v: their outermost buckets are not drawn alike", plain, err)
	}
	for kind, q := range map[string]query.Query{
		"series": {Kind: query.KindSeries, POM: "gc.stw", Statistics: []string{"count"}, Compact: true},
		"grid":   {Kind: query.KindGrid, POM: "sched.latency", Compact: true},
	} {
		answer := ask(t, d, dataQuery(t, q, lastTwoMinutes(now)))
		if answer.Error != nil || answer.Frames[0].Fields[0].Name == "cells" {
			t.Errorf("%s: %v, %v", kind, answer.Error, answer.Frames)
		}
	}
}

func TestOurPanelGetsBothArmsOfAComparisonInCompactFrames(t *testing.T) {
	now := time.Now()
	shop := newReleasedShop(now, "shop")
	d := open(t, "shop", shop.serve(t))
	answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindCompare, POM: "http.request", Compact: true}, tenMinutes(now)))
	if answer.Error != nil || len(answer.Frames) != 3 {
		t.Fatalf("%d frames, error %v", len(answer.Frames), answer.Error)
	}
	said := comparisonOf(t, answer.Frames[2])
	for i, side := range []frames.Side{said.Baseline, said.Candidate} {
		s := sight{}
		s.history(t, answer.Frames[i])
		if s.total() != float64(side.N) {
			t.Errorf("%g hits in frame %d, %d were compared", s.total(), i, side.N)
		}
	}
}
