package main

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// observed is how one series of the demo's shop looked, second by second, at
// 300 requests a second, on two CPUs.
type observed struct {
	pom    string
	key    heat.Key // its finer dimensions
	chance float64  // that a second has hits
	hits   float64  // in such a second
	// Buckets of the hits are about normally distributed.
	mean, deviation float64
}

func onCPU(n int) heat.Key         { return heat.Key{Node: heat.NodeKey(0), CPU: uint16(n)} }
func reasoned(why string) heat.Key { return heat.Key{Node: heat.NodeKey(0), Reason: why} }
func named(f string) heat.Key      { return heat.Key{Node: heat.NodeKey(0), Function: f} }
func routed(r string) heat.Key     { return heat.Key{Node: heat.NodeKey(0), Route: r, Depth: 21} }
func stopped(why string, cpu int) heat.Key {
	return heat.Key{Node: heat.NodeKey(0), Reason: why, CPU: uint16(cpu + 1)}
}

// shopHour is all that the shop had by default.
var shopHour = []observed{
	{"gc.stw", stopped("sweep termination", 0), 0.82, 14, 51, 14},
	{"gc.stw", stopped("mark termination", 0), 0.80, 14, 87, 14},
	{"gc.stw", stopped("sweep termination", 1), 0.87, 18.6, 52, 14},
	{"gc.stw", stopped("mark termination", 1), 0.85, 19.1, 87, 15},
	{"gc.stw.stopping", stopped("sweep termination", 0), 0.82, 14, 20, 23},
	{"gc.stw.stopping", stopped("mark termination", 0), 0.80, 14, 47, 34},
	{"gc.stw.stopping", stopped("sweep termination", 1), 0.87, 18.6, 21, 23},
	{"gc.stw.stopping", stopped("mark termination", 1), 0.85, 19.1, 46, 35},
	{"gc.stw.stopped", stopped("sweep termination", 0), 0.82, 14, 48, 9},
	{"gc.stw.stopped", stopped("mark termination", 0), 0.80, 14, 83, 13},
	{"gc.stw.stopped", stopped("sweep termination", 1), 0.87, 18.6, 49, 10},
	{"gc.stw.stopped", stopped("mark termination", 1), 0.85, 19.1, 82, 12},
	{"gc.cycle", heat.Key{}, 1, 27.5, 120, 9},
	{"gc.mark", heat.Key{}, 1, 27.5, 119, 9},
	{"gc.assist", named("net/http.(*conn).serve"), 1, 83.3, 60, 19},
	{"gc.assist", named("main.restock"), 0.92, 9.4, 44, 12},
	{"gc.assist", named("main.main"), 0.28, 3.2, 45, 14},
	{"sched.latency", named("net/http.(*conn).serve"), 1, 106.4, 26, 29},
	{"sched.latency", named("runtime.gcBgMarkWorker"), 1, 95.6, 74, 25},
	{"sched.latency", named("main.restock"), 1, 49.6, 6, 18},
	{"sched.latency", named("main.price"), 1, 6003.4, 6, 19},
	{"sched.latency", named("main.report"), 1, 6.6, 78, 28},
	{"sched.latency", named("net/http.(*connReader).backgroundRead"), 1, 87.7, 58, 19},
	{"oncpu", reasoned("garbage collector"), 0.78, 9.9, 0, 0},
	{"oncpu", named("net/http.(*conn).serve"), 0.80, 14.7, 0, 0},
	{"oncpu", reasoned("scheduler"), 0.67, 2, 0, 0},
	{"oncpu", named("main.price"), 0.55, 1.9, 0, 0},
	{"oncpu", named("main.restock"), 0.53, 1.5, 0, 0},
	{"oncpu", onCPU(1), 0.45, 2.1, 0, 0},
	{"oncpu", onCPU(2), 0.40, 1.9, 0, 0},
	{"oncpu", named("runtime.bgsweep"), 0.33, 1.5, 0, 0},
	{"oncpu", named("runtime.bgscavenge"), 0.12, 1.1, 0, 0},
	{"oncpu", named("main.report"), 0.12, 1, 0, 0},
	{"oncpu", named("main.main"), 0.08, 1.4, 0, 0},
	{"oncpu", named("main.search"), 0.05, 1.3, 0, 0},
	{"oncpu", named("runtime.forcegchelper"), 0.05, 1, 0, 0},
	{"oncpu", named("runtime.runfinq"), 0.05, 1, 0, 0},
	{"oncpu", named("os/signal.loop"), 0.03, 1, 0, 0},
	{"http.request", routed("GET /items/{id}"), 1, 164.7, 80, 10},
	{"http.request", routed("POST /report"), 1, 9.1, 116, 9},
	{"http.request", routed("GET /search"), 1, 59.6, 123, 9},
	{"http.request", routed("POST /cart"), 1, 36.3, 88, 11},
	{"http.request", routed("POST /checkout"), 1, 30.4, 88, 10},
	{"tcp.send", routed("GET /items/{id}"), 1, 329.3, 51, 7},
	{"tcp.send", routed("POST /report"), 1, 9.1, 57, 4},
	{"tcp.send", routed("GET /search"), 1, 59.6, 58, 4},
	{"tcp.send", routed("POST /cart"), 1, 36.3, 55, 5},
	{"tcp.send", routed("POST /checkout"), 1, 30.4, 55, 4},
	{"tcp.send.bytes", routed("GET /items/{id}"), 1, 329.3, 20, 3},
	{"tcp.send.bytes", routed("POST /report"), 1, 9.1, 21, 0},
	{"tcp.send.bytes", routed("GET /search"), 1, 59.6, 39, 0.5},
	{"tcp.send.bytes", routed("POST /cart"), 1, 36.3, 21, 4},
	{"tcp.send.bytes", routed("POST /checkout"), 1, 30.4, 6, 0},
}

