package ingest

import "time"

// pace says how long to wait between two looks at the ring. Programs do not
// wake the reader: a wakeup costs the target three times what the record does.
// So the reader comes often enough by itself: it aims at a ring that is between
// a 16th and a quarter full. At 10 ms that is some millions of events a second.
type pace struct{ wait time.Duration }

const (
	shortestWait = 50 * time.Microsecond
	longestWait  = 10 * time.Millisecond
)

func newPace() *pace { return &pace{shortestWait} }

// next takes how full the ring was, from 0 to 1.
func (p *pace) next(fill float64) time.Duration {
	switch {
	case fill > 1./4:
		p.wait = max(p.wait/2, shortestWait)
	case fill < 1./16:
		p.wait = min(p.wait*2, longestWait)
	}
	return p.wait
}
