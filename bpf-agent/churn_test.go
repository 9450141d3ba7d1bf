package main

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
)

// Processes start, end and call exec, and costly points are attached and
// detached, all at once and for long: nobody dies of it, nothing is left over,
// nothing grows, and no hit is lost.

const (
	// churnForVariable is for how long; 24m is what docs/benchmarks.md quotes.
	churnForVariable = "GOTHERM_CHURN_FOR"
	churnForDefault  = 12 * time.Second
	// herdSize is how many processes there are at any time.
	herdSize = 20
	// churnEvery is how often something happens.
	churnEvery = 100 * time.Millisecond
	// churnGrowth is the greatest that resident memory may grow by from the second
	// third of the time to the last, and churnMemory what it may be at any time.
	churnGrowth = 1.1
	churnMemory = 128 << 20
)

// herd is the processes that are watched, and what was done to them.
type herd struct {
	t        testing.TB
	paths    []string
	programs []*target.Target
	agent    *program
	address  string

	costly []string // points on demand

	attached, starts, execs int
}

func TestNothingGrowsUnderChurn(t *testing.T) { endure(t, churnForDefault) }

// BenchmarkChurn is the same for longer, and prints what it came to.
func BenchmarkChurn(b *testing.B) {
	length := churnForDefault
	if text := os.Getenv(churnForVariable); text != "" {
		var err error
		if length, err = time.ParseDuration(text); err != nil || length < churnForDefault {
			b.Fatalf("%s is %q, must be a duration of %s or more", churnForVariable, text, churnForDefault)
		}
	}
	for b.Loop() {
		endure(b, length)
	}
}

func endure(t testing.TB, length time.Duration) {
	t.Helper()
	needsRoot(t)
	h := &herd{t: t, address: loopbackAddress(t), paths: []string{target.Build(t, ""), target.Build(t, "", "-ldflags=-s -w")}}
	h.agent = start(t, nil, build(t, "."), "run", "--exe", h.paths[0], "--exe", h.paths[1], "--budget", "50%", "--listen", h.address)
	eventually(t, "the agent to answer", func() bool { return ask(h.address, "ListProcesses", `{}`) != nil })
	list, _ := ask(h.address, "ListMeasurementPoints", `{}`)["points"].([]any)
	for _, p := range list {
		if p := p.(map[string]any); p["onDemand"] == true {
			h.costly = append(h.costly, p["name"].(string))
		}
	}
	empty := h.inventory()
	watched := observeMemory(t, h.agent.Process.Pid)
	for range herdSize {
		h.add()
	}
	h.churn(length / 2)
	half := h.measure()
	h.churn(length - length/2)
	whole := h.measure()
	memory := watched()
	alive := 0
	for _, p := range h.programs {
		if unix.Kill(p.PID(), 0) == nil {
			alive++
		}
	}
	// What is attached is the same at any time, for the herd is.
	if half.links != whole.links || half.programs != whole.programs || half.slots != whole.slots {
		t.Errorf("half-way %+v, at the end %+v: must have as many links, programs and slots", half, whole)
	}
	// Each still answers, and ends as one that has done its work.
	for _, p := range h.programs {
		p.Ask("unload")
		p.Stop()
	}
	// With them all goes that was theirs.
	var left inventory
	within(t, "nothing to be left of the processes", func() bool {
		left = h.inventory()
		return left.links == empty.links && left.programs == empty.programs && left.slots == 0 && left.counters == 0 && left.words == 0 &&
			left.files <= empty.files+connections && left.goroutines <= empty.goroutines+connections
	})
	if left.maps > empty.maps {
		t.Errorf("the kernel's maps took %d KiB, and take %d KiB afterwards", empty.maps>>10, left.maps>>10)
	}
	programs, _ := kernelObjects(t, h.agent.Process.Pid)
	if n := len(linksTo(t, programs)); n != left.links {
		t.Errorf("the kernel knows %d links to the agent's programs, the agent %d", n, left.links)
	}
	h.agent.end(unix.SIGTERM)
	eventually(t, "the kernel to forget the agent", func() bool { return gone(programs, nil) })
	forgotten := len(linksTo(t, programs))
	if forgotten > 0 {
		t.Errorf("%d links are left", forgotten)
	}
	if h.attached == 0 || h.execs == 0 || h.starts == 0 || alive != herdSize {
		t.Errorf("%d attachments, %d execs, %d starts, %d of %d processes alive", h.attached, h.execs, h.starts, alive, herdSize)
	}
	fmt.Printf("churn_seconds %.0f\nchurn_attachments %d\nchurn_starts %d\nchurn_execs %d\nchurn_alive_ratio %.3f\nchurn_links_left %d\n",
		length.Seconds(), h.attached, h.starts, h.execs, float64(alive)/herdSize, forgotten)
	for _, m := range []struct {
		when string
		inventory
	}{{"empty", empty}, {"half", half}, {"whole", whole}, {"left", left}} {
		fmt.Printf("churn_links_%[1]s %[2]d\nchurn_slots_%[1]s %[3]d\nchurn_counters_%[1]s %[4]d\nchurn_fds_%[1]s %[5]d\nchurn_goroutines_%[1]s %[6]d\nchurn_rss_mib_%[1]s %[7]d\nchurn_heap_mib_%[1]s %[8]d\nchurn_maps_mib_%[1]s %[9]d\n",
			m.when, m.links, m.slots, m.counters, m.files, m.goroutines, m.resident>>20, m.heap>>20, m.maps>>20)
	}
	memory.report("churn")
	// What fills up at first has done so by the last third of a long run.
	if growth := memory.growth(); length >= 10*time.Minute && growth > churnGrowth {
		t.Errorf("the agent's memory grew by %.2f from the middle third to the last, at most %.2f", growth, churnGrowth)
	}
	if peak := memory.peak(); peak > churnMemory {
		t.Errorf("the agent took %d MiB, at most %d", peak>>20, churnMemory>>20)
	}
	fmt.Printf("churn_hits %d\nchurn_conservation_ratio %.6f\n", whole.hits, float64(whole.accounted)/float64(whole.hits))
}

