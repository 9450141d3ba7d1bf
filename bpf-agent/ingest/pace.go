package ingest

import (
	"time"
	"unsafe"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
)

// pace says how long to wait between two looks at the ring. Programs do not
// wake the reader: a wakeup costs the target three times what the record does.
// So the reader comes often enough by itself: it aims at a hundred or so events
// a look, so that they wait for as long as a hundred take to come, and looking
// costs little for each. At 2 million events a second that is 15,000 looks.
type pace struct{ wait time.Duration }

const (
	shortestWait = 50 * time.Microsecond
	longestWait  = 10 * time.Millisecond

	// What an event takes in the ring.
	eventBytes = recordHeader + uint64(unsafe.Sizeof(bpf.KernelEvent{}))
	fewEvents  = 64 * eventBytes
	manyEvents = 256 * eventBytes
)

func newPace() *pace { return &pace{shortestWait} }

// next takes how many bytes of the ring were read. The wait becomes shorter at
// once and longer slowly: programs that were kept from their CPUs for a while
// come back all at once.
func (p *pace) next(read uint64) time.Duration {
	switch {
	case read > manyEvents:
		p.wait = max(p.wait*time.Duration(manyEvents)/time.Duration(read), shortestWait)
	case read < fewEvents:
		p.wait = min(p.wait+p.wait/32, longestWait)
	}
	return p.wait
}
