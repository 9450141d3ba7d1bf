// Command load sends the shop traffic, and says how it was served. It stops by
// itself, and talks to this machine only.
//
// With -rate it is an open loop: requests are due at even intervals whatever
// the shop does, and a latency counts from when its request was due. Without,
// it is a closed loop: each connection asks again as soon as it is answered.
// With -requests it sends exactly so many.
//
// It prints one "name value" line for each figure, times in milliseconds.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

func main() {
	var p plan
	flag.StringVar(&p.target, "target", "http://127.0.0.1:8090", "`URL` of the shop, on this machine")
	flag.Float64Var(&p.rate, "rate", 0, "requests per second; 0 sends the next as soon as one is answered")
	flag.Int64Var(&p.requests, "requests", 0, "send exactly so many requests, instead of for a time")
	flag.DurationVar(&p.duration, "for", 0, "how long to send (default 30s, unless -requests is given)")
	flag.IntVar(&p.connections, "connections", 8, "connections, which is also how many requests may be in flight")
	mixText := flag.String("mix", defaultMix, "share of each `route`")
	flag.Parse()
	if p.requests == 0 && p.duration == 0 {
		p.duration = 30 * time.Second
	}
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
	if result.requests > 0 && result.errors == result.requests {
		return fmt.Errorf("all requests failed: %w", result.firstError)
	}
	if p.requests > 0 && result.requests < p.requests {
		return errors.New("interrupted")
	}
	return nil
}
