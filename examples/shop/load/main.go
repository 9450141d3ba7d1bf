// Command load sends the shop traffic, and says how it was served. It talks to
// this machine only.
//
// With -rate it is an open loop: requests are due at even intervals whatever
// the shop does, and a latency counts from when its request was due. Without,
// it is a closed loop: each connection asks again as soon as it is answered.
//
// With -requests it sends exactly so many, with -for it sends for so long, and
// else until it is interrupted or the shop has not answered for a while.
//
// It prints one "name value" line for each figure, times in milliseconds.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	var p plan
	flag.StringVar(&p.url, "url", "http://127.0.0.1:8090", "`URL` of the shop, on this machine")
	flag.Float64Var(&p.rate, "rate", 0, "requests per second; 0 sends the next as soon as one is answered")
	flag.Int64Var(&p.requests, "requests", 0, "send exactly so many requests, instead of for a time")
	flag.DurationVar(&p.duration, "for", 0, "send for so long")
	flag.IntVar(&p.connections, "connections", 8, "connections, which is also how many requests may be in flight")
	mixText := flag.String("mix", defaultMix, "share of each `route`")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, p, *mixText); err != nil {
		fmt.Fprintln(os.Stderr, "load:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, p plan, mixText string) error {
	var err error
	if p.mix, err = parseMix(mixText); err != nil {
		return err
	}
	if err := p.validate(); err != nil {
		return err
	}
	result := p.send(ctx)
	result.print(os.Stdout)
	if result.gaveUp {
		return fmt.Errorf("the shop has not answered for %s: %w", patience, result.firstError)
	}
	if result.requests > 0 && result.errors == result.requests {
		return fmt.Errorf("no request was answered well: %w", result.firstError)
	}
	if p.requests > result.requests {
		return fmt.Errorf("interrupted after %d of %d requests", result.requests, p.requests)
	}
	return nil
}
