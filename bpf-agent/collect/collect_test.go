package collect

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/profile"
)

// hasty is the usual schedule, in little time.
var hasty = Schedule{
	Every: 2 * time.Second, CPU: time.Second,
	Retry: 300 * time.Millisecond, MaxRetry: time.Second, Answer: 5 * time.Second, Look: time.Minute,
}

// seen returns a process as the agent sees it.
func seen(t *testing.T, pid int) *goproc.Process {
	t.Helper()
	list, err := goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, slog.New(slog.DiscardHandler)).Scan()
	if err != nil || len(list) != 1 || list[0].Refused != nil {
		t.Fatalf("process %d is %v, %v", pid, list, err)
	}
	return list[0]
}

// begun is a collector that runs, and what it has said.
type begun struct {
	*Collector
	said *strings.Builder // to be read when it has ended
	// watched are the processes that the agent watches.
	watched atomic.Pointer[[]*goproc.Process]
	end     func()
}

func begin(t *testing.T, schedule Schedule, where []string, processes ...*goproc.Process) *begun {
	t.Helper()
	from, err := ReadEndpoints(where)
	if err != nil {
		t.Fatal(err)
	}
	store := opened(t, filepath.Join(t.TempDir(), "profiles.db"), Retention{Age: time.Hour, Bytes: 64 << 20, Count: 1_000})
	b := &begun{said: &strings.Builder{}}
	b.watched.Store(&processes)
	b.Collector = New(from, schedule, store, func() []*goproc.Process { return *b.watched.Load() }, slog.New(slog.NewTextHandler(b.said, nil)))
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	done := make(chan error, 1)
	go func() { done <- b.Run(ctx) }()
	ended := false
	b.end = func() {
		if cancel(); !ended {
			ended = true
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
	t.Cleanup(func() {
		b.end()
		if t.Failed() {
			t.Log(b.said)
		}
	})
	return b
}

// eventually waits up to a minute: the machine may be busy.
func eventually(t *testing.T, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("waited a minute for %s", what)
		}
	}
}

// of is the profiles of a type that are kept.
func (b *begun) of(kind string) []Profile {
	return b.Store().List(func(p Profile) bool { return p.Type == kind })
}

// startJob starts examples/mapreduce, and returns where it serves profiles.
func startJob(t *testing.T) (job *exec.Cmd, index string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "mapreduce")
	if out, err := exec.Command("go", "build", "-o", binary, "../../examples/mapreduce").CombinedOutput(); err != nil {
		t.Fatalf("build the example: %v\n%s", err, out)
	}
	job = exec.Command(binary, "--listen", "127.0.0.1:0", "--size", "200000", "--busy", "0.5")
	stderr, err := job.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := job.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = job.Process.Kill()
		_ = job.Wait()
	})
	lines := bufio.NewScanner(stderr)
	for lines.Scan() && !strings.Contains(lines.Text(), "serving address=") {
	}
	_, address, found := strings.Cut(lines.Text(), "serving address=")
	if !found {
		t.Fatalf("the example says %q", lines.Text())
	}
	go func() { _, _ = io.Copy(io.Discard, stderr) }()
	return job, "http://" + address + "/debug/pprof/"
}