// hourGauges is how many gauges a process has.
const hourGauges = 25

// BenchmarkHour lets an hour of heat pass in seconds, and prints what it takes
// of memory, measured on Go's heap: of the demo's shop and nine that have a
// tenth of its requests, without and with the agent's limits, and of ten as
// busy as the demo's.
func BenchmarkHour(b *testing.B) {
	const processes = 10
	agents := heat.Limits{Series: maxSeries, Bytes: maxHeat}
	for _, hour := range []struct {
		name   string
		limits heat.Limits
		others float64 // how busy the other nine are
	}{
		{"head_hour_unbounded", heat.Limits{}, 0.1},
		{"head_hour", agents, 0.1},
		{"head_hour_ten_shops", agents, 1},
	} {
		limits, name := hour.limits, hour.name
		random := rand.New(rand.NewPCG(1, 2))
		before := heapInUse()
		begin := time.Unix(1_800_000_000, 0)
		head := heat.NewHead(begin, limits)
		var hits uint64
		for second := range heat.HeadColumns {
			at := begin.Add(time.Duration(second) * time.Second)
			head.Advance(at)
			head.Pack()
			for p := range processes {
				for _, o := range shopHour {
					busy := 1.0
					if p > 0 {
						busy = hour.others
					}
					hits += o.hit(head, random, fmt.Sprint(1000+p), at, busy)
				}
			}
		}
		// The last second is sealed, and the first not yet forgotten.
		end := begin.Add(heat.HeadColumns * time.Second)
		for head.Sealed().Before(end) {
			at := head.Sealed().Add(5 * time.Second)
			head.Advance(at)
			head.Pack()
		}
		took := heapInUse() - before
		holding := head.Holding()
		fmt.Printf("%[1]s_mib %.1[2]f\n%[1]s_said_mib %.1[3]f\n%[1]s_series %[4]d\n%[1]s_fine_minutes %[5]d\n%[1]s_places_minutes %[6]d\n%[1]s_process_minutes %[7]d\n%[1]s_release_minutes %[8]d\n",
			name, mebibytes(took), mebibytes(holding.Bytes), holding.Series, holding.Fine, holding.OfPlaces, holding.OfProcess, holding.OfRelease)
		found := uint64(0)
		for _, pom := range []string{"gc.stw", "gc.stw.stopping", "gc.stw.stopped", "gc.cycle", "gc.mark", "gc.assist", "sched.latency", "oncpu", "http.request", "tcp.send", "tcp.send.bytes"} {
			asked := time.Now()
			series, err := head.Query(heat.Request{POM: pom, From: begin, To: end, Step: 15 * time.Second, GroupBy: []string{"process"}})
			if err != nil {
				b.Fatal(err)
			}
			for _, s := range series {
				for _, c := range s.Columns {
					found += c.Histogram().Count()
				}
			}
			if pom == "sched.latency" {
				fmt.Printf("%s_query_ms %.1f\n", name, time.Since(asked).Seconds()*1e3)
			}
		}
		fmt.Printf("%s_conservation_ratio %.6f\n", name, float64(found)/float64(hits))
		if found != hits {
			b.Errorf("the hour has %d hits of %d", found, hits)
		}
		if limits.Bytes != 0 && took > limits.Bytes*11/10 {
			b.Errorf("an hour took %.1f MiB, at most %.1f; %+v", mebibytes(took), mebibytes(limits.Bytes), holding)
		}
		runtime.KeepAlive(head)
	}
	before := heapInUse()
	gauges, random := &heat.Gauges{}, rand.New(rand.NewPCG(3, 4))
	begin := time.Unix(1_800_000_000, 0)
	for second := range heat.HeadColumns {
		for p := range processes {
			for g := range hourGauges {
				value := float64(g) // as limits and states
				switch {
				case g < 12: // as sizes of the heap
					value = float64(random.Uint64() >> 40)
				case g < 18: // as shares
					value = random.Float64()
				}
				gauges.Set(heat.GaugeKey{Name: fmt.Sprint(g), Process: fmt.Sprint(p)}, begin.Add(time.Duration(second)*time.Second), value)
			}
		}
	}
	fmt.Printf("gauges_hour_mib %.1f\n", mebibytes(heapInUse()-before))
	runtime.KeepAlive(gauges)
	for b.Loop() {
	}
}

// hit hits a series in a second, about as often as was observed, and returns how often.
func (o *observed) hit(head *heat.Head, random *rand.Rand, process string, at time.Time, busy float64) (hits uint64) {
	// Of what is rare less is hit, and of what is not, less of it.
	mean := o.hits * busy
	if random.Float64() >= o.chance*min(1, mean) {
		return 0
	}
	k := o.key
	k.POM, k.Process, k.Service, k.Version = o.pom, process, "shop", "1.0.0"
	m := head.Matrix(k)
	// Where there are very many, some of a bucket come at once.
	const draws = 150
	n := max(1, int(mean*(0.7+0.6*random.Float64())+0.5))
	each := uint64(max(1, n/draws))
	for range min(n, draws) {
		bucket := min(max(int(o.mean+o.deviation*random.NormFloat64()+0.5), 0), heat.NumBuckets-1)
		value := heat.LowerNanoseconds(bucket) + 1
		m.Add(at, bucket, each, each*value, value)
		hits += each
	}
	return hits
}

// heapInUse is what lives on Go's heap.
func heapInUse() int {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}

func mebibytes(n int) float64 { return float64(n) / (1 << 20) }
