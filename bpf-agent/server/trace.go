package server

import (
	"context"
	"errors"
	"fmt"
	"io"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
)

const (
	// maxTrace is how many bytes a trace may have. It is sent as it comes, and
	// traceChunk is how much of it is in memory.
	maxTrace   = 512 << 20
	traceChunk = 64 << 10
)

// CollectTrace asks a process for an execution trace and a CPU profile within it
// now. Of requests for the same process each waits for the one before. A client
// that goes ends the trace.
func (s *Server) CollectTrace(ctx context.Context, req *connect.Request[gothermpb.CollectTraceRequest], stream *connect.ServerStream[gothermpb.CollectTraceResponse]) error {
	if s.Profiles == nil {
		return connect.NewError(connect.CodeFailedPrecondition, errors.New(profilesOff))
	}
	seconds, err := collectSeconds(req.Msg.GetDuration())
	if err != nil {
		return err
	}
	leave, err := s.collecting.enter()
	if err != nil {
		return err
	}
	defer leave()
	send := func(part *gothermpb.CollectTraceResponse) error {
		return hurry(ctx, func() error { return stream.Send(part) })
	}
	traced, err := s.Profiles.Trace(ctx, req.Msg.GetProcess(), seconds, func(trace io.Reader) error {
		return sendTrace(trace, send)
	})
	if err != nil {
		return notCollected(err)
	}
	end := &gothermpb.TraceEnd{Start: timestamppb.New(traced.From), End: timestamppb.New(traced.To), Profile: traced.CPU}
	if traced.Refused != nil {
		end.Refused = valid(traced.Refused.Error())
	}
	return send(&gothermpb.CollectTraceResponse{Part: &gothermpb.CollectTraceResponse_End{End: end}})
}

func sendTrace(trace io.Reader, send func(*gothermpb.CollectTraceResponse) error) error {
	if err := send(&gothermpb.CollectTraceResponse{Part: &gothermpb.CollectTraceResponse_Begin{Begin: &gothermpb.TraceBegin{}}}); err != nil {
		return err
	}
	chunk := make([]byte, traceChunk)
	for sent := 0; ; {
		n, err := fill(chunk, trace)
		if sent += n; sent > maxTrace {
			return tooMuch("the trace has over %d MiB, which is the most there is: ask for a shorter one", maxTrace>>20)
		}
		if n > 0 {
			if err := send(&gothermpb.CollectTraceResponse{Part: &gothermpb.CollectTraceResponse_Trace{Trace: chunk[:n]}}); err != nil {
				return err
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("ends in the middle of its trace: %w", err)
		}
	}
}

// fill is [io.ReadFull] that returns the reader's own error: a trace that was cut
// off is no short one.
func fill(chunk []byte, from io.Reader) (n int, err error) {
	for n < len(chunk) && err == nil {
		var more int
		more, err = from.Read(chunk[n:])
		n += more
	}
	return n, err
}