// connections is how many of its own a test may have open with the agent; each
// takes a goroutine or two.
const connections = 6

// within is eventually for what takes long on a busy machine.
func within(t testing.TB, what string, done func() bool) {
	t.Helper()
	for end := time.Now().Add(3 * time.Minute); time.Now().Before(end); time.Sleep(200 * time.Millisecond) {
		if done() {
			return
		}
	}
	t.Fatalf("waited 3 minutes for %s", what)
}

// add starts a process and its load.
func (h *herd) add() {
	h.t.Helper()
	p := target.Start(h.t, h.paths[rand.IntN(len(h.paths))])
	p.Ask("load 50")
	h.programs = append(h.programs, p)
}

// churn lets things happen for a while.
func (h *herd) churn(d time.Duration) {
	h.t.Helper()
	for end := time.Now().Add(d); time.Now().Before(end); time.Sleep(churnEvery) {
		i := rand.IntN(len(h.programs))
		switch p := h.programs[i]; rand.IntN(8) {
		case 0: // one ends, another starts
			p.Ask("unload")
			p.Stop()
			h.programs = append(h.programs[:i], h.programs[i+1:]...)
			h.add()
			h.starts++
		case 1: // one becomes another, or itself anew
			p.Ask("become 0 %s", h.paths[rand.IntN(len(h.paths))])
			p.Ask("load 50")
			h.execs++
		case 2: // memory, and many goroutines at once
			p.Ask("spawn 500")
			p.Ask("collect 1")
		default:
			d := time.Duration(100+rand.IntN(500)) * time.Millisecond
			answer := ask(h.address, "RequestAttach", fmt.Sprintf(`{"pom":%q,"duration":"%.3fs"}`, h.costly[rand.IntN(len(h.costly))], d.Seconds()))
			list, _ := answer["attachments"].([]any)
			for _, a := range list {
				if a.(map[string]any)["refused"] == nil {
					h.attached++
				}
			}
		}
	}
}

// inventory is what the agent has.
type inventory struct {
	links, programs, slots, counters, words int
	files, goroutines, resident             int
	// maps is what the kernel says that the agent's maps take, heap what Go's heap has in use, in bytes.
	maps, heap int
	// hits is what happened, accounted what heat has of it.
	hits, accounted int
}

// measure freezes all processes, waits until all is taken in, and counts.
func (h *herd) measure() inventory {
	h.t.Helper()
	for _, p := range h.programs {
		p.Freeze()
		defer p.Thaw()
	}
	var now inventory
	within(h.t, "all attachments to end", func() bool {
		list, _ := ask(h.address, "ListProcesses", `{}`)["processes"].([]any)
		for _, p := range list {
			p := p.(map[string]any)
			if p["refused"] != nil {
				h.t.Fatalf("%v is refused: %v", p["pid"], p["refused"])
			}
			points, _ := p["points"].([]any)
			for _, point := range points {
				if point.(map[string]any)["until"] != nil {
					return false
				}
			}
		}
		return len(list) == herdSize
	})
	accounts := ""
	h.t.Cleanup(func() {
		if h.t.Failed() {
			h.t.Log("hits, carried, counted and in heat, last:\n" + accounts)
		}
	})
	within(h.t, "all hits to be accounted for, and none twice", func() bool {
		now.hits, now.accounted, accounts = 0, 0, ""
		list, _ := ask(h.address, "GetAgent", `{}`)["accounting"].([]any)
		for _, one := range list {
			one := one.(map[string]any)
			hits, carried, counted := number(one["hits"]), number(one["carried"]), number(one["counted"])
			found := inHeat(h.address, one["pom"].(string))
			accounts += fmt.Sprintln(one["pom"], hits, carried, counted, found)
			if hits != carried+counted || hits != found {
				return false
			}
			now.hits += hits
			now.accounted += found
		}
		return now.hits > 0
	})
	hits, accounted := now.hits, now.accounted
	now = h.inventory()
	now.hits, now.accounted = hits, accounted
	return now
}

