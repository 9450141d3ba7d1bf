// Command shop is an HTTP service to watch: a small tea shop whose routes
// differ in character, so that their heat does too.
//
//	GET  /products   fast: a page of an immutable list, and GET /products/{sku}
//	GET  /search?q=  allocating: builds and ranks garbage, so the collector runs
//	POST /cart       spawns: one goroutine for each line of the cart
//	POST /checkout   blocking: a bounded channel, two tills, one lock on the stock
//	GET  /report     CPU-bound: sorts the sales and seals them with SHA-256
//	GET  /version    what was built
//
// It knows nothing of gotherm, and is built without it. Its own Prometheus
// metrics and net/http/pprof are on a second port.
//
// examples/shop/load sends it traffic.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// version is set by the build: -ldflags "-X main.version=1.4.0".
var version = "devel"

// shutdownGrace is how long requests in flight may take once the shop is told to stop.
const shutdownGrace = 10 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:8090", "loopback `address` to serve the shop on")
	metricsListen := flag.String("metrics-listen", "127.0.0.1:2112", "loopback `address` to serve /metrics and /debug/pprof/ on")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, *listen, *metricsListen); err != nil {
		fmt.Fprintln(os.Stderr, "shop:", err)
		os.Exit(1)
	}
}

// run serves until ctx is done, then lets requests in flight finish.
func run(ctx context.Context, listen, metricsListen string) error {
	shopListener, err := listenLoopback("listen", listen)
	if err != nil {
		return err
	}
	defer shopListener.Close()
	metricsListener, err := listenLoopback("metrics-listen", metricsListen)
	if err != nil {
		return err
	}
	defer metricsListener.Close()

	s := newShop()
	defer s.close()
	front := &http.Server{Handler: s.handler(), ReadHeaderTimeout: 5 * time.Second}
	back := &http.Server{Handler: s.metricsHandler(), ReadHeaderTimeout: 5 * time.Second}
	failed := make(chan error, 2)
	for server, listener := range map[*http.Server]net.Listener{front: shopListener, back: metricsListener} {
		go func() { failed <- server.Serve(listener) }()
	}
	slog.Info("shop is open", "version", version,
		"url", "http://"+shopListener.Addr().String(), "metrics", "http://"+metricsListener.Addr().String()+"/metrics")

	select {
	case err := <-failed:
		return fmt.Errorf("serve: %w", err)
	case <-ctx.Done():
	}
	slog.Info("shop is closing")
	grace, cancel := context.WithTimeout(context.Background(), shutdownGrace)
	defer cancel()
	// The metrics are served for as long as there is something to measure.
	return errors.Join(front.Shutdown(grace), back.Shutdown(grace))
}

// listenLoopback refuses any address that others could reach: the shop asks
// nobody who they are, and pprof tells all.
func listenLoopback(name, address string) (net.Listener, error) {
	resolved, err := net.ResolveTCPAddr("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	if !resolved.IP.IsLoopback() {
		return nil, fmt.Errorf("%s is %s, must be a loopback address: the shop has no authentication", name, address)
	}
	listener, err := net.ListenTCP("tcp", resolved)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	return listener, nil
}
