package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

const (
	excessRounds   = 15
	excessRequests = 8000
	// excessMix is the load's own, without what computes for milliseconds and
	// has next to nothing to do with goroutines: its noise is greater than all
	// that the agent adds.
	excessMix = "products=55,cart=12,checkout=10"
	// leastExcessRatio is what was promised.
	leastExcessRatio = 8
)

// fiveFunctions are where goroutines come, run, wait, become ready, and go.
var fiveFunctions = []string{"runtime.newproc1", "runtime.execute", "runtime.gopark", "runtime.ready", "runtime.gdestroy"}

// BenchmarkExcess measures how much more bpftrace slows down a target than the
// agent's way does, where both count the calls of the same five functions, by
// function: what each adds to the CPU time of a request. Rounds, quartile and
// control are as in BenchmarkCost.
//
// To bpftrace they are told as in all examples, by name, which is at their
// entries. The agent's way is its sites and its accounting. Neither reads
// memory of the target.
func BenchmarkExcess(b *testing.B) {
	if os.Geteuid() != 0 {
		b.Skip("attaching probes needs root")
	}
	if _, err := exec.LookPath("bpftrace"); err != nil {
		b.Skipf("bpftrace is not installed: %v", err)
	}
	shop, err := filepath.Abs("../bin/shop")
	if err != nil {
		b.Fatal(err)
	}
	pid := startShop(b)
	request := func() float64 { return perRequestOf(b, pid, excessRequests, "--mix", excessMix) }
	request() // warm up

	var off, off2, traced, counted []float64
	for range excessRounds {
		inAnyOrder(
			func() { off = append(off, request()) },
			func() { off2 = append(off2, request()) },
			func() {
				tracer := startBpftrace(b, entryScript(shop))
				traced = append(traced, request())
				endForBenchmark(tracer)
			},
			func() {
				counter := countFive(b, shop, pid)
				counted = append(counted, request())
				if calls := counter.end(); len(calls) != len(fiveFunctions) {
					b.Fatalf("calls were counted at %d places, must be at %d: %v", len(calls), len(fiveFunctions), calls)
				}
			},
		)
	}
	base := undisturbed(slices.Concat(off, off2))
	theirs, ours := undisturbed(traced)/base, undisturbed(counted)/base
	ratio := (theirs - 1) / (ours - 1)
	for _, figure := range []struct {
		name  string
		value float64
	}{
		{"bpftrace_slowdown_ratio", theirs},
		{"bpftrace_ours_slowdown_ratio", ours},
		{"bpftrace_aa_ratio", undisturbed(off2) / undisturbed(off)},
		{"bpftrace_excess_ratio", ratio},
	} {
		fmt.Printf("%s %.4f\n", figure.name, figure.value)
		b.ReportMetric(figure.value, figure.name)
	}
	if ratio < leastExcessRatio {
		b.Errorf("bpftrace slows the shop down to %.3f, we to %.3f: excess ratio %.2f, at least %d was promised", theirs, ours, ratio, leastExcessRatio)
	}
}

func entryScript(path string) string {
	var places []string
	for _, function := range fiveFunctions {
		places = append(places, fmt.Sprintf("uprobe:%s:%q", path, function))
	}
	return strings.Join(places, ",\n") + "\n{\n\t@calls[probe] = count();\n}\n"
}

// counter counts as the agent does.
type counter struct {
	b          *testing.B
	collection *ebpf.Collection
	link       link.Link
}

func countFive(b *testing.B, path string, pid int) *counter {
	b.Helper()
	must := func(err error) {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
	}
	binary, err := goproc.ReadBinary(path)
	must(err)
	const cookie = 1
	var addresses, cookies []uint64
	for _, function := range fiveFunctions {
		site, err := binary.CheapestSite(function)
		must(err)
		addresses, cookies = append(addresses, site.Offset), append(cookies, cookie)
	}
	spec, err := LoadCalls()
	must(err)
	collection, err := ebpf.NewCollection(spec)
	must(err)
	const slot = uint32(0)
	must(collection.Maps[CallsMapProcesses].Put(slot, &bpf.KernelProcess{File: cookie, Points: ^uint32(0), Text: binary.Functions.Text()}))
	must(collection.Maps[CallsMapSlots].Put(uint32(pid), slot))
	executable, err := link.OpenExecutable(path)
	must(err)
	l, err := executable.UprobeMulti(nil, collection.Programs[CallsProgCalled], &link.UprobeMultiOptions{Addresses: addresses, Cookies: cookies})
	must(err)
	return &counter{b, collection, l}
}

// end detaches, and returns how many calls there were of each place.
func (c *counter) end() map[uint32]uint64 {
	c.b.Helper()
	defer c.collection.Close()
	if err := c.link.Close(); err != nil {
		c.b.Fatal(err)
	}
	calls := map[uint32]uint64{}
	var key bpf.KernelKey
	var perCPU []bpf.KernelCount
	all := c.collection.Maps[CallsMapHeat].Iterate()
	for all.Next(&key, &perCPU) {
		for _, one := range perCPU {
			calls[key.Function] += one.Count
		}
	}
	if err := all.Err(); err != nil {
		c.b.Fatal(err)
	}
	return calls
}

// startBpftrace starts a script and returns when all of it is attached: what
// comes first in it and what comes last are heard of.
func startBpftrace(b *testing.B, script string) *exec.Cmd {
	b.Helper()
	path := filepath.Join(b.TempDir(), "script.bt")
	const first, last = "interval:ms:100 { printf(\"first\\n\"); }\n", "interval:ms:100 { printf(\"last\\n\"); }\n"
	if err := os.WriteFile(path, []byte(first+script+last), 0o600); err != nil {
		b.Fatal(err)
	}
	output, err := os.Create(path + ".out")
	if err != nil {
		b.Fatal(err)
	}
	tracer := exec.Command("bpftrace", path)
	tracer.Stdout, tracer.Stderr = output, output
	if err := tracer.Start(); err != nil {
		b.Fatalf("start bpftrace: %v", err)
	}
	output.Close()
	b.Cleanup(func() { endForBenchmark(tracer) })
	eventually(b, "bpftrace to attach", func() bool {
		said, err := os.ReadFile(output.Name())
		return err == nil && strings.Contains(string(said), "first\n") && strings.Contains(string(said), "last\n")
	})
	return tracer
}
