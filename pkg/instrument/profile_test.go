package instrument

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	_ "net/http/pprof" // for http.DefaultServeMux
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

func TestEachLatencyFallsInTheBucketThatHoldsIt(t *testing.T) {
	for bucket := range latencyBuckets - 8 {
		upper := latencyUpper(bucket)
		if got := latencyBucket(upper); got != bucket {
			t.Fatalf("%d ns falls in bucket %d, is the upper bound of %d", upper, got, bucket)
		}
		if got := latencyBucket(upper + 1); got != bucket+1 {
			t.Fatalf("%d ns falls in bucket %d, is above the upper bound of %d", upper+1, got, bucket)
		}
	}
	if got := latencyBucket(1<<63 - 1); got >= latencyBuckets {
		t.Errorf("the longest duration falls in bucket %d of %d", got, latencyBuckets)
	}
}

func TestEachCallIsCountedOnce(t *testing.T) {
	l := NewRPCLatency()
	var all sync.WaitGroup
	const callers, calls = 4, 5000
	for range callers {
		all.Add(1)
		go func() {
			defer all.Done()
			for i := range calls {
				l.Observe([]string{"get", "put"}[i%2], time.Duration(i)*time.Microsecond)
			}
		}()
	}
	all.Wait()
	p, err := l.Profile()
	if err != nil {
		t.Fatal(err)
	}
	var n, sum int64
	for _, s := range p.Samples {
		n += s.Values[0]
		sum += s.Values[1]
	}
	if want := int64(callers * calls); n != want {
		t.Errorf("%d calls are in the profile, there were %d", n, want)
	}
	if want := int64(callers * calls * (calls - 1) / 2 * 1000); sum != want {
		t.Errorf("%d ns are in the profile, there were %d", sum, want)
	}
}

func TestMethodsPastTheLimitShareOne(t *testing.T) {
	l := NewRPCLatency()
	for i := range MaxMethods + 5 {
		l.Observe(time.Duration(i).String(), time.Second)
	}
	if n := len(l.methods); n != MaxMethods+1 {
		t.Errorf("%d methods are known, want the limit of %d and one for all others", n, MaxMethods)
	}
	for _, c := range l.cells() {
		if c.Method == OtherMethods && c.Calls != 5 {
			t.Errorf("%d calls are of other methods, there were 5", c.Calls)
		}
	}
}

func TestLifetimesAreOfThePlaceThatStarts(t *testing.T) {
	l := NewLifetime()
	hold, began := make(chan struct{}), make(chan struct{})
	for range 3 {
		l.Go(func() { began <- struct{}{}; <-hold })
	}
	for range 3 {
		<-began
	}
	var done sync.WaitGroup
	for range 5 {
		done.Add(1)
		l.Go(func() { time.Sleep(2 * time.Millisecond); done.Done() })
	}
	done.Wait()
	values := func() (values [4]int64) {
		p, err := l.Profile()
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range p.Samples {
			if !strings.HasSuffix(s.Stack[0].Function, ".TestLifetimesAreOfThePlaceThatStarts") {
				t.Errorf("a goroutine was started by %s, not by this test", s.Stack[0].Function)
			}
			for i, v := range s.Values {
				values[i] += v
			}
		}
		return values
	}
	for values()[0] < 5 {
		runtime.Gosched() // their last deed is to be counted
	}
	if v := values(); v[0] != 5 || v[1] < int64(10*time.Millisecond) || v[2] != 3 || v[3] <= 0 {
		t.Errorf("ended, lifetime, living, age are %v; 5 have slept for 2 ms, 3 live", v)
	}
	close(hold)
	for values()[2] > 0 {
		runtime.Gosched()
	}
	if v := values(); v[0] != 8 || v[3] != 0 {
		t.Errorf("ended, lifetime, living, age are %v; all 8 have ended", v)
	}
}

