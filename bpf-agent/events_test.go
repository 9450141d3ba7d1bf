package main

import (
	"net/http"
	"strconv"
	"testing"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
)

// impatient is a client that holds little of what nobody reads.
func impatient(t *testing.T) *http.Client {
	h2c := new(http.Protocols)
	h2c.SetUnencryptedHTTP2(true)
	transport := &http.Transport{Protocols: h2c, HTTP2: &http.HTTP2Config{MaxReceiveBufferPerStream: 16 << 10}}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func TestAReaderThatStopsLosesEventsAndTheAgentNone(t *testing.T) {
	needsRoot(t)
	const pom = "sched.latency"
	program := target.Start(t, target.Build(t, ""))
	address := loopbackAddress(t)
	start(t, nil, build(t, "."), "run", "--pid", strconv.Itoa(program.PID()), "--listen", address, "--budget", "50%")
	eventually(t, "latencies", func() bool {
		program.Ask("switch 100")
		return len(hits(address, pom, "service")) > 0
	})
	client := gothermpbconnect.NewAgentServiceClient(http.DefaultClient, "http://"+address)
	accounting := func() (of *gothermpb.Accounting) {
		answer, err := client.GetAgent(t.Context(), connect.NewRequest(&gothermpb.GetAgentRequest{}))
		if err != nil {
			t.Fatal(err)
		}
		for _, a := range answer.Msg.Accounting {
			if a.Pom == pom {
				of = a
			}
		}
		return of
	}
	drained := func() bool { a := accounting(); return a.Carried+a.Counted == a.Hits }

	program.Freeze()
	defer program.Thaw()
	eventually(t, "all to be drained", drained)
	reader := gothermpbconnect.NewAgentServiceClient(impatient(t), "http://"+address, connect.WithAcceptCompression("gzip", nil, nil))
	stream, err := reader.WatchEvents(t.Context(), connect.NewRequest(&gothermpb.WatchEventsRequest{Pom: pom, MaxEventsPerSecond: 10_000}))
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	next := func() *gothermpb.WatchEventsResponse {
		if !stream.Receive() {
			t.Fatal(stream.Err())
		}
		return stream.Msg()
	}
	next() // the first, and the first that says that counting has begun
	next()
	before := accounting()
	program.Thaw()
	// Nobody reads, until what lies between is full and batches are lost.
	for end := time.Now().Add(4 * time.Second); time.Now().Before(end); {
		program.Ask("switch 5000")
	}
	program.Freeze()
	eventually(t, "all to be drained, though nobody reads", drained)
	want := accounting().Hits - before.Hits
	var got, events, lost, lostBatches uint64
	for got+lost < want {
		b := next()
		got += b.Hits
		events += b.Carried
		lost += b.LostHits
		lostBatches += b.LostBatches
	}
	t.Logf("%d events of %d hits; %d batches of %d hits were lost", events, got, lostBatches, lost)
	if got+lost != want {
		t.Errorf("%d hits came and %d were lost, there were %d", got, lost, want)
	}
	if lostBatches == 0 || events == 0 {
		t.Errorf("%d batches were lost, %d events came: nothing was proved", lostBatches, events)
	}
}
