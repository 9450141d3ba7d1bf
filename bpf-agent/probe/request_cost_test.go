package probe

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

const (
	requestRounds = 9
	requestsEach  = 3000
)

// servingPoints are those of requests and of TCP.
var servingPoints = []int{
	int(bpf.KernelPointHTTP_REQUEST), int(bpf.KernelPointTCP_SEND), int(bpf.KernelPointTCP_SEND_BYTES), int(bpf.KernelPointTCP_ACCEPT),
}

// BenchmarkRequestCost measures what the points of requests and of TCP cost the
// shop: the CPU time that it needs for a request with them over without, beside
// a control that compares without and without. All else stays as it is. It also
// prints how long each of their programs runs, without the trap that leads to
// it, in the shop and in a process that is not watched.
func BenchmarkRequestCost(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	dir := b.TempDir()
	for name, pkg := range map[string]string{"shop": "../../examples/shop", "load": "../../examples/shop/load"} {
		if out, err := exec.Command("go", "build", "-o", filepath.Join(dir, name), pkg).CombinedOutput(); err != nil {
			b.Fatalf("build %s: %v\n%s", pkg, err, out)
		}
	}
	start := func() (pid int, url string) {
		shop := exec.Command(filepath.Join(dir, "shop"), "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
		says, err := shop.StderrPipe()
		if err != nil {
			b.Fatal(err)
		}
		if err := shop.Start(); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() { _ = shop.Process.Signal(unix.SIGTERM); _, _ = io.Copy(io.Discard, says); _ = shop.Wait() })
		line, err := bufio.NewReader(says).ReadString('\n')
		if err != nil {
			b.Fatal(err)
		}
		_, url, _ = strings.Cut(line, " url=")
		url, _, _ = strings.Cut(url, " ")
		return shop.Process.Pid, url
	}
	pid, url := start()
	clock := func() time.Duration {
		const cpuclockSched = 2 // clock_getcpuclockid(3)
		var ts unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|cpuclockSched), &ts); err != nil {
			b.Fatal(err)
		}
		return time.Duration(ts.Nano())
	}
	load := func(url string) {
		out, err := exec.Command(filepath.Join(dir, "load"), "--url", url, "--requests", strconv.Itoa(requestsEach), "--connections", "8").CombinedOutput()
		if err != nil {
			b.Fatalf("load: %v\n%s", err, out)
		}
	}
	perRequest := func() float64 {
		before := clock()
		load(url)
		return float64(clock()-before) / requestsEach
	}

	k, err := Load(Options{})
	if err != nil {
		b.Fatal(err)
	}
	defer k.Close()
	log := slog.New(slog.NewTextHandler(io.Discard, nil))
	w := NewWatcher(k, goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, log), goproc.NewLedger(), log)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- w.Run(ctx) }()
	defer func() {
		cancel()
		if err := <-ended; err != nil {
			b.Error(err)
		}
	}()
	for end := time.Now().Add(time.Minute); len(w.snapshot()) == 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	if len(w.snapshot()) == 0 {
		b.Fatal("waited a minute in vain for the shop to be watched")
	}
	n := w.snapshot()[0]
	on := true
	set := func(want bool) {
		w.changing.Lock()
		defer w.changing.Unlock()
		for _, point := range servingPoints {
			switch {
			case want && !on:
				if err := w.attach(n, point); err != nil {
					b.Fatal(err)
				}
			case !want && on:
				w.detach(n, point)
			}
		}
		on = want
	}

	stats, err := ebpf.EnableStats(uint32(unix.BPF_STATS_RUN_TIME))
	if err != nil {
		b.Fatal(err)
	}
	runs := func(what, url string) {
		before := map[string]ebpf.ProgramStats{}
		programs := []string{
			bpf.KernelProgHttpBegin, bpf.KernelProgHttpEnd, bpf.KernelProgTcpSending, bpf.KernelProgTcpSent, bpf.KernelProgTcpEstablished, bpf.KernelProgTcpAccept,
		}
		for round := range 2 {
			for _, name := range programs {
				s, err := k.collection.Programs[name].Stats()
				if err != nil {
					b.Fatal(err)
				}
				if round == 1 && s.RunCount > before[name].RunCount {
					fmt.Printf("%s_%s_ns %.0f\n", name, what, float64(s.Runtime-before[name].Runtime)/float64(s.RunCount-before[name].RunCount))
				}
				before[name] = *s
			}
			if round == 0 {
				load(url)
			}
		}
	}
	runs("watched", url)
	_, other := start()
	runs("unwatched", other)
	if err := stats.Close(); err != nil {
		b.Fatal(err)
	}

	var watched, control []float64
	for range requestRounds {
		var off, off2, with float64
		each := []func(){
			func() { set(false); off = perRequest() },
			func() { set(false); off2 = perRequest() },
			func() { set(true); with = perRequest() },
		}
		rand.Shuffle(len(each), func(i, j int) { each[i], each[j] = each[j], each[i] })
		for _, run := range each {
			run()
		}
		watched, control = append(watched, with/off), append(control, off2/off)
	}
	set(true)
	slices.Sort(watched)
	slices.Sort(control)
	ratio, aa := watched[requestRounds/2], control[requestRounds/2]
	fmt.Printf("http_cost_ratio %.4f\nhttp_cost_aa_ratio %.4f\n", ratio, aa)
	b.ReportMetric(ratio, "http_cost_ratio")
	b.ReportMetric(aa, "http_cost_aa_ratio")
	b.ReportMetric(0, "ns/op")
}