// inventory counts what the agent has.
func (h *herd) inventory() (now inventory) {
	h.t.Helper()
	pid := h.agent.Process.Pid
	programs, links := kernelObjects(h.t, pid)
	now.programs, now.links = len(programs), len(links)
	now.slots, now.counters, now.words = entries(h.t, pid, "slots"), entries(h.t, pid, "heat"), entries(h.t, pid, "words")
	metrics := h.metrics("go_goroutines", "process_open_fds", "process_resident_memory_bytes", "go_memstats_heap_inuse_bytes")
	now.goroutines, now.files, now.resident, now.heap = metrics[0], metrics[1], metrics[2], metrics[3]
	now.maps = mapMemory(h.t, pid)
	return now
}

// number reads what JSON has of a 64-bit number: a string, and nothing for 0.
func number(v any) int {
	text, _ := v.(string)
	n, _ := strconv.Atoi(text)
	return n
}

// inHeat is how many hits of a point the last hour has.
func inHeat(address, pom string) (sum int) {
	now := time.Now()
	answer := ask(address, "QueryHeat", fmt.Sprintf(`{"pom":%q,"start":%q,"end":%q,"step":"60s"}`,
		pom, now.Add(-55*time.Minute).Format(time.RFC3339), now.Add(time.Minute).Format(time.RFC3339)))
	series, _ := answer["series"].([]any)
	for _, s := range series {
		columns, _ := s.(map[string]any)["columns"].([]any)
		for _, c := range columns {
			counts, _ := c.(map[string]any)["counts"].([]any)
			for _, n := range counts {
				sum += number(n)
			}
		}
	}
	return sum
}

// metrics reads gauges that have no labels.
func (h *herd) metrics(names ...string) (values []int) {
	h.t.Helper()
	response, err := http.Get("http://" + h.address + "/metrics")
	if err != nil {
		h.t.Fatal(err)
	}
	defer response.Body.Close()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(response.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	for _, name := range names {
		f := families[name]
		if f == nil {
			h.t.Fatalf("no metric %s", name)
		}
		values = append(values, int(f.Metric[0].GetGauge().GetValue()))
	}
	return values
}

// entries counts the keys of a hash that a process holds.
func entries(t testing.TB, pid int, name string) (n int) {
	t.Helper()
	infos, err := filepath.Glob(fmt.Sprintf("/proc/%d/fdinfo/*", pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range infos {
		text, err := os.ReadFile(path)
		if err != nil {
			continue // closed meanwhile
		}
		_, after, found := strings.Cut(string(text), "map_id:")
		if !found {
			continue
		}
		id, err := strconv.Atoi(strings.TrimSpace(strings.SplitN(after, "\n", 2)[0]))
		if err != nil {
			t.Fatal(err)
		}
		m, err := ebpf.NewMapFromID(ebpf.MapID(id))
		if errors.Is(err, os.ErrNotExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		defer m.Close()
		info, err := m.Info()
		if err != nil {
			t.Fatal(err)
		}
		if info.Name != name {
			continue
		}
		var key []byte
		for next, err := m.NextKeyBytes(nil); err == nil && next != nil; next, err = m.NextKeyBytes(key) {
			key = next
			n++
		}
		return n
	}
	t.Fatalf("process %d holds no map %q", pid, name)
	return 0
}

// linksTo lists the links of all the kernel that lead to some programs.
func linksTo(t testing.TB, programs []ebpf.ProgramID) (ids []link.ID) {
	t.Helper()
	wanted := map[ebpf.ProgramID]bool{}
	for _, id := range programs {
		wanted[id] = true
	}
	all := new(link.Iterator)
	defer all.Close()
	for all.Next() {
		info, err := all.Link.Info()
		if err == nil && wanted[info.Program] {
			ids = append(ids, info.ID)
		}
	}
	if err := all.Err(); err != nil {
		t.Fatal(err)
	}
	return ids
}
