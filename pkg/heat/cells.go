package heat

import (
	"encoding/binary"
	"fmt"
)

// Most cells of a sheet are empty, and most of the others hold few hits. Column
// by column, each from its lowest row up, they are written as unsigned varints
// (those of encoding/binary, in as few bytes as can be):
//
//	2n      n empty cells, n > 0: the whole of a gap
//	2n + 1  one cell with n hits, n > 0
//
// A cell with up to 63 hits takes a byte, and so does a gap of up to 63 cells.
// There is one way only to write some cells. src/renderer/wire.ts reads them in
// the browser.

// MaxHits is how many hits a cell may have in transit: a browser can tell whole
// numbers apart up to here.
const MaxHits = 1<<53 - 1

// AppendCells appends counts, in few bytes, to dst. A count over [MaxHits] is an error.
func AppendCells(dst []byte, counts []uint64) ([]byte, error) {
	var empty uint64
	for i, n := range counts {
		if n == 0 {
			empty++
			continue
		}
		if n > MaxHits {
			return nil, fmt.Errorf("write cells: cell %d has %d hits, at most %d", i, n, uint64(MaxHits))
		}
		if empty > 0 {
			dst = binary.AppendUvarint(dst, 2*empty)
			empty = 0
		}
		dst = binary.AppendUvarint(dst, 2*n+1)
	}
	if empty > 0 {
		dst = binary.AppendUvarint(dst, 2*empty)
	}
	return dst, nil
}

// ReadCells reads what [AppendCells] wrote into counts, whose length says how
// many cells there are. An error names the byte at which it stopped; counts
// are not all set then.
func ReadCells(counts []uint64, cells []byte) error {
	at, gap := 0, false
	for read := 0; read < len(cells); {
		v, size := binary.Uvarint(cells[read:])
		switch {
		case size == 0:
			return fmt.Errorf("read cells: byte %d: the last number is cut off", read)
		case size < 0 || v > 2*MaxHits+1:
			return fmt.Errorf("read cells: byte %d: a number is over %d", read, uint64(2*MaxHits+1))
		case v < 2 || size > 1 && cells[read+size-1] == 0:
			return fmt.Errorf("read cells: byte %d: a number is 0, or longer than it must be", read)
		case v&1 == 0 && gap:
			return fmt.Errorf("read cells: byte %d: a gap follows a gap", read)
		}
		n := v >> 1
		gap = v&1 == 0
		length := uint64(1)
		if gap {
			length = n
		}
		if length > uint64(len(counts)-at) {
			return fmt.Errorf("read cells: byte %d: more cells than %d", read, len(counts))
		}
		if gap {
			clear(counts[at : at+int(n)])
		} else {
			counts[at] = n
		}
		at += int(length)
		read += size
	}
	if at < len(counts) {
		return fmt.Errorf("read cells: %d cells, must be %d", at, len(counts))
	}
	return nil
}
