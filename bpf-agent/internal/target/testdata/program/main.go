// The program that tests watch. It does what it is told on its standard input,
// a command a line, and answers each with a line of JSON: what its own runtime
// says of it.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// answer is what package target reads.
type answer struct {
	GoVersion  string
	NumGC      int64
	PauseTotal time.Duration
	// Latencies is /sched/latencies:seconds; bounds are in nanoseconds.
	LatencyBounds []float64
	LatencyCounts []uint64
	// Goroutines is the start function of each goroutine by its id.
	Goroutines map[uint64]string
	// Served counts the requests that were answered under load.
	Served uint64
	// Spawned counts the goroutines of storms.
	Spawned uint64
	// Memory is read after the command "memory" only.
	Memory *memory `json:",omitempty"`
	Error  string
}

// became tells the program that the command "become" started it.
const became = "GOTHERM_TARGET_BECAME"

func main() {
	requests := startLoad()
	var busy *assisted
	in := bufio.NewScanner(os.Stdin)
	out := json.NewEncoder(os.Stdout)
	if os.Getenv(became) != "" {
		os.Unsetenv(became)
		a := answer{}
		a.fill()
		if err := out.Encode(a); err != nil {
			os.Exit(1)
		}
	}
	for in.Scan() {
		var command string
		var n int
		var path string
		fmt.Sscan(in.Text(), &command, &n, &path)
		a := answer{}
		switch command {
		case "stats":
		case "collect":
			collect(n)
		case "switch":
			switchGoroutines(n)
		case "spawn":
			spawn(n)
		case "burn":
			burn(n)
		case "churn":
			churn(n)
		case "nap":
			nap(n)
		case "identify":
			a.Goroutines = identify(n)
		case "storm":
			var work int
			fmt.Sscan(path, &work)
			weather.begin(n, work)
		case "calm":
			weather.end()
		case "memstats":
			for i := 0; i < n; i++ {
				runtime.ReadMemStats(&runtime.MemStats{})
			}
		case "park":
			park(n)
		case "memory":
			a.Memory = readMemory()
		case "assist":
			assist(n)
			a.Memory = readMemory()
		case "busy":
			busy = startAssisted()
		case "quiet":
			busy.end()
		case "allocate":
			allocateObjects(n)
		case "mergeable":
			if err := mergeable(n); err != nil {
				a.Error = err.Error()
			}
		case "load":
			requests.start(time.Duration(n) * time.Millisecond)
		case "unload":
			requests.stop()
		case "become":
			// As exec, and the new program answers: what it is told before it
			// reads would be lost with the old one.
			a.Error = fmt.Sprint(syscall.Exec(path, []string{path}, append(os.Environ(), became+"=1")))
		case "exec":
			a.Error = fmt.Sprint(syscall.Exec(path, []string{path}, os.Environ()))
		default:
			a.Error = "no such command: " + in.Text()
		}
		a.fill()
		a.Served = requests.served()
		a.Spawned = weather.spawned.Load()
		if err := out.Encode(a); err != nil {
			os.Exit(1)
		}
	}
}

func (a *answer) fill() {
	a.GoVersion = runtime.Version()
	var gc debug.GCStats
	debug.ReadGCStats(&gc)
	a.NumGC, a.PauseTotal = gc.NumGC, gc.PauseTotal
	sample := []metrics.Sample{{Name: "/sched/latencies:seconds"}}
	metrics.Read(sample)
	h := sample[0].Value.Float64Histogram()
	a.LatencyCounts = h.Counts
	for _, b := range h.Buckets {
		a.LatencyBounds = append(a.LatencyBounds, min(max(b, -1), 1e9)*1e9)
	}
}

var sink [64][]byte

// collect allocates, from all Ps, until n more garbage collections are over.
func collect(n int) {
	var before, now debug.GCStats
	debug.ReadGCStats(&before)
	var workers sync.WaitGroup
	stop := make(chan struct{})
	for w := 0; w < runtime.GOMAXPROCS(0); w++ {
		w := w
		workers.Add(1)
		go func() {
			defer workers.Done()
			for i := w; ; i++ {
				select {
				case <-stop:
					return
				default:
					sink[i%len(sink)] = make([]byte, 64<<10)
				}
			}
		}()
	}
	for {
		debug.ReadGCStats(&now)
		if now.NumGC-before.NumGC >= int64(n) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	close(stop)
	workers.Wait()
	// Ends when the collection that may be under way has ended.
	runtime.GC()
}

// switchGoroutines passes messages around rings of goroutines, n times each:
// most waits are short, and those behind a goroutine that computes are long.
func switchGoroutines(n int) {
	var all sync.WaitGroup
	for i := 0; i < 4; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			passAround(n)
		}()
	}
	stop := make(chan struct{})
	var computers sync.WaitGroup
	computers.Add(1)
	go func() {
		defer computers.Done()
		compute(stop)
	}()
	all.Wait()
	close(stop)
	computers.Wait()
}

