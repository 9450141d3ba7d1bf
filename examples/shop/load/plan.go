package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// plan is what to send.
type plan struct {
	url         string
	rate        float64
	requests    int64
	duration    time.Duration
	connections int
	mix         mix
}

const (
	maxRate        = 100_000
	maxConnections = 1024
)

// validate says which field is out of its limits.
func (p plan) validate() error {
	u, err := url.Parse(p.url)
	if err != nil {
		return fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "http" || u.Path != "" {
		return fmt.Errorf("url is %s, must be http://address:port", p.url)
	}
	if ip := net.ParseIP(u.Hostname()); ip == nil || !ip.IsLoopback() {
		return fmt.Errorf("url is %s, must be a loopback address: load is not for other machines", p.url)
	}
	if !(p.rate >= 0 && p.rate <= maxRate) {
		return fmt.Errorf("rate is %g, must be 0 to %d", p.rate, maxRate)
	}
	if p.connections < 1 || p.connections > maxConnections {
		return fmt.Errorf("connections is %d, must be 1 to %d", p.connections, maxConnections)
	}
	if p.requests < 0 {
		return fmt.Errorf("requests is %d, must not be negative", p.requests)
	}
	if p.duration < 0 {
		return fmt.Errorf("for is %s, must not be negative", p.duration)
	}
	if p.requests > 0 && p.duration > 0 {
		return errors.New("requests and for are both given, must be one of them")
	}
	return nil
}

const (
	// patience is how long the shop may be away before a run gives up.
	patience = 10 * time.Second
	// pause is what a connection waits after an error, so that a shop that is
	// away costs nothing.
	pause = 50 * time.Millisecond
	// requestTimeout is when a request counts as an error.
	requestTimeout = patience
)

// send carries the plan out. It returns when all that was sent is answered;
// once ctx is done, or the shop has been away for too long, it sends nothing new.
func (p plan) send(ctx context.Context) *result {
	ctx, giveUp := context.WithCancel(ctx)
	defer giveUp()
	client := &http.Client{
		Timeout: requestTimeout,
		Transport: &http.Transport{
			MaxIdleConnsPerHost: p.connections,
			MaxConnsPerHost:     p.connections,
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()

	start := time.Now()
	// The connections share one row of requests: the n-th is due at start + n/rate.
	var next atomic.Int64
	var answered atomic.Int64 // when the newest good answer came, after start
	var gaveUp atomic.Bool
	each := make([]*result, p.connections)
	var connections sync.WaitGroup
	for i := range each {
		each[i] = newResult()
		connections.Go(func() {
			for ctx.Err() == nil {
				n := next.Add(1) - 1
				due := time.Now()
				if p.rate > 0 {
					due = start.Add(time.Duration(float64(n) / p.rate * float64(time.Second)))
				}
				if p.requests > 0 && n >= p.requests || p.duration > 0 && due.Sub(start) >= p.duration {
					return
				}
				if !sleepUntil(ctx, due) {
					return
				}
				route, err := p.ask(client, n)
				each[i].observe(route, time.Since(due), err)
				switch now := time.Since(start); {
				case err == nil:
					answered.Store(int64(now))
				case now-time.Duration(answered.Load()) >= patience:
					gaveUp.Store(true)
					giveUp()
				default:
					sleepUntil(ctx, time.Now().Add(pause))
				}
			}
		})
	}
	connections.Wait()

	total := newResult()
	for _, r := range each {
		total.add(r)
	}
	total.elapsed = time.Since(start)
	total.gaveUp = gaveUp.Load()
	return total
}

func sleepUntil(ctx context.Context, due time.Time) bool {
	wait := time.Until(due)
	if wait <= 0 {
		return true
	}
	select {
	case <-time.After(wait):
		return true
	case <-ctx.Done():
		return false
	}
}

// ask sends the n-th request and reads all of its answer. It is not cut short
// when load is stopped: what was sent is counted on both sides.
func (p plan) ask(client *http.Client, n int64) (route string, err error) {
	route, request, err := p.mix.request(p.url, n)
	if err != nil {
		return route, err
	}
	response, err := client.Do(request)
	if err != nil {
		return route, err
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return route, fmt.Errorf("%s: read answer: %w", request.URL, err)
	}
	if response.StatusCode != http.StatusOK {
		return route, fmt.Errorf("%s: %s", request.URL, response.Status)
	}
	return route, nil
}

// result counts requests and how long their answers took.
type result struct {
	requests, errors int64
	firstError       error
	routes           map[string]int64
	latencies        heat.Histogram
	elapsed          time.Duration
	// gaveUp says that the run ended because the shop was away.
	gaveUp bool
}

func newResult() *result { return &result{routes: map[string]int64{}} }

func (r *result) observe(route string, latency time.Duration, err error) {
	r.requests++
	r.routes[route]++
	r.latencies.Observe(uint64(max(latency, 0)))
	if err != nil {
		r.errors++
		if r.firstError == nil {
			r.firstError = err
		}
	}
}

func (r *result) add(other *result) {
	r.requests += other.requests
	r.errors += other.errors
	if r.firstError == nil {
		r.firstError = other.firstError
	}
	for route, n := range other.routes {
		r.routes[route] += n
	}
	r.latencies.Add(&other.latencies)
}

// print writes a "name value" line for each figure. A quantile is exact to its
// bucket, an eighth of an octave.
func (r *result) print(w io.Writer) {
	fmt.Fprintf(w, "requests %d\nerrors %d\nseconds %.3f\n", r.requests, r.errors, r.elapsed.Seconds())
	fmt.Fprintf(w, "requests_per_second %.1f\n", float64(r.requests)/r.elapsed.Seconds())
	if r.requests > 0 {
		for _, q := range []float64{50, 90, 99, 99.9} {
			fmt.Fprintf(w, "latency_p%g_ms %.3f\n", q, r.latencies.Quantile(q/100)/1e6)
		}
		fmt.Fprintf(w, "latency_max_ms %.3f\n", float64(r.latencies.Max)/1e6)
	}
	for _, route := range slices.Sorted(maps.Keys(r.routes)) {
		fmt.Fprintf(w, "route_%s %d\n", route, r.routes[route])
	}
	if r.firstError != nil {
		fmt.Fprintf(w, "first_error %s\n", r.firstError)
	}
}
