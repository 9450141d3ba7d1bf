package heat_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"pgregory.net/rapid"
)

// anyCounts draws cells as heat has them: mostly none, mostly few, now and then very many.
func anyCounts(t *rapid.T, n int) []uint64 {
	count := rapid.OneOf(rapid.Just(uint64(0)), rapid.Just(uint64(0)), rapid.Uint64Range(1, 100), rapid.Uint64Range(0, heat.MaxHits))
	return rapid.SliceOfN(count, n, n).Draw(t, "counts")
}

func TestCellsComeBackAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		counts := anyCounts(t, rapid.IntRange(0, 300).Draw(t, "n"))
		cells, err := heat.AppendCells([]byte("before"), counts)
		if err != nil {
			t.Fatal(err)
		}
		back := make([]uint64, len(counts))
		if err := heat.ReadCells(back, cells[len("before"):]); err != nil || !slices.Equal(counts, back) {
			t.Fatalf("%v came back as %v, %v", counts, back, err)
		}
	})
}

func TestABusyCellTakesAByteAndSoDoesAGap(t *testing.T) {
	counts := make([]uint64, 65)
	counts[0], counts[64] = 1, 63
	cells, err := heat.AppendCells(nil, counts)
	if err != nil || len(cells) != 3 {
		t.Fatalf("one hit, 63 empty cells and 63 hits are %d bytes, %v", len(cells), err)
	}
}

func TestMoreHitsThanABrowserCountsAreAnError(t *testing.T) {
	if _, err := heat.AppendCells(nil, []uint64{0, heat.MaxHits + 1}); err == nil || !strings.Contains(err.Error(), "cell 1 has 9007199254740992 hits, at most 9007199254740991") {
		t.Fatalf("error is %v", err)
	}
}

func TestCellsThatAreNotWhatWasWrittenAreAnError(t *testing.T) {
	number := func(v uint64) []byte { return binary.AppendUvarint(nil, v) }
	for name, story := range map[string]struct {
		cells []byte
		says  string
	}{
		"cut off":        {[]byte{0x80}, "byte 0: the last number is cut off"},
		"too long":       {bytes.Repeat([]byte{0xff}, 11), "byte 0: a number is over 18014398509481983"},
		"too many hits":  {number(2*heat.MaxHits + 3), "byte 0: a number is over 18014398509481983"},
		"no hits":        {number(1), "byte 0: a number is 0"},
		"no gap":         {number(0), "byte 0: a number is 0"},
		"padded":         {[]byte{0x83, 0x00}, "longer than it must be"},
		"two gaps":       {slices.Concat(number(2), number(4)), "byte 1: a gap follows a gap"},
		"one too many":   {slices.Concat(number(2*2), number(3), number(3)), "byte 2: more cells than 3"},
		"a gap too long": {number(2 * 4), "byte 0: more cells than 3"},
		"too few":        {number(3), "1 cells, must be 3"},
		"endless gap":    {number(2 * heat.MaxHits), "byte 0: more cells than 3"},
	} {
		if err := heat.ReadCells(make([]uint64, 3), story.cells); err == nil || !strings.Contains(err.Error(), story.says) {
			t.Errorf("%s: error is %v, want %s", name, err, story.says)
		}
	}
}

func FuzzReadCells(f *testing.F) {
	for _, counts := range [][]uint64{{}, {0, 0, 0}, {1, 0, 63, 64, 0, 0, heat.MaxHits}} {
		cells, err := heat.AppendCells(nil, counts)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(cells, uint16(len(counts)))
	}
	f.Fuzz(func(t *testing.T, cells []byte, n uint16) {
		counts := make([]uint64, n)
		if heat.ReadCells(counts, cells) != nil {
			return
		}
		// There is one way only to write them.
		if back, err := heat.AppendCells(nil, counts); err != nil || !bytes.Equal(cells, back) {
			t.Fatalf("%x reads as %v, which is written %x, %v", cells, counts, back, err)
		}
	})
}

var seventeen = time.UnixMilli(17_000)

// anySheet draws a sheet of some columns of a second.
func anySheet(t *rapid.T) heat.Sheet {
	s := heat.Sheet{
		Start: seventeen, Step: time.Second, First: 40,
		Columns: rapid.IntRange(1, 40).Draw(t, "columns"), Rows: rapid.IntRange(1, 6).Draw(t, "rows"),
	}
	s.Counts = anyCounts(t, s.Columns*s.Rows)
	for i := range s.Counts {
		s.Counts[i] /= 64 // so that columns can be added up
	}
	return s
}

func total(counts []uint64) (sum uint64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

func TestASheetHasEachHitOfItsColumns(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var columns []heat.Column
		hits := map[int64]*heat.Histogram{}
		at := seventeen
		var all uint64
		for range rapid.IntRange(0, 8).Draw(t, "columns") {
			at = at.Add(time.Duration(rapid.IntRange(1, 4).Draw(t, "gap")) * time.Second)
			h := &heat.Histogram{}
			for _, v := range rapid.SliceOfN(rapid.Uint64Range(0, 400e9), 0, 20).Draw(t, "values") {
				h.Observe(v)
			}
			hits[at.Unix()] = h
			all += h.Count()
			columns = append(columns, heat.NewColumn(at, h))
		}
		s, err := heat.NewSheet(columns, time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if total(s.Counts) != all || len(s.Counts) != s.Columns*s.Rows {
			t.Fatalf("%d hits went in, %d came out, in %d cells of %d columns and %d rows", all, total(s.Counts), len(s.Counts), s.Columns, s.Rows)
		}
		for i, n := range s.Counts {
			second, bucket := s.Start.Unix()+int64(i/s.Rows), s.First+i%s.Rows
			if h := hits[second]; h == nil && n != 0 || h != nil && h.Counts[bucket] != n {
				t.Fatalf("%d hits in bucket %d of second %d", n, bucket, second)
			}
		}
	})
}

