package profile

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

// Traced is what was collected at the same time.
type Traced struct {
	// From and To are when it was asked for, and had come.
	From, To time.Time
	// CPU was collected within the trace; nil where CPUError says why not.
	CPU      *Fetched
	CPUError error
}

// traceMargin is for how long a trace goes on before and after the CPU profile in it.
const traceMargin = 500 * time.Millisecond

// Trace collects an execution trace, and for some seconds within it a CPU
// profile, whose samples the trace then has as well. The trace is handed to read
// as it comes, so that it need not be in memory. An error says what the target
// did or is that of read; it is a [Busy] where another trace is under way.
func (t *Target) Trace(ctx context.Context, seconds int, limits Limits, read func(trace io.Reader) error) (*Traced, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	traced := &Traced{From: time.Now()}
	length := time.Duration(seconds)*time.Second + 2*traceMargin
	done := make(chan error, 1)
	go func() {
		done <- t.trace(ctx, length, read)
	}()
	select {
	case err := <-done:
		if err == nil {
			err = fmt.Errorf("ends its trace before the time of %s", length)
		}
		return nil, err
	case <-time.After(traceMargin):
	}
	profiled := make(chan struct{})
	go func() {
		defer close(profiled)
		traced.CPU, traced.CPUError = t.Fetch(ctx, Request{Type: CPU, Seconds: seconds}, limits)
	}()
	err := <-done
	if err != nil {
		cancel()
	}
	<-profiled
	traced.To = time.Now()
	return traced, err
}

func (t *Target) trace(ctx context.Context, length time.Duration, read func(io.Reader) error) error {
	asked := url.Values{"seconds": {strconv.FormatFloat(length.Seconds(), 'f', -1, 64)}}
	body, err := t.open(ctx, "trace", asked)
	if err != nil {
		return err
	}
	defer func() { _ = body.Close() }()
	if err := read(body); err != nil {
		if ctx.Err() != nil {
			return t.failed(ctx, err)
		}
		return err
	}
	return nil
}