// TestAJobIsCollectedFrom tells the story of a job that nobody told the agent
// how to ask: it is found, gives all it has, is profiled by someone else for a
// while, and ends in the middle of a profile.
func TestAJobIsCollectedFrom(t *testing.T) {
	job, index := startJob(t)
	process := seen(t, job.Process.Pid)
	c := begin(t, hasty, []string{Auto}, process)
	types := []string{"cpu", "heap", "allocs", "goroutine", "mutex", "block", "lifetime", "rpclatency"}
	eventually(t, "a profile of each type, and two of CPU", func() bool {
		for _, kind := range types {
			if len(c.of(kind)) == 0 {
				return false
			}
		}
		return len(c.of("cpu")) >= 2
	})
	if s := c.Sources(); len(s) != 1 || s[0].Index != index || s[0].Refused != nil || len(s[0].Failing) != 0 || len(s[0].Types) != len(types) {
		t.Errorf("sources are %+v", s)
	}
	cpu := c.of("cpu")[0]
	if cpu.Process != process.ID || cpu.Service != "mapreduce" || cpu.To.Sub(cpu.From) < time.Second {
		t.Errorf("a CPU profile is %+v", cpu)
	}
	_, raw, err := c.Store().Get(cpu.ID)
	if err != nil {
		t.Fatal(err)
	}
	p, err := profile.Parse(bytes.NewReader(raw), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	staged := 0
	for _, s := range p.Sample {
		if s.Label["stage"] != nil {
			staged++
		}
	}
	if staged == 0 {
		t.Errorf("of %d samples none is of a stage", len(p.Sample))
	}
	// Turns of one process never overlap.
	all := c.Store().List(everything)
	for i := range all[1:] {
		if all[i+1].From.Before(all[i].To) {
			t.Errorf("%s was asked for at %s, before %s had come at %s", all[i+1].Type, all[i+1].From, all[i].Type, all[i].To)
		}
	}

	// Someone else takes a CPU profile for a while: heaps go on.
	answer := make(chan error, 1)
	go func() {
		response, err := http.Get(index + "profile?seconds=4")
		if err == nil {
			_, err = io.Copy(io.Discard, response.Body)
			response.Body.Close()
			if response.StatusCode != http.StatusOK {
				err = fmt.Errorf("HTTP %d", response.StatusCode)
			}
		}
		answer <- err
	}()
	eventually(t, "the collector to find the job busy", func() bool { return c.Account().Failed[Busy] > 0 })
	if s := c.Sources()[0].Failing["cpu"]; !strings.Contains(s.Reason, "is being profiled already") || s.Retry.IsZero() {
		t.Errorf("it says of CPU profiles %+v", s)
	}
	before := len(c.of("cpu"))
	if err := <-answer; err != nil {
		t.Errorf("the other has no profile: %v", err)
	}
	eventually(t, "CPU profiles to come again", func() bool { return len(c.of("cpu")) > before && len(c.Sources()[0].Failing) == 0 })

	// Whoever waits for less than the profile takes gets none, and the job is not profiled for nobody.
	impatient, leave := context.WithTimeout(t.Context(), 4*time.Second)
	if _, _, err := c.Collect(impatient, process.ID, profile.Request{Type: "cpu", Seconds: 5}); err == nil || !strings.Contains(err.Error(), "too little for 5 s of cpu") {
		t.Errorf("who waits for too short a time is told %v", err)
	}
	leave()

	// It ends in the middle.
	asked := make(chan error, 1)
	go func() {
		_, _, err := c.Collect(t.Context(), process.ID, profile.Request{Type: "cpu", Seconds: 20})
		asked <- err
	}()
	time.Sleep(1500 * time.Millisecond)
	_ = job.Process.Kill()
	_ = job.Wait()
	if err := <-asked; err == nil || !strings.Contains(err.Error(), "has ended") {
		t.Errorf("who waits for a profile of what has ended is told %v", err)
	}
	c.watched.Store(&[]*goproc.Process{})
	eventually(t, "the process to be left alone", func() bool { return len(c.Sources()) == 0 })
	account := c.Account()
	if account.Failed[Exited] == 0 || account.Failed[Unanswered] != 0 || account.Collected["custom"] < 2 || account.CPU < 2*time.Second {
		t.Errorf("the account is %+v", account)
	}
	if _, _, err := c.Collect(t.Context(), process.ID, profile.Request{Type: "heap"}); err == nil || !strings.Contains(err.Error(), "no such process is watched") {
		t.Errorf("who asks for a process that is gone is told %v", err)
	}
	c.end()
	for _, says := range []string{"profiles are collected", "is being profiled already", "collected again"} {
		if !strings.Contains(c.said.String(), says) {
			t.Errorf("the log does not say %q", says)
		}
	}
}

// What a process sends is held to limits, and to its time; what is of use is
// kept all the same.
func TestAHostileProcessIsHeldToLimits(t *testing.T) {
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	_, _ = z.Write(make([]byte, 40<<20))
	_ = z.Close()
	mux := http.NewServeMux()
	page := `<html><body><table>`
	for name, handle := range map[string]http.HandlerFunc{
		"heap":      func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(bomb.Bytes()) },
		"goroutine": func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() },
		"mutex":     func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 5<<20)) },
		"block": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://elsewhere.example/", http.StatusFound)
		},
		"allocs": func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("heap profile: 1: 2 [3: 4]")) },
	} {
		page += `<tr><td>1</td><td><a href='` + name + `?debug=1'>` + name + `</a></td></tr>`
		mux.HandleFunc("/debug/pprof/"+name, handle)
	}
	mux.HandleFunc("/debug/pprof/profile", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "Could not enable CPU profiling: cpu profiling already in use", http.StatusInternalServerError)
	})
	mux.HandleFunc("/debug/pprof/", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, page) })
	server := httptest.NewServer(mux)
	defer server.Close()
	schedule := hasty
	schedule.Answer = 500 * time.Millisecond
	process := seen(t, os.Getpid())
	c := begin(t, schedule, []string{process.Identity.Service + "=" + server.URL}, process)
	want := map[string]string{
		"cpu": "is being profiled already", "heap": "unpack: ", "goroutine": "did not answer in time",
		"mutex": "answers more than 4194304 bytes", "block": "redirects to http://elsewhere.example, which is refused", "allocs": "not a profile",
	}
	eventually(t, "each type to fail twice", func() bool {
		n := uint64(0)
		for _, count := range c.Account().Failed {
			n += count
		}
		return n >= 12 && len(c.Sources()) == 1 && len(c.Sources()[0].Failing) == len(want)
	})
	for kind, f := range c.Sources()[0].Failing {
		if !strings.Contains(f.Reason, want[kind]) {
			t.Errorf("%s fails because %s, want %q", kind, f.Reason, want[kind])
		}
	}
	account := c.Account()
	for _, reason := range []string{Busy, TimedOut, Unanswered, Unreadable} {
		if account.Failed[reason] == 0 {
			t.Errorf("nothing failed as %s: %v", reason, account.Failed)
		}
	}
	if n, _, _ := c.Store().Holding(); n != 0 || len(account.Collected) != 0 {
		t.Errorf("%d profiles are kept, %v", n, account.Collected)
	}
}

