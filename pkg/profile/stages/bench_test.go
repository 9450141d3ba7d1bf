package stages

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"runtime/trace"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/instrument"
)

// The benchmark runs this program once more, so that memory is that of fusing alone.
const (
	fuseFile  = "GOTHERM_FUSE"
	writeFile = "GOTHERM_WRITE_TRACE"
)

func TestMain(m *testing.M) {
	switch {
	case os.Getenv(fuseFile) != "":
		fuseAlone(os.Getenv(fuseFile))
	case os.Getenv(writeFile) != "":
		writeTrace(os.Getenv(writeFile))
	default:
		os.Exit(m.Run())
	}
}

const (
	// benchmarkBytes is how long a trace is fused.
	benchmarkBytes = 100 << 20
	// benchmarkRate is how much of it is written in a second, which is a
	// generation: what an idle machine could write would be over the limit.
	benchmarkRate = 25 << 20
)

// writeTrace traces goroutines that hand stages to each other, until the trace is long enough.
func writeTrace(path string) {
	f, err := os.Create(path)
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	defer trace.Stop()
	began := time.Now()
	long := func() bool {
		info, err := f.Stat()
		if err != nil {
			return true
		}
		time.Sleep(time.Duration(float64(info.Size())/benchmarkRate*float64(time.Second)) - time.Since(began))
		return info.Size() > benchmarkBytes
	}
	var all sync.WaitGroup
	for range 4 {
		ping, pong := make(chan []byte), make(chan []byte)
		all.Go(func() {
			for b := range ping {
				pong <- append(b[:0:0], b...)
			}
			close(pong)
		})
		all.Go(func() {
			for n := 0; !long(); n++ {
				ctx, stage := instrument.Stage(context.Background(), "exchange", "partition", fmt.Sprint(n%8))
				for range 200 {
					ping <- make([]byte, 64)
					<-pong
				}
				_, spawn := instrument.Stage(ctx, "spawn")
				var children sync.WaitGroup
				for range 20 {
					children.Go(func() {})
				}
				children.Wait()
				spawn.End()
				stage.End()
			}
			close(ping)
		})
	}
	all.Wait()
}

// fuseAlone prints how many events there are, and how long they took on one CPU.
func fuseAlone(path string) {
	runtime.GOMAXPROCS(1)
	f, err := os.Open(path)
	if err != nil {
		panic(err)
	}
	var before, after syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &before)
	r, err := Fuse(bufio.NewReaderSize(f, 1<<20), DefaultLimits())
	if err != nil {
		panic(err)
	}
	syscall.Getrusage(syscall.RUSAGE_SELF, &after)
	used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano())
	fmt.Println(r.Events, used.Seconds(), after.Maxrss)
}

// BenchmarkTrace fuses a trace of 100 MB: events for each second of CPU time,
// and the most memory it had.
func BenchmarkTrace(b *testing.B) {
	path := filepath.Join(b.TempDir(), "trace")
	again := func(variable string) string {
		command := exec.Command(os.Args[0])
		command.Env = append(os.Environ(), variable+"="+path)
		out, err := command.CombinedOutput()
		if err != nil {
			b.Fatalf("%v\n%s", err, out)
		}
		return string(out)
	}
	again(writeFile)
	info, err := os.Stat(path)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		var events, kib uint64
		var seconds float64
		if _, err := fmt.Sscan(strings.TrimSpace(again(fuseFile)), &events, &seconds, &kib); err != nil {
			b.Fatal(err)
		}
		fmt.Printf("trace_mb %.0f\n", float64(info.Size())/1e6)
		fmt.Printf("trace_events %d\n", events)
		fmt.Printf("trace_events_per_s %.0f\n", float64(events)/seconds)
		fmt.Printf("trace_peak_rss_mib %.0f\n", float64(kib)/1024)
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkStages holds a job's stages against what pprof and runtime/metrics say of it.
func BenchmarkStages(b *testing.B) {
	job := recordJob(b, 6, 2_000_000)
	for b.Loop() {
		r := fused(b, job.trace)
		matches, err := r.Check(job.profile)
		if err != nil {
			b.Fatal(err)
		}
		fmt.Printf("stage_cpu_samples %d\n", r.Total.Samples)
		fmt.Printf("stage_cpu_match %.4f\n", Agreement(matches))
		fmt.Printf("stage_alloc_ratio %.4f\n", float64(r.Total.Allocated)/float64(job.allocated))
		fmt.Printf("stage_gc_difference %d\n", int64(r.Total.Collections)-int64(job.collections))
	}
	b.ReportMetric(0, "ns/op")
}
