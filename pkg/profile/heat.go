package profile

import (
	"cmp"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	pprof "github.com/google/pprof/profile"
)

// Slice is what there was in a while.
type Slice struct {
	From, To time.Time
	Parts    []Part
}

// Part is a profile, and how much of it counts: 1 for all, 1/60 for a sixtieth,
// which is what a second has of a minute's.
type Part struct {
	*pprof.Profile
	Weight float64
}

// Heat is what was where, over time: a row for each function or value of a label.
type Heat struct {
	Type Type
	// Rows are ordered by what they have in all columns, most first. Where there
	// are more than wanted, the last is all others.
	Rows []string
	// Values are by row, then column: each column adds up to its parts.
	Values [][]float64
}

// What the rows of a heat may be.
const (
	// ByFunction has functions for rows, with what is their own.
	ByFunction = "function"
	// byLabel and a key has the values of that label for rows.
	byLabel = "label:"
)

// unlabelled is the row of samples without the label, or without a stack.
const unlabelled = "(none)"

// HeatOf makes the heat of profiles over time, a column of each slice. It is by
// [ByFunction] or by "label:KEY", of the sample type of that name, and has at most so many rows.
func HeatOf(columns []Slice, by, sampleType string, most int) (Heat, error) {
	key, isLabel := strings.CutPrefix(by, byLabel)
	if by != ByFunction && (!isLabel || key == "") {
		return Heat{}, fmt.Errorf("groupBy is %q, must be %s or %sKEY", by, ByFunction, byLabel)
	}
	if !isLabel {
		key = ""
	}
	var h Heat
	var about Type
	known := false
	rows := map[string][]float64{}
	totals := map[string]float64{}
	for i, column := range columns {
		add := func(row string, v float64) {
			if rows[row] == nil {
				rows[row] = make([]float64, len(columns))
			}
			rows[row][i] += v
			totals[row] += math.Abs(v)
		}
		for _, part := range column.Parts {
			t, err := TypeOf(part.Profile, sampleType)
			if err != nil {
				return Heat{}, err
			}
			if known && (t.Name != about.Name || t.Unit != about.Unit) {
				return Heat{}, fmt.Errorf("profiles differ: %s (%s) before, %s (%s) of %s", about.Name, about.Unit, t.Name, t.Unit, column.From)
			}
			about, known = t, true
			for _, s := range part.Sample {
				if v := s.Value[t.Index]; v != 0 {
					add(rowOf(s, key), float64(v)*part.Weight)
				}
			}
		}
	}
	h.Type = about
	h.Rows = slices.SortedFunc(maps.Keys(rows), func(a, b string) int { return cmp.Or(cmp.Compare(totals[b], totals[a]), cmp.Compare(a, b)) })
	if len(h.Rows) > most {
		rest := make([]float64, len(columns))
		for _, row := range h.Rows[most-1:] {
			for i, v := range rows[row] {
				rest[i] += v
			}
		}
		h.Rows = append(h.Rows[:most-1:most-1], other)
		rows[other] = rest
	}
	for _, row := range h.Rows {
		h.Values = append(h.Values, rows[row])
	}
	return h, nil
}

// rowOf is where a sample belongs: to its innermost function, or to the value of a label.
func rowOf(s *pprof.Sample, label string) string {
	if label != "" {
		if values := labelValues(s, label); len(values) > 0 {
			return strings.ToValidUTF8(strings.Join(values, ","), "\uFFFD")
		}
		return unlabelled
	}
	if len(s.Location) == 0 {
		return unlabelled
	}
	leaf := s.Location[0]
	if len(leaf.Line) == 0 {
		return frameName(leaf, nil)
	}
	return frameName(leaf, leaf.Line[0].Function)
}