// What is not asked to be collected from is left alone.
func TestOnlyTheServicesThatAreNamedAreAsked(t *testing.T) {
	var asked atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { asked.Add(1) }))
	defer server.Close()
	process := seen(t, os.Getpid())
	c := begin(t, hasty, []string{"another=" + server.URL}, process)
	time.Sleep(1500 * time.Millisecond)
	if asked.Load() != 0 || len(c.Sources()) != 0 {
		t.Errorf("it was asked %d times: %+v", asked.Load(), c.Sources())
	}
}

// A URL that was said of a service is that of the process which listens there.
func TestAURLBelongsToWhoListensThere(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	defer server.Close()
	e, err := ReadEndpoints([]string{"shop=" + server.URL, "far=http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	self, other := os.Getpid(), os.Getppid()
	for _, c := range []struct {
		service  string
		siblings []int
		belongs  bool
	}{
		{"shop", []int{self, other}, true},
		{"far", []int{self}, true}, // the only one: it may be in a container
		{"far", []int{self, other}, false},
	} {
		if err := belongs(e.of[c.service], self, c.siblings); (err == nil) != c.belongs {
			t.Errorf("%s of %v: %v", c.service, c.siblings, err)
		}
	}
}

func TestProcessesDoNotLineUp(t *testing.T) {
	const processes = 600
	begins := make([]int, 6)
	c := New(Endpoints{}, Usual, nil, nil, nil)
	for range processes {
		for _, turn := range c.turnsOf([]string{profile.CPU}, nil) {
			if turn.kind == profile.CPU {
				begins[max(0, min(5, int(time.Until(turn.due)/(10*time.Second))))]++
			}
		}
	}
	for i, n := range begins {
		if n < processes/12 || n > processes/4 {
			t.Errorf("%d of %d processes begin in the %d. ten seconds of a minute", n, processes, i+1)
		}
	}
}

func TestEndpointsThatAreNoneAreErrors(t *testing.T) {
	for said, says := range map[string]string{
		"":                           "must be auto, or SERVICE=URL",
		"automatic":                  "must be auto, or SERVICE=URL",
		"=http://127.0.0.1:1":        "must be auto, or SERVICE=URL",
		"shop=127.0.0.1:6060":        "first path segment",
		"shop=ftp://127.0.0.1":       "is no URL of an index page",
		"shop=http://u:p@127.0.0.1":  "is no URL of an index page",
		"shop=http://127.0.0.1/?a=b": "is no URL of an index page",
	} {
		if _, err := ReadEndpoints([]string{said}); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%q: error is %v, want %q", said, err, says)
		}
	}
	if _, err := ReadEndpoints([]string{"a=http://127.0.0.1:1", "a=http://127.0.0.1:2"}); err == nil || !strings.Contains(err.Error(), "is there twice") {
		t.Errorf("twice: %v", err)
	}
}