// follow starts a stream and returns a reader of its lines.
func follow(t *testing.T, ctx context.Context, url string) (*http.Response, *bufio.Scanner) {
	t.Helper()
	r, err := http.NewRequestWithContext(ctx, "GET", url, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	return response, bufio.NewScanner(response.Body)
}

// A client that reads slowly, goes, and comes back: what it is sent and what
// comes meanwhile add up to what was observed.
func TestAStreamMissesNoCall(t *testing.T) {
	l := NewRPCLatency()
	server := httptest.NewServer(StreamHandler(l))
	defer server.Close()
	l.Observe("before", time.Second)
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	response, lines := follow(t, ctx, server.URL)
	defer response.Body.Close()

	second, err := http.Get(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	said, _ := io.ReadAll(second.Body)
	second.Body.Close()
	if second.StatusCode != http.StatusConflict || string(said) != "stream profile: the profile is being streamed already\n" {
		t.Errorf("a second client gets %s: %s", second.Status, said)
	}

	observed, received := uint64(0), uint64(0)
	for range 3 {
		for range 1000 {
			l.Observe("call", time.Millisecond)
			observed++
		}
		if !lines.Scan() {
			t.Fatal("the stream ended:", lines.Err())
		}
		var chunk struct{ Cells []latencyCell }
		if err := json.Unmarshal(lines.Bytes(), &chunk); err != nil {
			t.Fatal(err)
		}
		for _, c := range chunk.Cells {
			if c.Method != "call" {
				t.Errorf("a call of %q is sent, was before the stream", c.Method)
			}
			received += c.Calls
		}
	}
	if received != observed {
		t.Errorf("%d calls were sent, %d observed", received, observed)
	}

	cancel()
	l.Stop() // what the handler does as well: both return when it is over
	ctx, cancel = context.WithCancel(context.Background())
	again, lines := follow(t, ctx, server.URL)
	if again.StatusCode != http.StatusOK || !lines.Scan() {
		t.Errorf("after the first client has gone, another gets %s", again.Status)
	}
	cancel()
	again.Body.Close()
}

func TestAStreamWaitsForItsReader(t *testing.T) {
	l := NewRPCLatency()
	chunks := make(chan []byte)
	if err := l.Start(context.Background(), chunks); err != nil {
		t.Fatal(err)
	}
	if err := l.Start(context.Background(), make(chan []byte)); !errors.Is(err, ErrStreaming) {
		t.Errorf("a second stream: error %v, want %v", err, ErrStreaming)
	}
	l.Observe("call", time.Second)
	time.Sleep(streamEvery + streamEvery/2) // a chunk waits
	l.Observe("call", time.Second)
	if n := bytes.Count(<-chunks, []byte(`"calls":1`)); n != 1 {
		t.Error("the chunk that waited has not the one call that was before it")
	}
	if n := bytes.Count(<-chunks, []byte(`"calls":1`)); n != 1 {
		t.Error("the call that came while a chunk waited is not in the next")
	}
	l.Stop()
	if _, open := <-chunks; open {
		t.Error("the channel is open after Stop")
	}
	l.Stop() // does nothing
}

type brokenProfile struct{}

func (brokenProfile) Profile() (*Profile, error) { return nil, errors.New("it is Sunday") }

func TestRegisteredProfilesAreServedBesideThoseOfTheRuntime(t *testing.T) {
	l := NewLifetime()
	Register("test_lifetime", l)
	Register("test_broken", brokenProfile{})
	server := httptest.NewServer(Profiles(http.DefaultServeMux))
	defer server.Close()
	get := func(path string) (int, string) {
		t.Helper()
		response, err := http.Get(server.URL + path)
		if err != nil {
			t.Fatal(err)
		}
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, string(body)
	}
	for path, want := range map[string]struct {
		status int
		text   string
	}{
		"/debug/pprof/":                      {200, "test_lifetime"},
		"/debug/pprof/goroutine?debug=1":     {200, "goroutine profile: total"},
		"/debug/pprof/test_lifetime":         {200, "\x1f\x8b"},
		"/debug/pprof/test_lifetime?debug=1": {200, "ended/count lifetime/nanoseconds living/count age/nanoseconds"},
		"/debug/pprof/test_broken":           {500, "profile test_broken: it is Sunday"},
		"/debug/pprof/test_broken/stream":    {404, "not found"},
		"/debug/pprof/test_lifetime/else":    {404, "not found"},
		"/debug/pprof/nothing":               {404, "Unknown profile"},
		"/else":                              {404, "not found"},
	} {
		if status, body := get(path); status != want.status || !strings.Contains(body, want.text) {
			t.Errorf("%s: %d %.200q, want %d and %q in it", path, status, body, want.status, want.text)
		}
	}
	for _, name := range []string{"", "a/b", "test_lifetime"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("Register(%q) did not panic", name)
				}
			}()
			Register(name, l)
		}()
	}
}

func TestAProfileWithValuesMissingIsNotWritten(t *testing.T) {
	p := &Profile{Types: []ValueType{{"a", "count"}, {"b", "count"}}, Samples: []Sample{{Values: []int64{1}}}}
	if err := p.Write(io.Discard); err == nil || err.Error() != "encode profile: sample 0 has 1 values, must be 2, one for each type" {
		t.Errorf("error is %v", err)
	}
}
