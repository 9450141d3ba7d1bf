// Command mapreduce counts and sorts the words of generated files, round after
// round: a job whose stages burn CPU and memory in different proportions.
//
//	split     cheap: finds where files can be cut
//	map       allocating: makes a record of each word
//	shuffle   CPU-bound: sorts the records of each partition
//	reduce    counts, and packs where each word is; a goroutine for each partition
//	output    writes and syncs files
//
// Partitions are ranges of the alphabet with as many different words each, which
// is not as many words: the one with the most frequent word has more to do than
// all others, and is seen as an outlier.
//
// It uses pkg/instrument: stages, two profiles of its own, and the labels of
// requests. It serves net/http/pprof, and what the last round found:
//
//	GET /words/{word}   how often a word is there
//	GET /top            the ten most frequent words
package main

import (
	"context"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	_ "net/http/pprof" // for http.DefaultServeMux
	"os"
	"os/signal"
	"runtime"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gotherm/gotherm/pkg/instrument"
)

func main() {
	listen := flag.String("listen", "127.0.0.1:6070", "loopback `address` to serve words and /debug/pprof/ on")
	dir := flag.String("dir", "", "`directory` for the files of the job; a temporary one by default")
	files := flag.Int("files", 4, "how many `files` to generate")
	size := flag.Int("size", 2<<20, "`bytes` of each file")
	partitions := flag.Int("partitions", 8, "how many `partitions` words are divided into")
	workers := flag.Int("workers", runtime.GOMAXPROCS(0), "how many `goroutines` work at once")
	rounds := flag.Int("rounds", 0, "`rounds` to do; 0 goes on until it is stopped")
	busy := flag.Float64("busy", 1, "`share` of the time to work, 0.1 rests nine times as long as a round takes")
	to := flag.String("record", "", "`directory` to write an execution trace and a CPU profile of all rounds to")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	j := job{files: *files, size: *size, partitions: *partitions, workers: *workers}
	if *to != "" && *rounds == 0 {
		fmt.Fprintln(os.Stderr, "mapreduce: record needs rounds: a trace of all time has no end")
		os.Exit(2)
	}
	if err := run(ctx, *listen, *dir, *to, j, *rounds, *busy); err != nil {
		fmt.Fprintln(os.Stderr, "mapreduce:", err)
		os.Exit(1)
	}
}

// run does rounds until they are done or ctx is.
func run(ctx context.Context, listen, dir, to string, j job, rounds int, busy float64) error {
	if err := j.check(); err != nil {
		return err
	}
	if busy <= 0 || busy > 1 {
		return fmt.Errorf("busy is %g, must be over 0 and at most 1", busy)
	}
	listener, err := listenLoopback(listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	if dir == "" {
		if dir, err = os.MkdirTemp("", "mapreduce-"); err != nil {
			return fmt.Errorf("make a directory for files: %w", err)
		}
		defer os.RemoveAll(dir)
	}
	j.dir = dir
	if err := j.generate(); err != nil {
		return err
	}
	var last atomic.Pointer[result]
	j.lifetime = instrument.NewLifetime()
	latency := instrument.NewRPCLatency()
	instrument.Register("lifetime", j.lifetime)
	instrument.Register("rpclatency", latency)
	mux := http.NewServeMux()
	mux.Handle("/debug/pprof/", http.DefaultServeMux)
	answer := func(pattern string, of func(found *result, r *http.Request) string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) {
			began := time.Now()
			defer func() { latency.Observe(pattern, time.Since(began)) }()
			found := last.Load()
			if found == nil {
				http.Error(w, "no round is done yet", http.StatusServiceUnavailable)
				return
			}
			fmt.Fprint(w, of(found, r))
		})
	}
	answer("GET /words/{word}", func(found *result, r *http.Request) string {
		return fmt.Sprintln(found.counts[r.PathValue("word")])
	})
	answer("GET /top", func(found *result, _ *http.Request) string { return found.top(10) })
	server := &http.Server{Handler: instrument.Profiles(instrument.Middleware(mux, nil, nil))}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	defer server.Close()
	slog.Info("serving", "address", listener.Addr().String())
	work := func() error { return work(ctx, &j, rounds, busy, &last, served) }
	if to != "" {
		return recordTo(to, work)
	}
	return work()
}

// work does rounds, and leaves what each found.
func work(ctx context.Context, j *job, rounds int, busy float64, last *atomic.Pointer[result], served <-chan error) error {
	for round := 1; rounds == 0 || round <= rounds; round++ {
		began := time.Now()
		found, err := j.round(ctx)
		if err != nil {
			return fmt.Errorf("round %d: %w", round, err)
		}
		last.Store(found)
		took := time.Since(began)
		slog.Info("round done", "round", round, "words", found.words, "different", len(found.counts), "took", took.Round(time.Millisecond).String())
		select {
		case <-ctx.Done():
			return nil
		case err := <-served:
			return fmt.Errorf("serve: %w", err)
		case <-time.After(time.Duration(float64(took) * (1/busy - 1))):
		}
	}
	return nil
}

func listenLoopback(address string) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	if !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("listen is %s, must be a loopback address: profiles have no authentication", address)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, fmt.Errorf("listen: %w", err)
	}
	return listener, nil
}
