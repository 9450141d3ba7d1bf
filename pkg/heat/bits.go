package heat

import (
	"encoding/binary"
	"math/bits"
)

// bitWriter appends numbers to bytes, bit by bit, highest first.
type bitWriter struct {
	bytes []byte
	last  uint64 // bits that do not fill a byte yet, in its lowest
	n     uint   // how many there are
}

// put appends the lowest width bits of v, at most 64.
func (w *bitWriter) put(v uint64, width uint) {
	if width > 32 {
		w.put(v>>32, width-32)
		v, width = v&(1<<32-1), 32
	}
	w.last, w.n = w.last<<width|v, w.n+width
	for ; w.n >= 8; w.n -= 8 {
		w.bytes = append(w.bytes, byte(w.last>>(w.n-8)))
	}
	w.last &= 1<<w.n - 1
}

// small appends a number of at least one, the shorter the smaller it is: as
// many zeros as it has bits after its first, then its bits (Elias gamma).
//
//	1: 1   2: 010   3: 011   4: 00100
func (w *bitWriter) small(v uint64) {
	more := uint(bits.Len64(v) - 1)
	w.put(0, more)
	w.put(v, more+1)
}

// large appends a number of which only the size is guessed: how many bits it
// has, in seven bits, and then these.
func (w *bitWriter) large(v uint64) {
	width := uint(bits.Len64(v))
	w.put(uint64(width), 7)
	w.put(v, width)
}

// align fills the last byte, so that the next number begins in a new one.
func (w *bitWriter) align() {
	if w.n > 0 {
		w.put(0, 8-w.n)
	}
}

// bitPadding is how many bytes must follow what a bitReader reads.
const bitPadding = 8

// bitReader reads what a bitWriter wrote. It trusts it.
type bitReader struct {
	bytes []byte
	at    uint // in bits
}

// ahead returns the next bits, highest first; 57 of them at least are true.
func (r *bitReader) ahead() uint64 {
	return binary.BigEndian.Uint64(r.bytes[r.at>>3:]) << (r.at & 7)
}

func (r *bitReader) take(width uint) uint64 {
	if width > 32 {
		high := r.take(width - 32)
		return high<<32 | r.take(32)
	}
	v := r.ahead() >> (64 - width)
	r.at += width
	return v
}

func (r *bitReader) small() uint64 {
	v := r.ahead()
	more := uint(bits.LeadingZeros64(v))
	if more <= 28 {
		r.at += 2*more + 1
		return v >> (63 - 2*more)
	}
	more = 0
	for r.take(1) == 0 {
		more++
	}
	return 1<<more | r.take(more)
}

func (r *bitReader) large() uint64 { return r.take(uint(r.take(7))) }

func (r *bitReader) align() { r.at = (r.at + 7) &^ 7 }
