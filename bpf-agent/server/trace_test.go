package server

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
)

// collectTrace asks for a trace, and returns the bytes of it and what came last.
func collectTrace(t *testing.T, url string, request *gothermpb.CollectTraceRequest) (sent []byte, end *gothermpb.TraceEnd, err error) {
	t.Helper()
	stream, err := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url).CollectTrace(t.Context(), connect.NewRequest(request))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for stream.Receive() {
		switch part := stream.Msg().Part.(type) {
		case *gothermpb.CollectTraceResponse_Begin:
			sent = []byte{}
		case *gothermpb.CollectTraceResponse_Trace:
			sent = append(sent, part.Trace...)
		case *gothermpb.CollectTraceResponse_End:
			end = part.End
		}
	}
	return sent, end, stream.Err()
}

func TestATraceIsSentWithTheProfileWithinIt(t *testing.T) {
	s := newServer(t)
	process := collecting(t, s)
	url := loopback(t, s)
	untilKnown(t, gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url))
	burning, burnt := context.WithCancel(t.Context())
	defer burnt()
	go func() {
		for burning.Err() == nil {
		}
	}()
	sent, end, err := collectTrace(t, url, &gothermpb.CollectTraceRequest{Process: process.ID, Duration: durationpb.New(time.Second)})
	if err != nil || end == nil || end.Refused != "" {
		t.Fatalf("%d bytes, %v, %v", len(sent), end, err)
	}
	report, err := stages.Fuse(bytes.NewReader(sent), stages.DefaultLimits())
	if err != nil {
		t.Fatal(err)
	}
	cpu, err := profile.Parse(bytes.NewReader(end.Profile), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := report.Check(cpu)
	if err != nil || report.Total.Samples == 0 || stages.Agreement(matches) < 0.9 {
		t.Errorf("of %d samples those of the profile are %v, %v", report.Total.Samples, matches, err)
	}
	if took := end.End.AsTime().Sub(end.Start.AsTime()); took < report.Length {
		t.Errorf("a trace of %s came in %s", report.Length, took)
	}
	if f := scrape(t, url)["gotherm_profiles_cpu_seconds_total"]; f == nil || f.Metric[0].GetCounter().GetValue() != 1 {
		t.Errorf("CPU profiles have taken %v, want the second of this one", f)
	}
}

func TestTracesThatCanNotBeHadSayWhy(t *testing.T) {
	if _, _, err := collectTrace(t, loopback(t, newServer(t)), &gothermpb.CollectTraceRequest{}); err == nil || !strings.Contains(err.Error(), "start it with --profiles") {
		t.Errorf("an agent that collects nothing says %v", err)
	}
	s := newServer(t)
	process := collecting(t, s)
	url := loopback(t, s)
	untilKnown(t, gothermpbconnect.NewAgentServiceClient(http.DefaultClient, url))
	for says, request := range map[string]*gothermpb.CollectTraceRequest{
		"not_found: process 1-1 is not collected from":    {Process: "1-1"},
		"duration is 21s, must be whole seconds, at most": {Process: process.ID, Duration: durationpb.New(21 * time.Second)},
		"duration is 1.5s, must be whole seconds":         {Process: process.ID, Duration: durationpb.New(1500 * time.Millisecond)},
	} {
		if _, _, err := collectTrace(t, url, request); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%v is told %v, want %q", request, err, says)
		}
	}
}

// A process that never stops tracing must not fill the agent.
func TestATraceWithoutEndIsCutOff(t *testing.T) {
	parts := 0
	err := sendTrace(zeros{}, func(p *gothermpb.CollectTraceResponse) error {
		parts++
		return nil
	})
	if err == nil || !strings.Contains(err.Error(), "over 512 MiB") || parts > 1+maxTrace/traceChunk {
		t.Errorf("after %d parts it is told %v", parts, err)
	}
	cut := io.MultiReader(strings.NewReader("go 1.26 trace"), broken{})
	if err := sendTrace(cut, func(*gothermpb.CollectTraceResponse) error { return nil }); err == nil || !strings.Contains(err.Error(), "ends in the middle of its trace") {
		t.Errorf("a trace that was cut off is told %v", err)
	}
}

type zeros struct{}

func (zeros) Read(to []byte) (int, error) { return len(to), nil }

type broken struct{}

func (broken) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }
