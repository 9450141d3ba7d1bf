package main

import (
	"context"
	"fmt"
	"log/slog"
	"math"
	"os"
	"strconv"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// BenchmarkProfileCost measures what collecting profiles costs the target: the
// CPU time that the shop needs for a request while its profiles are collected
// over without, next to a control that compares without and without. In a round
// the three come in random order, each with the same requests at the same rate.
// Of the rounds' ratios the median counts, and between the second lowest and
// the second highest it is with a confidence of 96 %, whatever disturbs one of them.
//
// So that there are enough rounds, time is twelve times as fast as usual: of CPU
// 1 s in each 5 s, which is as much as 12 s in each minute instead of 10, and
// snapshots of each other type twelve times as often. The real cost is less.
func BenchmarkProfileCost(b *testing.B) {
	const (
		rounds, each = 9, 5 * time.Second
		rate         = 600 // in a second, about half of what the shop can do on two CPUs
		requests     = rate * int(each/time.Second)
	)
	pid := startShop(b)
	found, err := goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, slog.New(slog.DiscardHandler)).Scan()
	if err != nil || len(found) != 1 {
		b.Fatalf("the shop is %v, %v", found, err)
	}
	faster := collect.Usual
	faster.Every, faster.CPU, faster.Retry = each, time.Second, time.Second
	use := func() float64 { return perRequestOf(b, pid, requests, "--rate", strconv.Itoa(rate)) }
	use() // as it starts, it is slower

	var cost, control []float64 // ratios, one for each round
	var profiled time.Duration
	turns := map[string]uint64{}
	for range rounds {
		var off, off2, on float64
		inAnyOrder(
			func() { off = use() },
			func() { off2 = use() },
			func() {
				c, end := beginCollecting(b, faster, found)
				on = use()
				end()
				did := c.Account()
				profiled += did.CPU
				for kind, n := range did.Collected {
					turns[kind] += n
				}
				// What was cut off in the round before may not have ended.
				delete(did.Failed, collect.Busy)
				if len(did.Failed) > 0 {
					b.Errorf("collecting failed: %+v", did)
				}
			},
		)
		cost = append(cost, on/math.Sqrt(off*off2))
		control = append(control, off2/off)
	}
	// A turn that begins late is cut off.
	if turns["cpu"] < rounds/2 || turns["heap"] < rounds/2 {
		b.Errorf("collected was %v in %d rounds", turns, rounds)
	}
	ratio, aa := median(cost), median(control) // which sorts them
	fmt.Printf("profile_cost_ratio %.4f\n", ratio)
	fmt.Printf("profile_cost_ratio_low %.4f\nprofile_cost_ratio_high %.4f\n", cost[1], cost[rounds-2])
	fmt.Printf("profile_cost_aa_ratio %.4f\n", aa)
	fmt.Printf("profile_cost_aa_ratio_low %.4f\nprofile_cost_aa_ratio_high %.4f\n", control[1], control[rounds-2])
	fmt.Printf("profile_cost_profiled_share %.3f\n", profiled.Seconds()/(rounds*each.Seconds()))
	b.ReportMetric(ratio, "profile_cost_ratio")
	b.ReportMetric(aa, "profile_cost_aa_ratio")
}

// beginCollecting collects until end is called, which waits for the turn that is under way to be given up.
func beginCollecting(b *testing.B, schedule collect.Schedule, of []*goproc.Process) (c *collect.Collector, end func()) {
	b.Helper()
	store, _, err := collect.OpenStore("", collect.Retention{Age: time.Hour, Bytes: 64 << 20, Count: 10_000})
	if err != nil {
		b.Fatal(err)
	}
	from, err := collect.ReadEndpoints([]string{collect.Auto})
	if err != nil {
		b.Fatal(err)
	}
	c = collect.New(from, schedule, store, func() []*goproc.Process { return of }, slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn})))
	ctx, cancel := context.WithCancel(b.Context())
	done := make(chan error, 1)
	go func() { done <- c.Run(ctx) }()
	return c, func() {
		cancel()
		if err := <-done; err != nil {
			b.Error(err)
		}
		if err := store.Close(); err != nil {
			b.Error(err)
		}
	}
}
