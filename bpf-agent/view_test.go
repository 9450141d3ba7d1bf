package main

import (
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// go test ./bpf-agent -run Picture -update writes the pictures anew; look at them.
var update = flag.Bool("update", false, "write the golden files anew, and fail")

var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

var (
	shop    = &gothermpb.Process{Id: "4242-117733", Pid: 4242, Service: "shop", Version: "v1.2.0"}
	latency = &gothermpb.MeasurementPoint{Name: "sched.latency", Unit: "ns"}
	create  = &gothermpb.MeasurementPoint{Name: "goroutine.create", Unit: "1", OnDemand: true}
)

// series is heat in which the value i of a second was hit counts[i] times.
func series(labels map[string]string, seconds map[int]map[uint64]uint64) *gothermpb.HeatSeries {
	s := &gothermpb.HeatSeries{Labels: labels}
	for second, values := range seconds {
		var h heat.Histogram
		for v, n := range values {
			for range n {
				h.Observe(v)
			}
		}
		c := heat.NewColumn(noon.Add(time.Duration(second)*time.Second), &h)
		s.Columns = append(s.Columns, &gothermpb.HeatColumn{Start: timestamppb.New(c.Start), Buckets: c.Buckets, Counts: c.Counts, Sum: c.Sum, Max: c.Max})
	}
	return s
}

// latencies are two bands that part: most hits stay at 2 µs, some climb to 50 ms.
func latencies() []*gothermpb.HeatSeries {
	seconds := map[int]map[uint64]uint64{}
	slow := uint64(20_000)
	for second := -30; second < 0; second++ {
		seconds[second] = map[uint64]uint64{2_000: 900, 2_600: 300, slow: 12, slow * 2: 1}
		slow = slow * 9 / 7
	}
	delete(seconds, -12) // a second in which nothing ran
	return []*gothermpb.HeatSeries{series(nil, seconds)}
}

func creations() []*gothermpb.HeatSeries {
	calls, reports := map[int]map[uint64]uint64{}, map[int]map[uint64]uint64{}
	for second := -20; second < 0; second++ {
		calls[second] = map[uint64]uint64{1: uint64(40 + 10*(second%5))}
		if second%7 == 0 {
			reports[second] = map[uint64]uint64{1: 1}
		}
	}
	return []*gothermpb.HeatSeries{
		series(map[string]string{"function": "main.report"}, reports),
		series(map[string]string{"function": "github.com/gotherm/gotherm/examples/shop.(*catalogue).search.gowrap1"}, calls),
	}
}

func TestPicturesAreAsTheyWereApproved(t *testing.T) {
	for _, c := range []struct {
		file    string
		view    view
		height  int
		colours colours
	}{
		{"latency.txt", view{point: latency, process: shop, series: latencies(), width: 80}, 24, plain},
		{"latency-narrow.txt", view{point: latency, process: shop, series: latencies(), width: 24}, 10, plain},
		{"latency-256.txt", view{point: latency, process: shop, series: latencies(), width: 60}, 16, indexed},
		{"latency-truecolor.txt", view{point: latency, process: shop, series: latencies(), width: 60}, 16, direct},
		{"latency-none.txt", view{point: latency, process: shop, width: 60, note: "refused: CAP_BPF: not in effect"}, 14, plain},
		{"create.txt", view{point: create, process: shop, series: creations(), width: 80}, 14, plain},
		{"create-256.txt", view{point: create, process: shop, series: creations(), width: 80}, 14, indexed},
		{"create-none.txt", view{point: create, process: shop, width: 80}, 14, plain},
	} {
		t.Run(c.file, func(t *testing.T) {
			c.view.now, c.view.scale, c.view.lines = noon, &scale{}, linesFor(c.height)
			lines := c.view.picture(c.colours).draw(c.view.width, c.colours)
			if len(lines) > c.height {
				t.Errorf("%d lines in a terminal of %d", len(lines), c.height)
			}
			for _, l := range lines {
				if n := utf8.RuneCountInString(escape.ReplaceAllString(l, "")); n > c.view.width {
					t.Errorf("a line of %d in a terminal of %d: %q", n, c.view.width, l)
				}
			}
			// Escapes are written so that a diff can be read.
			got := strings.ReplaceAll(strings.Join(lines, "\n")+"\n", "\x1b", "^[")
			file := filepath.Join("testdata", c.file)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
				t.Fatalf("wrote %s: look at it, then run again without -update", file)
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

func TestEveryHitIsSomewhereInThePicture(t *testing.T) {
	var want uint64
	all := latencies()
	for _, c := range all[0].Columns {
		for _, n := range c.Counts {
			want += n
		}
	}
	for lines := 1; lines < 200; lines += 7 {
		for _, c := range []colours{plain, indexed} {
			v := view{point: latency, process: shop, series: all, width: 80, lines: lines, now: noon, scale: &scale{}}
			var got uint64
			for _, r := range v.picture(c).rows {
				for _, n := range r.cells {
					got += n
				}
			}
			if got != want {
				t.Errorf("%d lines: %d hits are drawn, want %d", lines, got, want)
			}
		}
	}
}

func TestTheScaleHoldsTheShortestAndTheLongest(t *testing.T) {
	edge := []*gothermpb.HeatSeries{series(nil, map[int]map[uint64]uint64{-1: {0: 1, 1 << 60: 1}})}
	for _, lines := range []int{1, 5, 100, 300} {
		v := view{point: latency, process: shop, series: edge, width: 80, lines: lines, now: noon, scale: &scale{}}
		p := v.picture(plain)
		if p.rows[0].label != "> 128 s" {
			t.Errorf("%d lines: the top is labelled %q", lines, p.rows[0].label)
		}
		var n uint64
		for _, r := range p.rows {
			n += r.cells[len(r.cells)-1]
		}
		if n != 2 {
			t.Errorf("%d lines: %d hits, want 2", lines, n)
		}
	}
}

func TestDurationsAreWrittenForPeople(t *testing.T) {
	for ns, want := range map[float64]string{
		0: "0 ns", 119: "119 ns", 999: "999 ns", 1_000: "1.0 µs", 1_250: "1.2 µs", 9_949: "9.9 µs", 9_960: "10 µs",
		340_000: "340 µs", 999_600: "1.0 ms", 1_100_000: "1.1 ms", 14_000_000: "14 ms", 2.5e9: "2.5 s", 128e9: "128 s",
	} {
		if got := humanDuration(ns); got != want {
			t.Errorf("%g ns is written %q, want %q", ns, got, want)
		}
	}
}
