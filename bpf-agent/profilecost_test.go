package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// BenchmarkProfileCost measures what collecting profiles costs the target: the
// CPU time that the shop needs for a request while its profiles are collected
// over without. So that many turns fit in a measurement, time is five times as
// fast as usual: of CPU 2 s in each 12 s, which is as much as 10 s in each
// minute, but each other type five times as often, so the real cost is less.
func BenchmarkProfileCost(b *testing.B) {
	const rounds, each = 2, 12 * time.Second
	pid := startShop(b)
	found, err := goproc.NewFinder(goproc.Selection{PIDs: []int{pid}}, slog.New(slog.DiscardHandler)).Scan()
	if err != nil || len(found) != 1 {
		b.Fatalf("the shop is %v, %v", found, err)
	}
	began := time.Now()
	perRequestOf(b, pid, costRequests)
	requests := int(float64(costRequests) * each.Seconds() / time.Since(began).Seconds())
	faster := collect.Usual
	faster.Every, faster.CPU, faster.Retry = each, 2*time.Second, time.Second
	var on, off []float64
	var profiled time.Duration
	for range rounds {
		inAnyOrder(
			func() { off = append(off, perRequestOf(b, pid, requests)) },
			func() {
				c, end := beginCollecting(b, faster, found)
				on = append(on, perRequestOf(b, pid, requests))
				end()
				profiled += c.Account().CPU
				if c.Account().Collected["cpu"] == 0 || len(c.Account().Failed) > 0 {
					b.Errorf("collected was %+v", c.Account())
				}
			},
		)
	}
	slices.Sort(on)
	slices.Sort(off)
	ratio := on[0] / off[0] // what else the machine does can only add
	fmt.Printf("profile_cost_ratio %.4f\n", ratio)
	fmt.Printf("profile_cost_profiled_share %.3f\n", profiled.Seconds()/(rounds*each.Seconds()))
	b.ReportMetric(ratio, "profile_cost_ratio")
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
