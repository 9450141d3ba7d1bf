package probe

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// A request that began when its point was last wanted, and ends now that it is
// wanted again, has a time that is no request's.
func TestRequestThatWasNotWatchedInBetweenIsNotCounted(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("attaching to a process needs root")
	}
	server := target.StartWeb(t, "")
	k, err := Load(Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer k.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := NewWatcher(k, goproc.NewFinder(goproc.Selection{PIDs: []int{server.PID()}}, log), goproc.NewLedger(), log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}()
	wait := func(what string, happened func() bool) {
		t.Helper()
		for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			if happened() {
				return
			}
		}
		t.Fatalf("waited a minute in vain for %s", what)
	}
	wait("the server to be watched", func() bool { return len(w.snapshot()) == 1 })
	n := w.snapshot()[0]
	if p := n.points[bpf.KernelPointHTTP_REQUEST]; p.state != Attached {
		t.Fatalf("http.request is %s: %s", p.state, p.reason)
	}
	url := "http://" + server.Ask("stats").HTTP
	get := func(path string) {
		response, err := http.Get(url + path)
		if err != nil {
			t.Error(err)
			return
		}
		io.Copy(io.Discard, response.Body)
		response.Body.Close()
	}
	open := func() (n int) {
		var key uint64
		var value bpf.KernelRequest
		for all := k.collection.Maps[bpf.KernelMapRequests].Iterate(); all.Next(&key, &value); {
			n++
		}
		return n
	}
	hits := func() uint64 {
		tally, err := k.Tally(n.slot)
		if err != nil {
			t.Fatal(err)
		}
		return tally.Of[bpf.KernelPointHTTP_REQUEST].Hits
	}

	slow := make(chan struct{})
	go func() { get("/slow?for=2s"); close(slow) }()
	wait("the request to begin", func() bool { return open() == 1 })
	w.changing.Lock()
	w.detach(n, int(bpf.KernelPointHTTP_REQUEST))
	err = w.attach(n, int(bpf.KernelPointHTTP_REQUEST))
	w.changing.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	<-slow
	if n := hits(); n != 0 {
		t.Errorf("%d requests were counted, none was watched from begin to end", n)
	}
	for i := range 3 {
		get(fmt.Sprintf("/items/%d", i))
	}
	wait("3 requests to be counted", func() bool { return hits() == 3 })
	// One of its own when it began on the connection of the slow one.
	if n := open(); n > 1 {
		t.Errorf("%d requests are kept, at most one was never seen to end", n)
	}

	// What a process leaves behind goes with its slot.
	go http.Get(url + "/slow?for=1m")
	wait("the request to begin", func() bool { return server.Ask("stats").Served == 5 })
	if err := k.forgetRequests(n.slot); err != nil {
		t.Fatal(err)
	}
	if n := open(); n != 0 {
		t.Errorf("%d requests are kept of a process that is gone", n)
	}
}
