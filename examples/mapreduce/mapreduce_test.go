package main

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/pprof/profile"

	"github.com/gotherm/gotherm/pkg/instrument"
)

func newJob(t *testing.T) *job {
	t.Helper()
	j := &job{files: 3, size: 100_000, partitions: 5, workers: 2, dir: t.TempDir(), lifetime: instrument.NewLifetime()}
	if err := j.generate(); err != nil {
		t.Fatal(err)
	}
	return j
}

func TestARoundCountsEachWordAndSortsThem(t *testing.T) {
	j := newJob(t)
	found, err := j.round(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want, n := map[string]int{}, 0
	for _, path := range j.inputs {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, word := range strings.Fields(string(text)) {
			want[word]++
			n++
		}
	}
	if diff := cmp.Diff(want, found.counts); diff != "" || found.words != n {
		t.Errorf("%d words counted, there are %d; counts, want (-) and got (+):\n%s", found.words, n, diff)
	}
	var sorted []string
	for p := range j.partitions {
		text, err := os.ReadFile(filepath.Join(j.dir, fmt.Sprintf("output-%d.txt", p)))
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			word, _, _ := strings.Cut(line, "\t")
			sorted = append(sorted, word)
		}
	}
	if len(sorted) != len(want) || !slices.IsSorted(sorted) {
		t.Errorf("the output has %d words, sorted: %v; there are %d", len(sorted), slices.IsSorted(sorted), len(want))
	}
}

// parsed is a profile of pkg/instrument as google/pprof reads it.
func parsed(t *testing.T, p *instrument.Profile) *profile.Profile {
	t.Helper()
	var encoded bytes.Buffer
	if err := p.Write(&encoded); err != nil {
		t.Fatal(err)
	}
	read, err := profile.Parse(&encoded)
	if err != nil {
		t.Fatal(err)
	}
	if err := read.CheckValid(); err != nil {
		t.Fatal(err)
	}
	return read
}

func TestPprofReadsWhatInstrumentWrites(t *testing.T) {
	at := time.Unix(1_700_000_000, 5)
	read := parsed(t, &instrument.Profile{
		Types: []instrument.ValueType{{Type: "ended", Unit: "count"}, {Type: "lifetime", Unit: "nanoseconds"}},
		Samples: []instrument.Sample{
			{
				Stack:  []instrument.Frame{{Function: "leaf", File: "a.go", Line: 7}, {Function: "root", File: "a.go", Line: 3}},
				Values: []int64{1, math.MaxInt64},
				Labels: []instrument.Label{{Key: "method", Text: "GET /größe"}, {Key: "up_to", Number: -1, Unit: "nanoseconds"}},
			},
			{Stack: []instrument.Frame{{Function: "leaf", File: "a.go", Line: 8}}, Values: []int64{math.MinInt64, 0}},
			{Values: []int64{300, -300}},
			{Stack: []instrument.Frame{{Function: "broken \xff"}}, Values: []int64{0, 0}},
		},
		Time: at, Duration: 90 * time.Second,
	})
	var got []string
	for _, s := range read.Sample {
		var line []string
		for _, l := range s.Location {
			line = append(line, fmt.Sprintf("%s %s:%d", l.Line[0].Function.Name, l.Line[0].Function.Filename, l.Line[0].Line))
		}
		got = append(got, fmt.Sprint(line, s.Value, s.Label, s.NumLabel, s.NumUnit))
	}
	want := []string{
		`[leaf a.go:7 root a.go:3] [1 9223372036854775807] map[method:[GET /größe]] map[up_to:[-1]] map[up_to:[nanoseconds]]`,
		`[leaf a.go:8] [-9223372036854775808 0] map[] map[] map[]`,
		`[] [300 -300] map[] map[] map[]`,
		"[broken \uFFFD :0] [0 0] map[] map[] map[]",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("samples, want (-) and got (+):\n%s", diff)
	}
	if len(read.Function) != 3 || len(read.Location) != 4 {
		t.Errorf("%d functions and %d locations, want 3 and 4: leaf is one, at two lines", len(read.Function), len(read.Location))
	}
	if read.TimeNanos != at.UnixNano() || read.DurationNanos != 90_000_000_000 {
		t.Errorf("time is %d and duration %d", read.TimeNanos, read.DurationNanos)
	}
}

func TestLifetimesOfWorkersAreAPprofProfile(t *testing.T) {
	j := newJob(t)
	if _, err := j.round(context.Background()); err != nil {
		t.Fatal(err)
	}
	const workers = 4 // two that map, and two that shuffle and reduce
	var ended int64
	for end := time.Now().Add(10 * time.Second); ended < workers && time.Now().Before(end); time.Sleep(time.Millisecond) {
		p, err := j.lifetime.Profile()
		if err != nil {
			t.Fatal(err)
		}
		ended = 0
		for _, s := range parsed(t, p).Sample {
			ended += s.Value[0]
			if s.Location[0].Line[0].Function.Name != "github.com/gotherm/gotherm/examples/mapreduce.(*job).each" {
				t.Errorf("a worker was started by %s", s.Location[0].Line[0].Function.Name)
			}
		}
	}
	if ended != workers {
		t.Errorf("%d workers have ended, want %d", ended, workers)
	}
}