func passAround(n int) {
	const size = 8
	var members sync.WaitGroup
	first := make(chan int, 1)
	in := first
	for i := 0; i < size; i++ {
		out := make(chan int, 1)
		if i == size-1 {
			out = first
		}
		members.Add(1)
		go member(&members, in, out)
		in = out
	}
	first <- n
	members.Wait()
}

func member(members *sync.WaitGroup, in <-chan int, out chan<- int) {
	defer members.Done()
	for left := range in {
		if left <= 0 {
			// The last message makes each of the others stop as well.
			if left > -8 {
				out <- left - 1
			}
			return
		}
		out <- left - 1
	}
}

func compute(stop <-chan struct{}) {
	for x := uint64(1); ; {
		select {
		case <-stop:
			return
		default:
		}
		for i := 0; i < 200_000; i++ {
			x = x*6364136223846793005 + 1442695040888963407
		}
		if x == 0 {
			panic("it was never zero")
		}
		runtime.Gosched()
	}
}

func spawn(n int) {
	var all sync.WaitGroup
	for i := 0; i < n; i++ {
		all.Add(1)
		go leaf(&all)
	}
	all.Wait()
}

// storm spawns goroutines at a rate that it is asked for, or as fast as it can.
type storm struct {
	spawned  atomic.Uint64
	stop     chan struct{}
	spawners sync.WaitGroup
}

var weather storm

// begin spawns perSecond goroutines that each compute work times something of about 10 ns.
func (s *storm) begin(perSecond, work int) {
	s.stop = make(chan struct{})
	s.spawners.Add(1)
	go func() {
		defer s.spawners.Done()
		begun := time.Now()
		for done := 0; ; {
			select {
			case <-s.stop:
				return
			default:
			}
			due := int(time.Since(begun).Seconds() * float64(perSecond))
			if done >= due {
				time.Sleep(time.Millisecond)
				continue
			}
			// Not all that it is late by: the machine may not be able to.
			n := due - done
			if n > 2000 {
				n = 2000
			}
			if due-done > perSecond {
				done = due - perSecond
			}
			var all sync.WaitGroup
			for i := 0; i < n; i++ {
				all.Add(1)
				go gust(&all, work)
			}
			all.Wait()
			done += n
			s.spawned.Add(uint64(n))
		}
	}()
}

func (s *storm) end() {
	close(s.stop)
	s.spawners.Wait()
}

//go:noinline
func gust(all *sync.WaitGroup, work int) {
	x := uint64(work) | 1
	for i := 0; i < work*10; i++ {
		x = x*6364136223846793005 + 1442695040888963407
	}
	if x == 0 {
		panic("it was never zero")
	}
	all.Done()
}

//go:noinline
func leaf(all *sync.WaitGroup) { all.Done() }

// load serves requests to itself, and checks each answer.
type load struct {
	url     string
	clients sync.WaitGroup
	ended   chan struct{}
	mu      sync.Mutex
	total   uint64
}

func startLoad() *load {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	go http.Serve(listener, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		deep := growStack(200)
		done := make(chan int)
		go func() { done <- deep }()
		fmt.Fprintf(w, "%d", <-done)
	}))
	return &load{url: "http://" + listener.Addr().String()}
}

// growStack needs more stack than a new goroutine has, so the stack is moved.
//
//go:noinline
func growStack(depth int) int {
	var frame [64]byte
	if depth == 0 {
		return len(frame)
	}
	return growStack(depth-1) + int(frame[depth%64])
}

// start has clients ask, each with a pause after each answer.
func (l *load) start(pause time.Duration) {
	l.ended = make(chan struct{})
	for i := 0; i < 4; i++ {
		l.clients.Add(1)
		go func() {
			defer l.clients.Done()
			for {
				select {
				case <-l.ended:
					return
				case <-time.After(pause):
					l.ask()
				}
			}
		}()
	}
}

func (l *load) stop() {
	close(l.ended)
	l.clients.Wait()
}

func (l *load) ask() {
	response, err := http.Get(l.url)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	defer response.Body.Close()
	var n int
	if _, err := fmt.Fscan(response.Body, &n); err != nil || n != 64 {
		fmt.Fprintln(os.Stderr, "answered", n, err)
		os.Exit(1)
	}
	l.mu.Lock()
	l.total++
	l.mu.Unlock()
}

func (l *load) served() uint64 {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.total
}
