//go:build js && wasm

// Replay is package heat for a browser: it cuts and adds up heat that was saved,
// where there is no back end to ask. The panel loads it when somebody opens saved
// heat: src/replay.
//
//	GOOS=js GOARCH=wasm go build ./pkg/heat/replay
//
// A call takes numbers, and bytes that the caller has put where [room] said. It
// says whether it went well, and its answer lies at [answerAt] until the next call.
package main

import (
	"encoding/binary"
	"fmt"
	"math"
	"time"
	"unsafe"

	"github.com/gotherm/gotherm/pkg/heat"
)

var (
	taken  []byte
	answer []byte
	sheets []heat.Sheet
)

// The program must not end, so that it can be called.
func main() { select {} }

// room makes room for so many bytes, and says where.
//
//go:wasmexport room
func room(size uint32) uint32 {
	taken = make([]byte, size)
	return at(taken)
}

func at(bytes []byte) uint32 {
	return uint32(uintptr(unsafe.Pointer(unsafe.SliceData(bytes))))
}

// answerAt and answerLength say where the answer to the last call is: text of an
// error, if that did not go well.
//
//go:wasmexport answerAt
func answerAt() uint32 { return at(answer) }

//go:wasmexport answerLength
func answerLength() uint32 { return uint32(len(answer)) }

// press writes cells: the room holds counts as float64 in little endian, NaN for
// a cell without a hit. The answer is what [heat.AppendCells] makes of them.
//
//go:wasmexport press
func press() bool {
	counts := make([]uint64, len(taken)/8)
	for i := range counts {
		n := math.Float64frombits(binary.LittleEndian.Uint64(taken[8*i:]))
		if n != n {
			continue
		}
		if n < 0 || n > heat.MaxHits || n != math.Trunc(n) {
			return failed(fmt.Errorf("write cells: cell %d has %g hits, must be a whole number up to %d", i, n, uint64(heat.MaxHits)))
		}
		counts[i] = uint64(n)
	}
	cells, err := heat.AppendCells(nil, counts)
	if err != nil {
		return failed(err)
	}
	answer = cells
	return true
}

// open reads the cells in the room as a sheet that begins at start and has
// columns of a width of step, both in milliseconds. Sheets are numbered from 0
// in the order of opening.
//
//go:wasmexport open
func open(start, step float64, columns, rows uint32) bool {
	if step < 1 || step > math.MaxInt64/1e6 || math.Abs(start) > math.MaxInt64/1e6 || start != math.Trunc(start) || step != math.Trunc(step) {
		return failed(fmt.Errorf("open heat: columns of %g ms from %g ms on, must be whole milliseconds", step, start))
	}
	if math.Mod(start, step) != 0 {
		return failed(fmt.Errorf("open heat: columns of %g ms from %g ms on, must begin at a multiple of their width", step, start))
	}
	if rows > 0 && columns > heat.MaxCells/rows {
		return failed(fmt.Errorf("open heat: %d columns of %d rows, at most %d cells", columns, rows, heat.MaxCells))
	}
	s := heat.Sheet{
		Start: time.UnixMilli(int64(start)), Step: time.Duration(step) * time.Millisecond,
		Columns: int(columns), Rows: int(rows), Counts: make([]uint64, columns*rows),
	}
	if err := heat.ReadCells(s.Counts, taken); err != nil {
		return failed(fmt.Errorf("open heat: %w", err))
	}
	sheets = append(sheets, s)
	answer = nil
	return true
}

// closeAll forgets all sheets.
//
//go:wasmexport closeAll
func closeAll() { sheets, taken, answer = nil, nil, nil }

// cut cuts the window from, to (in milliseconds) out of a sheet, with every so
// many columns added up to one; where parts is not 0 counts become shares of
// their column, in such parts. See [heat.Sheet.Window] and [heat.Sheet.Shares].
// The answer is five numbers as float64 in little endian, then the cells:
//
//	start of the first column, in ms; columns; cells that are not empty; the least and the most of these
//
//go:wasmexport cut
func cut(sheet uint32, from, to float64, every, parts uint32) bool {
	if int(sheet) >= len(sheets) {
		return failed(fmt.Errorf("cut heat: sheet %d, %d are open", sheet, len(sheets)))
	}
	s, err := sheets[sheet].Window(milliseconds(from), milliseconds(to), int(every))
	if err != nil {
		return failed(err)
	}
	if parts > 0 {
		s = s.Shares(parts)
	}
	filled, least, most := s.Extent()
	answer = make([]byte, 0, 8*5+len(s.Counts))
	for _, v := range []float64{float64(s.Start.UnixMilli()), float64(s.Columns), float64(filled), float64(least), float64(most)} {
		answer = binary.LittleEndian.AppendUint64(answer, math.Float64bits(v))
	}
	if answer, err = heat.AppendCells(answer, s.Counts); err != nil {
		return failed(err)
	}
	return true
}

// milliseconds rounds to a time that has them, in the range of sane dates.
func milliseconds(ms float64) time.Time {
	const far = 1 << 52
	return time.UnixMilli(int64(max(-far, min(far, math.Floor(ms)))))
}

func failed(err error) bool {
	answer = []byte(err.Error())
	return false
}