func TestAColumnOffTheStepIsAnError(t *testing.T) {
	columns := []heat.Column{
		{Start: seventeen, Buckets: []uint32{3}, Counts: []uint64{1}},
		{Start: seventeen.Add(1500 * time.Millisecond), Buckets: []uint32{3}, Counts: []uint64{1}},
	}
	if _, err := heat.NewSheet(columns, time.Second); err == nil || !strings.Contains(err.Error(), "1.5s after the first and 1.5s after the one before, must ascend in multiples of 1s") {
		t.Fatalf("error is %v", err)
	}
	columns[1].Start = seventeen.Add(heat.MaxCells * time.Second)
	if _, err := heat.NewSheet(columns, time.Second); err == nil || !strings.Contains(err.Error(), "at most 4194304 cells") {
		t.Fatalf("error is %v", err)
	}
}

func TestAWindowAddsUpWholeColumns(t *testing.T) {
	s := heat.Sheet{Start: seventeen, Step: time.Second, First: 7, Columns: 6, Rows: 1, Counts: []uint64{1, 10, 100, 1000, 10000, 100000}}
	for name, story := range map[string]struct {
		from, to int64
		every    int
		start    int64
		counts   []uint64
	}{
		"all of it":                      {17_000, 23_000, 1, 17_000, s.Counts},
		"a part":                         {18_000, 20_000, 1, 18_000, []uint64{10, 100}},
		"rounded out":                    {18_200, 19_300, 1, 18_000, []uint64{10, 100}},
		"in threes since 1970":           {0, 99_000, 3, 15_000, []uint64{1, 1110, 110000}},
		"in threes, cut, still whole":    {19_000, 20_000, 3, 18_000, []uint64{1110}},
		"wider than it is":               {0, 99_000, 60, 0, []uint64{111111}},
		"before it":                      {0, 17_000, 1, 17_000, nil},
		"after it":                       {23_000, 30_000, 1, 23_000, nil},
		"nothing":                        {19_000, 19_000, 1, 19_000, nil},
		"the wrong way round is nothing": {20_000, 18_000, 1, 20_000, nil},
	} {
		cut, err := s.Window(time.UnixMilli(story.from), time.UnixMilli(story.to), story.every)
		if err != nil {
			t.Fatal(err)
		}
		if !slices.Equal(cut.Counts, story.counts) || cut.Start.UnixMilli() != story.start || cut.Columns != len(story.counts) || cut.Step != time.Duration(story.every)*time.Second || cut.First != 7 {
			t.Errorf("%s: %+v, want %v from %d", name, cut, story.counts, story.start)
		}
	}
	if _, err := s.Window(seventeen, seventeen, 0); err == nil {
		t.Error("every 0 is no error")
	}
	s.Counts = slices.Repeat([]uint64{heat.MaxHits}, 6)
	if _, err := s.Window(seventeen, seventeen.Add(time.Minute), 2); err == nil || !strings.Contains(err.Error(), "18014398509481982 hits of bucket 7 in 2 columns, at most 9007199254740991") {
		t.Errorf("error is %v", err)
	}
}

func TestAWindowLosesAndInventsNoHit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySheet(t)
		before := slices.Clone(s.Counts)
		every := rapid.IntRange(1, 50).Draw(t, "every")
		whole, err := s.Window(time.UnixMilli(0), seventeen.Add(time.Hour), every)
		if err != nil || total(whole.Counts) != total(s.Counts) {
			t.Fatalf("%d hits of %d, %v", total(whole.Counts), total(s.Counts), err)
		}
		// Two windows that meet at a bound have together what one over both has.
		meet := time.UnixMilli(int64(every) * 1000 * rapid.Int64Range(0, 60).Draw(t, "meet"))
		left, err1 := s.Window(time.UnixMilli(0), meet, every)
		right, err2 := s.Window(meet, seventeen.Add(time.Hour), every)
		if err1 != nil || err2 != nil || !slices.Equal(slices.Concat(left.Counts, right.Counts), whole.Counts) {
			t.Fatalf("%v and %v, must be %v", left.Counts, right.Counts, whole.Counts)
		}
		if !slices.Equal(s.Counts, before) {
			t.Fatal("the sheet has changed")
		}
	})
}

func TestSharesOfAColumnAddUpAndNoHitVanishes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := anySheet(t)
		const parts = 1_000_000
		shares := s.Shares(parts)
		for column := range s.Columns {
			counts, got := s.Counts[column*s.Rows:][:s.Rows], shares.Counts[column*s.Rows:][:s.Rows]
			whole := total(counts)
			for row, n := range counts {
				want := float64(n) / float64(whole) * parts
				if (n == 0) != (got[row] == 0) || n > 0 && math.Abs(float64(got[row])-max(1, want)) > 0.5001 {
					t.Fatalf("%d of %d hits are %d parts in a million", n, whole, got[row])
				}
			}
		}
	})
}
