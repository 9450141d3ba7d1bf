package stages

import (
	"bytes"
	"fmt"
	"io"
	"strconv"
)

// limited reads a trace no further than its limits. The trace's reader makes
// its own errors of those of what it reads: the one here is the cause.
type limited struct {
	from              io.Reader
	total, generation int64 // bytes that may yet come
	batches           batches
	limits            Limits
	err               error
}

func newLimited(from io.Reader, limits Limits) *limited {
	return &limited{
		from: from, total: limits.Bytes, generation: limits.Generation,
		batches: batches{limits: limits, skip: headerLength, kind: inHeader}, limits: limits,
	}
}

func (l *limited) Read(p []byte) (int, error) {
	if l.err != nil {
		return 0, l.err
	}
	n, err := l.from.Read(p)
	tooMuch := l.batches.see(p[:n])
	l.total -= int64(n)
	l.generation -= int64(n)
	switch {
	case l.total < 0:
		l.err = fmt.Errorf("it is longer than the limit of %d bytes", l.limits.Bytes)
	case l.generation < 0:
		l.err = fmt.Errorf("one of its generations is longer than the limit of %d bytes", l.limits.Generation)
	case tooMuch != nil:
		l.err = tooMuch
	case err != nil && err != io.EOF:
		l.err = err
	}
	if l.err != nil {
		return 0, l.err
	}
	return n, err
}

// begin notes that a generation begins, of which some bytes may have been read.
func (l *limited) begin() { l.generation = l.limits.Generation }

// headerLength is of "go 1.26 trace\x00\x00\x00".
const headerLength = 16

// oldest is the first minor release of Go whose traces are streams of
// generations. Those before have to be in memory as a whole.
const oldest = 22

// checkHeader reads a trace's header, and returns a reader of all of it.
func checkHeader(r io.Reader) (io.Reader, error) {
	header := make([]byte, headerLength)
	if n, err := io.ReadFull(r, header); err == io.EOF {
		return nil, fmt.Errorf("it is empty")
	} else if err == io.ErrUnexpectedEOF {
		return nil, fmt.Errorf("it has %d bytes, a header alone has %d", n, headerLength)
	} else if err != nil {
		return nil, err
	}
	text, _ := bytes.CutSuffix(header, []byte(" trace\x00\x00\x00"))
	version, found := bytes.CutPrefix(text, []byte("go 1."))
	minor, err := strconv.ParseUint(string(version), 10, 16)
	if !found || err != nil || len(text) == len(header) {
		return nil, fmt.Errorf("it begins with %.16q, must begin with \"go 1.22 trace\" or later", header)
	}
	if minor < oldest {
		return nil, fmt.Errorf("it is of Go 1.%d, must be of Go 1.%d or later", minor, oldest)
	}
	return io.MultiReader(bytes.NewReader(header), r), nil
}
