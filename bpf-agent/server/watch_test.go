package server

import (
	"context"
	"net/http"
	"testing"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

// The head's time is set by hand: nothing here depends on how fast the machine is.
func TestEachColumnIsSentOnceAndIsWhatAQueryAnswersLater(t *testing.T) {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	overHTTP2 := &http.Client{Transport: &http.Transport{Protocols: h2c}}
	defer overHTTP2.CloseIdleConnections()
	t.Run("Connect", func(t *testing.T) {
		s := newServer(t)
		eachColumnIsSentOnce(t, s, gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s)))
	})
	t.Run("gRPC", func(t *testing.T) {
		s := newServer(t)
		eachColumnIsSentOnce(t, s, gothermpbconnect.NewAgentServiceClient(overHTTP2, loopback(t, s), connect.WithGRPC()))
	})
}

func eachColumnIsSentOnce(t *testing.T, s *Server, client gothermpbconnect.AgentServiceClient) {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	stream, err := client.WatchHeat(ctx, connect.NewRequest(&gothermpb.WatchHeatRequest{
		Pom: "gc.stw", Step: durationpb.New(2 * time.Second), GroupBy: []string{"reason"},
	}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()

	const seconds = 40
	go func() {
		for second := range seconds {
			pass(s, second)
			observe(s, shopSweep, second, 10_000)
			// Three in four seconds have no mark; and some hits come very late.
			if second%4 == 0 {
				observe(s, shopMark, second, 50_000)
				observe(s, shopMark, second-10, 70_000)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	// At second 39 all before 35 is sealed: the last whole column of two begins at 32.
	var got []*gothermpb.WatchHeatResponse
	for stream.Receive() {
		got = append(got, proto.CloneOf(stream.Msg()))
		if stream.Msg().ColumnStart.AsTime().Equal(noon.Add(32 * time.Second)) {
			break
		}
	}
	if err := stream.Err(); err != nil {
		t.Fatal(err)
	}
	if len(got) < 15 {
		t.Fatalf("%d columns, want some 17", len(got))
	}
	var hits uint64
	next := got[0].ColumnStart.AsTime()
	for _, column := range got {
		if !column.ColumnStart.AsTime().Equal(next) || column.Unit != "ns" || column.Step.AsDuration() != 2*time.Second {
			t.Errorf("got %v, want the column at %s", column, next)
		}
		next = next.Add(2 * time.Second)
		later, err := client.QueryHeat(ctx, connect.NewRequest(&gothermpb.QueryHeatRequest{
			Pom: "gc.stw", Step: column.Step, GroupBy: []string{"reason"}, Start: column.ColumnStart,
			End: timestamppb.New(column.ColumnStart.AsTime().Add(2 * time.Second)),
		}))
		if err != nil {
			t.Fatal(err)
		}
		want := &gothermpb.QueryHeatResponse{Series: column.Series, Schema: heat.Schema, Unit: "ns", Step: column.Step}
		if !proto.Equal(later.Msg, want) {
			t.Errorf("column %s: sent %v, a query says %v", column.ColumnStart.AsTime(), column.Series, later.Msg.Series)
		}
		for _, series := range column.Series {
			for _, c := range series.Columns {
				for _, n := range c.Counts {
					hits += n
				}
			}
		}
	}
	if hits < 30 {
		t.Errorf("the columns have %d hits together, want some 50: nothing was proved", hits)
	}
}

func TestAStreamEndsWithItsClientAndLeavesItsPlace(t *testing.T) {
	s := newServer(t)
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, s))
	ctx, cancel := context.WithCancel(t.Context())
	stream, err := client.WatchHeat(ctx, connect.NewRequest(&gothermpb.WatchHeatRequest{Pom: "gc.stw", Step: durationpb.New(time.Second)}))
	if err != nil {
		t.Fatal(err)
	}
	if n := len(s.streams.slots); n != 1 {
		t.Errorf("%d streams are counted, want 1", n)
	}
	cancel()
	stream.Close()
	for range 200 {
		if len(s.streams.slots) == 0 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Error("four seconds after its client has gone, the stream still takes a place")
}

func TestAStreamIsCheckedLikeAQuery(t *testing.T) {
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, loopback(t, newServer(t)))
	for _, request := range []*gothermpb.WatchHeatRequest{
		{},
		{Pom: "gc.stw"},
		{Pom: "gc.stw", Step: durationpb.New(time.Millisecond)},
		{Pom: "gc.stw", Step: durationpb.New(time.Second), GroupBy: []string{"colour"}},
		{Pom: "gc.stw", Step: durationpb.New(time.Second), Matchers: []*gothermpb.Matcher{{Dimension: "colour"}}},
	} {
		stream, err := client.WatchHeat(t.Context(), connect.NewRequest(request))
		if err == nil {
			stream.Receive()
			err = stream.Err()
			stream.Close()
		}
		if connect.CodeOf(err) != connect.CodeInvalidArgument {
			t.Errorf("%v: got %v", request, err)
		}
	}
}
