// Package server answers for the agent: the gotherm.v1 API as Connect, gRPC,
// gRPC-Web and curl-able JSON, and /metrics for Prometheus, on one port.
//
// Who may ask is decided in access.go, how much in limits.go, and what a
// request must look like in request.go. Each RPC has a file.
package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb/gothermpbconnect"
	"github.com/gotherm/gotherm/pkg/heat"
)

// Sources are what the server answers from.
type Sources struct {
	Head    *heat.Head
	Gauges  *heat.Gauges
	Watcher *probe.Watcher
	Ingest  *ingest.Ingest
	Pacer   *pacer.Pacer
	Ledger  *goproc.Ledger
	// Profiles is nil when none are collected.
	Profiles *collect.Collector
	// Version is the agent's own.
	Version string
	Log     *slog.Logger
}

// Server answers the API. It implements [gothermpbconnect.AgentServiceHandler],
// so what runs in the same process may call it without a port.
type Server struct {
	Sources
	started    time.Time
	attendance *attendance
	requests   gate
	streams    gate
	tails      gate
	collecting gate
	walks      chan struct{}
}

var _ gothermpbconnect.AgentServiceHandler = (*Server)(nil)

// New returns a server that has not been asked yet. What it answers with is
// there from when [Server.Run] runs.
func New(from Sources) *Server {
	return &Server{
		Sources:    from,
		started:    time.Now(),
		attendance: newAttendance(),
		requests:   newGate("requests", maxRequests),
		streams:    newGate("streams", maxStreams),
		tails:      newGate("streams of events", maxTails),
		collecting: newGate("requests for new profiles", maxCollecting),
		walks:      make(chan struct{}, maxWalks),
	}
}

// Run records who is watched, until ctx is done.
func (s *Server) Run(ctx context.Context) error {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	var forgot time.Time
	for {
		now := time.Now()
		s.attendance.take(now, s.marks())
		if now.Sub(forgot) >= time.Minute {
			s.Gauges.Forget(now)
			forgot = now
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}

// Serve answers on l until ctx is done, which also ends all streams.
func (s *Server) Serve(ctx context.Context, l *Listener) error {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(true)
	protocols.SetUnencryptedHTTP2(true)
	h := &http.Server{
		Handler:           s.handler(l),
		Protocols:         protocols,
		ReadHeaderTimeout: 5 * time.Second,
		IdleTimeout:       2 * time.Minute,
		MaxHeaderBytes:    maxHeader,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ErrorLog:          slog.NewLogLogger(s.Log.Handler(), slog.LevelDebug),
	}
	served := make(chan error, 1)
	go func() { served <- h.Serve(l) }()
	select {
	case err := <-served:
		return fmt.Errorf("serve on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	last, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	if err := h.Shutdown(last); err != nil {
		h.Close()
	}
	return nil
}

// handler is all there is behind the port.
func (s *Server) handler(l *Listener) http.Handler {
	path, rpc := gothermpbconnect.NewAgentServiceHandler(s,
		connect.WithReadMaxBytes(maxBody),
		connect.WithRecover(func(_ context.Context, spec connect.Spec, _ http.Header, p any) error {
			s.Log.Error("a request made the agent panic", "procedure", spec.Procedure, "panic", p)
			return connect.NewError(connect.CodeInternal, errors.New("the agent failed at this request; its log says more"))
		}))
	mux := http.NewServeMux()
	mux.Handle(path, s.limit(rpc))
	mux.Handle("GET /metrics", s.limit(s.metrics()))
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "gotherm-agent answers POST "+path+"<method>, GET /metrics and GET /healthz\n", http.StatusNotFound)
	})
	outer := http.NewServeMux()
	// Whether the agent lives is all that is said to who has no token.
	outer.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	outer.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		if err := l.admit(r); err != nil {
			refuse(w, r, err)
			return
		}
		mux.ServeHTTP(w, r)
	})
	return s.hurried(outer)
}

// hurried holds a request to [maxTime], reading, answering and writing. A
// stream is held to it for each message, by [hurry].
func (s *Server) hurried(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c := http.NewResponseController(w)
		// On HTTP/1 a deadline of writing stays with the connection, so that of
		// the request before is always replaced, by none for a stream.
		var read, write time.Time
		if isStream(r) {
			r = r.WithContext(context.WithValue(r.Context(), controllerKey{}, c))
		} else {
			read = time.Now().Add(maxTime)
			write = read.Add(time.Second) // the answer "too late" must still get out
			ctx, cancel := context.WithDeadline(r.Context(), read)
			defer cancel()
			r = r.WithContext(ctx)
		}
		if err := errors.Join(c.SetReadDeadline(read), c.SetWriteDeadline(write)); err != nil {
			s.Log.Debug("a request has no deadline", "err", err)
		}
		next.ServeHTTP(w, r)
	})
}

func isStream(r *http.Request) bool {
	switch r.URL.Path {
	case gothermpbconnect.AgentServiceWatchHeatProcedure, gothermpbconnect.AgentServiceWatchEventsProcedure, gothermpbconnect.AgentServiceCollectTraceProcedure:
		return true
	}
	return false
}

// limit holds requests and streams to their number.
func (s *Server) limit(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g := s.requests
		if isStream(r) {
			g = s.streams
		}
		leave, err := g.enter()
		if err != nil {
			refuse(w, r, err)
			return
		}
		defer leave()
		next.ServeHTTP(w, r)
	})
}

// refuse answers with an error in the protocol that the request speaks.
func refuse(w http.ResponseWriter, r *http.Request, err error) {
	code := connect.CodeOf(err)
	if code == connect.CodeUnauthenticated {
		w.Header().Set("WWW-Authenticate", "Bearer")
	}
	if writer := connect.NewErrorWriter(); writer.IsSupported(r) {
		_ = writer.Write(w, r, err) // the client has gone: nobody to tell
		return
	}
	status := map[connect.Code]int{
		connect.CodeUnauthenticated:   http.StatusUnauthorized,
		connect.CodePermissionDenied:  http.StatusForbidden,
		connect.CodeResourceExhausted: http.StatusTooManyRequests,
	}[code]
	_, message, _ := strings.Cut(err.Error(), ": ")
	http.Error(w, message, status)
}
