package datasource

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/profile"
	"google.golang.org/protobuf/types/known/durationpb"
)

// processOf returns a process, whose stages are asked for through the agent that
// collects profiles of it. What was collected of it before is there still.
func (d *Datasource) processOf(ctx context.Context, process string) (*program, error) {
	if known, there := d.programs.Get(process); there {
		return known, nil
	}
	side := profileSide{Profile: query.Profile{Process: process, Type: profile.CPU}, from: time.Now(), to: time.Now()}
	k, _, err := d.askKept(ctx, side)
	if err != nil {
		return nil, err
	}
	if len(k.sources) == 0 {
		return nil, k.nobody(side)
	}
	from := k.sources[0]
	if from.Refused != "" {
		return nil, fmt.Errorf("process %s can't be asked: %s", process, from.Refused)
	}
	of := &program{
		name: process, services: []string{from.Service}, failed: func(err error) error { return from.agent.failed(err) },
		trace: func(seconds int, read func(io.Reader) error) (*profile.Traced, error) {
			return from.agent.trace(d.disposed, process, seconds, read)
		},
	}
	if known, there, _ := d.programs.PeekOrAdd(process, of); there {
		return known, nil
	}
	return of, nil
}

// agentTurn is how long an agent may wait until a process is asked for nothing else.
const agentTurn = 30 * time.Second

// trace is [profile.Target.Trace] of a process, by the agent that watches it.
func (a *agent) trace(ctx context.Context, process string, seconds int, read func(trace io.Reader) error) (*profile.Traced, error) {
	length := time.Duration(seconds) * time.Second
	ctx, cancel := context.WithTimeout(ctx, agentTurn+length+profile.TraceRoom+profile.Patience+a.timeout)
	defer cancel()
	stream, err := a.api.CollectTrace(ctx, connect.NewRequest(&pb.CollectTraceRequest{Process: process, Duration: durationpb.New(length)}))
	if err != nil {
		return nil, err
	}
	defer func() { _ = stream.Close() }()
	s := &traceStream{stream: stream}
	for {
		err := read(s)
		if s.again {
			s.again = false
			continue
		}
		if err == nil && s.end == nil {
			_, err = io.Copy(io.Discard, s)
		}
		if s.err != nil {
			return nil, s.err
		}
		if err != nil {
			return nil, err
		}
		return s.traced()
	}
}

// traceStream is the trace in what an agent sends.
type traceStream struct {
	stream *connect.ServerStreamForClient[pb.CollectTraceResponse]
	rest   []byte // of the last part
	begun  bool
	again  bool // begun a second time
	end    *pb.TraceEnd
	err    error // of the stream
}

var errAgain = errors.New("the trace is begun again")

// Read is for [io.Reader]. It ends before the end of the stream where the trace is begun again.
func (s *traceStream) Read(to []byte) (int, error) {
	for len(s.rest) == 0 {
		if s.end != nil {
			return 0, io.EOF
		}
		if s.err = s.next(); s.err != nil {
			return 0, s.err
		}
		if s.again {
			return 0, errAgain
		}
	}
	n := copy(to, s.rest)
	s.rest = s.rest[n:]
	return n, nil
}

// next takes the next part of the stream.
func (s *traceStream) next() error {
	if !s.stream.Receive() {
		if err := s.stream.Err(); err != nil {
			return err
		}
		return garbagef("a trace that has no end")
	}
	switch part := s.stream.Msg().Part.(type) {
	case *pb.CollectTraceResponse_Begin:
		s.begun, s.again = true, s.begun
	case *pb.CollectTraceResponse_Trace:
		s.rest = part.Trace
	case *pb.CollectTraceResponse_End:
		s.end = part.End
	}
	if !s.begun {
		return garbagef("a trace that has not begun")
	}
	return nil
}

// traced is what the end says.
func (s *traceStream) traced() (*profile.Traced, error) {
	if s.end.GetStart().CheckValid() != nil || s.end.GetEnd().CheckValid() != nil || s.end.End.AsTime().Before(s.end.Start.AsTime()) {
		return nil, garbagef("a trace from %s to %s", s.end.GetStart(), s.end.GetEnd())
	}
	t := &profile.Traced{From: s.end.Start.AsTime(), To: s.end.End.AsTime(), CPU: s.end.Profile}
	if s.end.Refused != "" {
		t.CPU, t.Refused = nil, errors.New(s.end.Refused)
	}
	return t, nil
}
