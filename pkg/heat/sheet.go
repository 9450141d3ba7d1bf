package heat

import (
	"fmt"
	"math"
	"math/bits"
	"time"
)

// Sheet is the heat of one series laid out flat: every cell is there, also the
// empty ones, so that columns can be cut, added up and sent in few bytes.
//
//	Counts[column*Rows + row]     hits of bucket First + row in [Start + column*Step, ... + Step)
//
// Methods leave the sheet as it was.
type Sheet struct {
	// Start of the first column, a multiple of Step since 1970.
	Start time.Time
	// Step is the width of a column: whole milliseconds.
	Step time.Duration
	// First is the bucket of the lowest row.
	First         int
	Columns, Rows int
	// Counts are at most [MaxHits] each.
	Counts []uint64
}

// MaxCells is how many cells a sheet may have.
const MaxCells = 1 << 22

// NewSheet lays out columns, which ascend in multiples of the step. It has the
// columns from the first to the last with a hit, and the rows from the lowest to
// the highest bucket with one: without a hit it has neither.
func NewSheet(columns []Column, step time.Duration) (Sheet, error) {
	s := Sheet{Step: step}
	first, last := -1, -1
	low, high := uint32(NumBuckets), uint32(0)
	for i, c := range columns {
		for k, b := range c.Buckets {
			if c.Counts[k] == 0 {
				continue
			}
			if first < 0 {
				first = i
			}
			last = i
			low, high = min(low, b), max(high, b)
		}
	}
	if first < 0 {
		return s, nil
	}
	s.Start = columns[first].Start
	s.First = int(low)
	s.Columns = int(columns[last].Start.Sub(s.Start)/step) + 1
	s.Rows = int(high-low) + 1
	if s.Columns > MaxCells/s.Rows {
		return Sheet{}, fmt.Errorf("lay out heat: %d columns of %d rows, at most %d cells", s.Columns, s.Rows, MaxCells)
	}
	s.Counts = make([]uint64, s.Columns*s.Rows)
	previous := -step
	for _, c := range columns[first : last+1] {
		at := c.Start.Sub(s.Start)
		if at <= previous || at%step != 0 {
			return Sheet{}, fmt.Errorf("lay out heat: a column starts %s after the first and %s after the one before, must ascend in multiples of %s", at, at-previous, step)
		}
		previous = at
		for k, b := range c.Buckets {
			if c.Counts[k] == 0 {
				continue
			}
			if c.Counts[k] > MaxHits {
				return Sheet{}, fmt.Errorf("lay out heat: %d hits in bucket %d at %s, at most %d", c.Counts[k], b, c.Start.UTC().Format(time.RFC3339), uint64(MaxHits))
			}
			s.Counts[int(at/step)*s.Rows+int(b-low)] = c.Counts[k]
		}
	}
	return s, nil
}

// widest is the width, in milliseconds, of the widest column that can be told as a duration.
const widest = math.MaxInt64 / int64(time.Millisecond)

// Window returns the part of s in [from, to), with every so many columns added
// up to one. Its columns begin at multiples of their width since 1970, so that
// windows agree on them; and they are whole: the window is rounded out for it.
//
//	s       |1|2|3|4|5|6|7|8|9|
//	            from   to          every 2
//	Window    |  5  |  9  | 13 |
//
// Where s has no columns there are none. It is an error if a sum is over [MaxHits].
func (s Sheet) Window(from, to time.Time, every int) (Sheet, error) {
	step := s.Step.Milliseconds()
	if most := widest / step; every < 1 || int64(every) > most {
		return Sheet{}, fmt.Errorf("cut heat: every is %d, must be 1 to %d for columns of %s", every, most, s.Step)
	}
	wide := step * int64(every)
	// In columns of s since 1970.
	origin := s.Start.UnixMilli() / step
	begin := max(floorTo(from.UnixMilli(), wide)/step, origin)
	end := min(-floorTo(-to.UnixMilli(), wide)/step, origin+int64(s.Columns))
	cut := Sheet{Start: time.UnixMilli(floorTo(begin*step, wide)), Step: s.Step * time.Duration(every), First: s.First, Rows: s.Rows}
	if begin >= end {
		return cut, nil
	}
	first := floorTo(begin, int64(every)) / int64(every)
	cut.Columns = int(floorTo(end-1, int64(every))/int64(every)-first) + 1
	cut.Counts = make([]uint64, cut.Columns*cut.Rows)
	for at := begin; at < end; at++ {
		sum := cut.Counts[int(floorTo(at, int64(every))/int64(every)-first)*s.Rows:][:s.Rows]
		for row, n := range s.Counts[int(at-origin)*s.Rows:][:s.Rows] {
			if sum[row] += n; sum[row] > MaxHits {
				return Sheet{}, fmt.Errorf("cut heat: %d hits of bucket %d in %d columns, at most %d", sum[row], s.First+row, every, uint64(MaxHits))
			}
		}
	}
	return cut, nil
}

// Shares returns s with each cell as its share of the hits of its column, in
// parts of the whole, rounded; a cell with a hit has at least one part. Columns
// of busy and of quiet seconds can be compared so.
func (s Sheet) Shares(parts uint32) Sheet {
	shares := s
	shares.Counts = make([]uint64, len(s.Counts))
	for column := range s.Columns {
		counts := s.Counts[column*s.Rows:][:s.Rows]
		var whole uint64 // NumBuckets * MaxHits fits
		for _, n := range counts {
			whole += n
		}
		for row, n := range counts {
			if n == 0 {
				continue
			}
			high, low := bits.Mul64(n, uint64(parts))
			low, carry := bits.Add64(low, whole/2, 0)
			part, _ := bits.Div64(high+carry, low, whole)
			shares.Counts[column*s.Rows+row] = max(1, part)
		}
	}
	return shares
}

// Extent tells how many cells have a hit, and the least and the most of one: 0 without any.
func (s Sheet) Extent() (filled int, least, most uint64) {
	for _, n := range s.Counts {
		if n == 0 {
			continue
		}
		if filled == 0 || n < least {
			least = n
		}
		filled++
		most = max(most, n)
	}
	return filled, least, most
}
