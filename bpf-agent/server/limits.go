package server

import (
	"errors"
	"fmt"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// Limits of one request. A request over one of them is refused with an error
// that names what was asked for, what was found and the limit.
const (
	// maxRange is the longest time that a query may span.
	maxRange = 7 * day
	// maxColumns is how many steps the range of a query may have.
	maxColumns = 11_000
	// maxGroups is how many series group_by may lead to.
	maxGroups = 1_000
	// maxFilled is how many columns with hits the series of an answer may have together.
	maxFilled = 100_000
	// maxCells is how many buckets with hits those columns may have together.
	maxCells = 2_000_000
	// maxPoints is how many points an answer with statistics may have.
	maxPoints = 500_000
	// maxStatistics is how many statistics a query may ask for.
	maxStatistics = 16
	// maxMatchers is how many matchers a request may have, maxValues how many
	// values each of them, and maxValueBytes how long each value may be.
	maxMatchers   = 16
	maxValues     = 100
	maxValueBytes = 1_024
	// maxAttach is the longest that a costly measurement point is watched for one request.
	maxAttach = probe.MaxAttach
	// maxGridCells is how many cells the answer with the goroutine grid may have.
	maxGridCells = 100_000
)

// Limits of the server.
const (
	// maxBody is how many bytes the message of a request may have, compressed or not.
	maxBody = 1 << 20
	// maxHeader is how many bytes the headers of a request may have.
	maxHeader = 64 << 10
	// maxRequests is how many requests may be on the way at once, maxWalks how
	// many of them read heat while the others wait their turn, and maxStreams
	// how many streams may be on the way.
	maxRequests = 64
	maxWalks    = 4
	maxStreams  = 64
	// maxTime is how long answering a request may take, from its first byte to
	// the last of the answer. A stream has it for each of its messages.
	maxTime = 30 * time.Second
)

const day = 24 * time.Hour

// invalid makes the error for a request that can never be answered.
func invalid(format string, args ...any) *connect.Error {
	return connect.NewError(connect.CodeInvalidArgument, fmt.Errorf(format, args...))
}

// tooMuch makes the error for a request that asks for more than a limit.
func tooMuch(format string, args ...any) *connect.Error {
	return connect.NewError(connect.CodeResourceExhausted, fmt.Errorf(format, args...))
}

var errTime = connect.NewError(connect.CodeDeadlineExceeded,
	errors.New("answering took over "+maxTime.String()+", which is the most there is: ask for a shorter range, a longer step or fewer groups"))

// spell writes a duration with days, which is what ranges are thought of in: "3650d", "7d1h0m0s".
func spell(d time.Duration) string {
	days, rest := d/day, d%day
	switch {
	case days == 0:
		return d.String()
	case rest == 0:
		return fmt.Sprintf("%dd", days)
	}
	return fmt.Sprintf("%dd%s", days, rest)
}

// gate lets a number of requests in at once, and turns away the rest.
type gate struct {
	what  string
	slots chan struct{}
}

func newGate(what string, limit int) gate { return gate{what, make(chan struct{}, limit)} }

// enter returns the function to leave with.
func (g gate) enter() (leave func(), err error) {
	select {
	case g.slots <- struct{}{}:
		return func() { <-g.slots }, nil
	default:
		return nil, tooMuch("%d %s at once already, at most %d: try again later", cap(g.slots), g.what, cap(g.slots))
	}
}
