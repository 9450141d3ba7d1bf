package profile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"time"
)

// TraceRequest says what to trace.
type TraceRequest struct {
	// Seconds of CPU profile that the trace is around.
	Seconds int
	// Patience is for how long somebody else's CPU profile or trace is waited for.
	Patience time.Duration
}

// Traced is what was collected at the same time.
type Traced struct {
	// From and To are when it was asked for, and had come.
	From, To time.Time
	// CPU is the profile that was collected within the trace, as it came, for [Parse]; nil where Refused says why there is none.
	CPU     []byte
	Refused error
}

const (
	// Patience is enough for the CPU profile that an agent collects once a minute.
	Patience = 15 * time.Second
	// traceMargin is for how long a trace goes on before and after the CPU profile in it.
	traceMargin = 500 * time.Millisecond
	// TraceRoom is how much longer than its CPU profile a trace takes, at most,
	// where the target answers at once.
	TraceRoom = 2*traceMargin + time.Second
	// tracePause is the time between two attempts.
	tracePause = 2 * time.Second
)

// errGivenUp ends an attempt of which the CPU profile was refused.
var errGivenUp = errors.New("given up: another takes a CPU profile")

// Trace collects an execution trace, and for some seconds within it a CPU
// profile, whose samples the trace then has as well.
//
//	trace     ├──────────────────────────┤
//	profile      ├────────────────────┤
//
// Where another takes a trace already, it is tried again until patience is over.
// So it is where another takes a CPU profile: the trace is given up at once, as
// little of it as there is. Then it goes on without, and has samples only while
// the other takes them.
//
// The trace is handed to read as it comes, so that it need not be in memory:
// from its beginning in each attempt. An error says what the target did or is
// that of read; it is a [Busy] where another trace is under way. The CPU profile
// may have at most so many bytes.
func (t *Target) Trace(ctx context.Context, r TraceRequest, most int, read func(trace io.Reader) error) (*Traced, error) {
	for end := time.Now().Add(r.Patience); ; {
		again := time.Until(end) > tracePause
		traced, err := t.attempt(ctx, r.Seconds, most, read, again)
		if !again || !errors.Is(err, errGivenUp) && !errors.As(err, new(Busy)) {
			return traced, err
		}
		select {
		case <-time.After(tracePause):
		case <-ctx.Done():
			return nil, t.failed(ctx, ctx.Err())
		}
	}
}

// attempt is [Target.Trace] once. With again, it is given up where the CPU profile is refused as another's is taken.
func (t *Target) attempt(ctx context.Context, seconds int, most int, read func(io.Reader) error, again bool) (*Traced, error) {
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
		traced.CPU, traced.Refused = t.Download(ctx, Request{Type: CPU, Seconds: seconds}, most)
	}()
	var err error
	select {
	case err = <-done:
		if err != nil {
			cancel()
		}
		<-profiled
	case <-profiled:
		if again && errors.As(traced.Refused, new(Busy)) {
			cancel()
			<-done
			return nil, errGivenUp
		}
		err = <-done
	}
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
