//go:build !js

package main_test

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// order is what is asked of the program: testdata/ask.mjs asks it, one call after the other.
type order struct {
	Call string   `json:"call"`
	With []number `json:"with"`
	// Room is what is put there first.
	Room []byte `json:"room"`
}

// number may be infinite, or none, which JSON has no words for.
type number float64

func (n number) MarshalJSON() ([]byte, error) {
	if math.IsInf(float64(n), 0) {
		return json.Marshal(strings.Trim(fmt.Sprint(math.Copysign(1, float64(n))), "1") + "Infinity")
	}
	return json.Marshal(fmt.Sprint(float64(n)))
}

// said is what came of it.
type said struct {
	Well   bool   `json:"well"`
	Answer []byte `json:"answer"`
}

// ask runs the program as a browser does.
func ask(t *testing.T, orders []order) []said {
	t.Helper()
	goroot, err := exec.Command("go", "env", "GOROOT").Output()
	if err != nil {
		t.Fatal(err)
	}
	wasm := filepath.Join(t.TempDir(), "heat.wasm")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", wasm, ".")
	build.Env = append(os.Environ(), "GOOS=js", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("build for the browser: %v\n%s", err, out)
	}
	input, err := json.Marshal(orders)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.Command("node", "testdata/ask.mjs", filepath.Join(strings.TrimSpace(string(goroot)), "lib/wasm/wasm_exec.js"), wasm)
	node.Stdin = bytes.NewReader(input)
	var stderr bytes.Buffer
	node.Stderr = &stderr
	output, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, &stderr)
	}
	var answers []said
	if err := json.Unmarshal(output, &answers); err != nil {
		t.Fatalf("%v in %d bytes from node", err, len(output))
	}
	if len(answers) != len(orders) {
		t.Fatalf("%d answers to %d orders", len(answers), len(orders))
	}
	return answers
}

func floats(vs ...float64) (b []byte) {
	for _, v := range vs {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v))
	}
	return b
}

// anyHeat is a sheet as a busy program makes them: a few columns, most of their cells empty.
func anyHeat(r *rand.Rand) heat.Sheet {
	s := heat.Sheet{
		Start:   time.UnixMilli(1_795_348_800_000 + 250*r.Int64N(4000)),
		Step:    time.Duration(250*(1+r.IntN(8))) * time.Millisecond,
		Columns: 1 + r.IntN(400), Rows: 1 + r.IntN(heat.NumBuckets),
	}
	s.Start = s.Start.Add(-time.Duration(s.Start.UnixMilli()%s.Step.Milliseconds()) * time.Millisecond)
	s.Counts = make([]uint64, s.Columns*s.Rows)
	for i := range s.Counts {
		if r.IntN(3) == 0 {
			s.Counts[i] = uint64(math.Exp(r.Float64() * r.Float64() * 30))
		}
	}
	return s
}

func TestABrowserSaysByteForByteWhatTheBackEndSays(t *testing.T) {
	r := rand.New(rand.NewPCG(4, 2026))
	var orders []order
	var want []said
	add := func(o order, answer []byte, err error) {
		if err != nil {
			answer = []byte(err.Error())
		}
		orders, want = append(orders, o), append(want, said{err == nil, answer})
	}
	for sheet := range 30 {
		s := anyHeat(r)
		cells, err := heat.AppendCells(nil, s.Counts)
		if err != nil {
			t.Fatal(err)
		}
		start, step := float64(s.Start.UnixMilli()), float64(s.Step.Milliseconds())
		counts := make([]float64, len(s.Counts))
		for i, n := range s.Counts {
			counts[i] = float64(n)
			if n == 0 && i%2 == 0 {
				counts[i] = math.NaN()
			}
		}
		add(order{"press", nil, floats(counts...)}, cells, nil)
		add(order{"open", []number{number(start), number(step), number(s.Columns), number(s.Rows)}, cells}, nil, nil)
		for range 10 {
			from := math.Floor(start + (r.Float64()-0.2)*step*float64(s.Columns))
			to := math.Floor(from + r.Float64()*step*float64(s.Columns))
			every, parts := r.IntN(20), []uint32{0, 0, 100, 1_000_000, math.MaxUint32}[r.IntN(5)]
			cut, err := s.Window(time.UnixMilli(int64(from)), time.UnixMilli(int64(to)), every)
			var answer []byte
			if err == nil {
				if parts > 0 {
					cut = cut.Shares(parts)
				}
				filled, least, most := cut.Extent()
				answer, err = heat.AppendCells(floats(float64(cut.Start.UnixMilli()), float64(cut.Columns), float64(filled), float64(least), float64(most)), cut.Counts)
			}
			add(order{"cut", []number{number(sheet), number(from), number(to), number(every), number(parts)}, nil}, answer, err)
		}
	}
	for i, got := range ask(t, orders) {
		if got.Well != want[i].Well || !bytes.Equal(got.Answer, want[i].Answer) {
			t.Fatalf("%s %v: the browser says %t, %s; the back end %t, %s", orders[i].Call, orders[i].With,
				got.Well, told(got), want[i].Well, told(want[i]))
		}
	}
}

func told(s said) string {
	if !s.Well {
		return string(s.Answer)
	}
	return base64.StdEncoding.EncodeToString(s.Answer[:min(len(s.Answer), 120)])
}

func TestWhatABrowserAsksAmissIsAnErrorAndNeverTheEnd(t *testing.T) {
	stories := []struct {
		order
		says string
	}{
		{order{"cut", []number{0, 0, 1, 1, 0}, nil}, "cut heat: sheet 0, 0 are open"},
		{order{"open", []number{0, 0, 1, 1}, nil}, "open heat: columns of 0 ms from 0 ms on, must be whole milliseconds"},
		{order{"open", []number{0.5, 1, 1, 1}, nil}, "open heat: columns of 1 ms from 0.5 ms on"},
		{order{"open", []number{7, 2, 1, 1}, nil}, "open heat: columns of 2 ms from 7 ms on, must begin at a multiple of their width"},
		{order{"open", []number{0, 1, 1 << 21, 3}, nil}, "open heat: 2097152 columns of 3 rows, at most 4194304 cells"},
		{order{"open", []number{0, 1, 1, 1}, []byte{1}}, "open heat: read cells: byte 0: a number is 0"},
		{order{"press", nil, floats(1, 1.5)}, "write cells: cell 1 has 1.5 hits, must be a whole number up to 9007199254740991"},
		{order{"press", nil, floats(math.Inf(1))}, "write cells: cell 0 has +Inf hits"},
		{order{"open", []number{1000, 1000, 1, 1}, []byte{3}}, ""},
		{order{"cut", []number{0, number(math.Inf(-1)), number(math.Inf(1)), 1, 0}, nil}, ""},
		{order{"cut", []number{0, number(math.NaN()), number(math.NaN()), 1, 0}, nil}, ""},
		{order{"cut", []number{0, 0, 1e15, math.MaxUint32, 0}, nil}, ""},
		{order{"cut", []number{0, 0, 1, 0, 0}, nil}, "cut heat: every is 0, must be 1 to 9223372036 for columns of 1s"},
	}
	orders := make([]order, len(stories))
	for i, s := range stories {
		orders[i] = s.order
	}
	for i, got := range ask(t, orders) {
		if s := stories[i]; got.Well != (s.says == "") || !got.Well && !strings.Contains(string(got.Answer), s.says) {
			t.Errorf("%s %v: %t, %q, want %q", s.Call, s.With, got.Well, got.Answer, s.says)
		}
	}
}
