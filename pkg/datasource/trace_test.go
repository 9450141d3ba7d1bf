package datasource

import (
	"bytes"
	"context"
	"net/http"
	"net/http/httptest"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// tracing is an agent that sends what the test says for the trace of a process.
type tracing struct {
	gothermpbconnect.UnimplementedAgentServiceHandler
	parts map[string][]*pb.CollectTraceResponse
}

func (t *tracing) ListProfiles(_ context.Context, r *connect.Request[pb.ListProfilesRequest]) (*connect.Response[pb.ListProfilesResponse], error) {
	answer := &pb.ListProfilesResponse{}
	for _, process := range r.Msg.Matchers[0].Values {
		answer.Sources = append(answer.Sources, &pb.ProfileSource{Process: process, Service: "shop"})
	}
	return connect.NewResponse(answer), nil
}

func (t *tracing) CollectTrace(_ context.Context, r *connect.Request[pb.CollectTraceRequest], stream *connect.ServerStream[pb.CollectTraceResponse]) error {
	for _, part := range t.parts[r.Msg.Process] {
		if err := stream.Send(part); err != nil {
			return err
		}
	}
	return nil
}

func TestATraceThatIsBegunAgainReplacesWhatCameBefore(t *testing.T) {
	var recorded bytes.Buffer
	if err := trace.Start(&recorded); err != nil {
		t.Fatal(err)
	}
	trace.WithRegion(t.Context(), "brew", func() {})
	trace.Stop()
	begin := &pb.CollectTraceResponse{Part: &pb.CollectTraceResponse_Begin{Begin: &pb.TraceBegin{}}}
	piece := func(b []byte) *pb.CollectTraceResponse {
		return &pb.CollectTraceResponse{Part: &pb.CollectTraceResponse_Trace{Trace: b}}
	}
	end := func(from, to time.Time, refused string, profile []byte) *pb.CollectTraceResponse {
		return &pb.CollectTraceResponse{Part: &pb.CollectTraceResponse_End{End: &pb.TraceEnd{
			Start: timestamppb.New(from), End: timestamppb.New(to), Refused: refused, Profile: profile,
		}}}
	}
	whole, now := recorded.Bytes(), time.Now()
	half := whole[:len(whole)/2]
	done := end(now.Add(-time.Second), now, "is being profiled already", nil)
	a := &tracing{parts: map[string][]*pb.CollectTraceResponse{
		"again":    {begin, piece(half), begin, piece(whole[:20]), piece(whole[20:]), done},
		"odd":      {begin, piece(whole), end(now.Add(-time.Second), now, "", []byte("no profile"))},
		"beheaded": {piece(whole), done},
		"endless":  {begin, piece(whole)},
		"cut off":  {begin, piece(half), done},
		"reversed": {begin, piece(whole), end(now, now.Add(-time.Second), "", nil)},
		"empty":    {},
	}}
	mux := http.NewServeMux()
	mux.Handle(gothermpbconnect.NewAgentServiceHandler(a))
	server := httptest.NewServer(mux)
	defer server.Close()
	d := open(t, "shop", server.URL)
	for process, warning := range map[string]string{"again": "the program is being profiled already", "odd": "sent a CPU profile that can't be read"} {
		answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindStages, Profile: &query.Profile{Process: process, Seconds: 1}}, lastTwoMinutes(now)))
		if answer.Error != nil {
			t.Errorf("%s: %v", process, answer.Error)
			continue
		}
		table, heat := answer.Frames[0], answer.Frames[1]
		if table.Fields[0].At(0) != "brew" || len(heat.Fields) < 2 {
			t.Errorf("%s: the first stage is %v", process, table.Fields[0].At(0))
		}
		notices := table.Meta.Notices
		if len(notices) != 3 || notices[1].Severity != data.NoticeSeverityWarning || !strings.Contains(notices[1].Text, warning) ||
			!strings.Contains(notices[2].Text, "1 of 1 traces in the time range were taken while there was no CPU profile") {
			t.Errorf("%s: the notices are %v, want %q", process, notices, warning)
		}
	}
	for process, says := range map[string]string{
		"beheaded": "answers garbage: a trace that has not begun",
		"endless":  "answers garbage: a trace that has no end",
		"cut off":  "agent shop",
		"reversed": "answers garbage: a trace from",
		"empty":    "answers garbage: a trace that has no end",
	} {
		answer := ask(t, d, dataQuery(t, query.Query{Kind: query.KindStages, Profile: &query.Profile{Process: process, Seconds: 1}}, lastTwoMinutes(now)))
		if answer.Error == nil || !strings.Contains(answer.Error.Error(), says) {
			t.Errorf("%s is told %v, want %q", process, answer.Error, says)
		}
	}
}
