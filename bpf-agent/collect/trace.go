package collect

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/gotherm/gotherm/pkg/profile"
)

// maxTurn is how long a trace waits for a turn: longer than any turn takes.
const maxTurn = 30 * time.Second

// Trace asks a process for an execution trace now, and for some seconds of CPU
// profile within it, between its turns. It hands the trace to read as it comes,
// and keeps neither. See [profile.Target.Trace].
func (c *Collector) Trace(ctx context.Context, process string, seconds int, read func(trace io.Reader) error) (*profile.Traced, error) {
	f, err := c.known(process)
	if err != nil {
		return nil, err
	}
	waiting, enough := context.WithTimeout(ctx, maxTurn)
	defer enough()
	leave, err := f.enter(waiting)
	if err != nil {
		return nil, err
	}
	defer leave()
	c.mu.Lock()
	index := f.index
	c.mu.Unlock()
	target, err := profile.NewTarget(index, client)
	if err != nil {
		return nil, err
	}
	collecting := time.Duration(seconds) * time.Second
	ctx, cancel := context.WithTimeout(ctx, collecting+profile.TraceRoom+profile.Patience+c.schedule.Answer)
	defer cancel()
	traced, err := target.Trace(ctx, profile.TraceRequest{Seconds: seconds, Patience: profile.Patience}, limits.Packed, read)
	if err != nil {
		return nil, fmt.Errorf("%s %w", index, err)
	}
	c.burnt(collecting, traced.Refused)
	return traced, nil
}
