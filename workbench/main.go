// Workbench hosts gotherm's panel over the real back end where there is no
// Grafana: it runs the plugin's binary as Grafana does, and serves a page that
// draws the provisioned dashboards. It listens on loopback only.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"syscall"
	"time"
)

func main() {
	var o options
	flag.StringVar(&o.plugin, "plugin", "dist/datasource/gpx_gotherm_runtime_"+runtime.GOOS+"_"+runtime.GOARCH, "the data source's back end `binary`")
	flag.StringVar(&o.agent, "agent", "http://127.0.0.1:7117", "`URL` of the agent to show")
	flag.StringVar(&o.listen, "listen", "127.0.0.1:7118", "loopback `address` to serve the page on")
	flag.StringVar(&o.frontend, "frontend", "dist", "`directory` of the built front end of the plugin")
	flag.StringVar(&o.dashboards, "dashboards", "provisioning/dashboards", "`directory` of dashboards as JSON")
	flag.StringVar(&o.page, "page", "workbench/dist19", "`directory` of the built page")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, o, slog.New(slog.NewTextHandler(os.Stderr, nil))); err != nil {
		fmt.Fprintln(os.Stderr, "workbench:", err)
		os.Exit(1)
	}
}

type options struct {
	plugin, agent, listen, frontend, dashboards, page string
}

// check returns an error that names the first flag that cannot be.
func (o options) check() error {
	host, _, err := net.SplitHostPort(o.listen)
	if err != nil {
		return fmt.Errorf("-listen is %q, must be an address and a port: %w", o.listen, err)
	}
	if !isLoopback(host) {
		return fmt.Errorf("-listen is %q, must be a loopback address: the workbench asks nobody for a password", o.listen)
	}
	agent, err := url.Parse(o.agent)
	if err != nil || agent.Host == "" || (agent.Scheme != "http" && agent.Scheme != "https") {
		return fmt.Errorf("-agent is %q, must be a URL such as http://127.0.0.1:7117", o.agent)
	}
	if _, err := os.Stat(filepath.Join(o.page, "index.html")); err != nil {
		return fmt.Errorf("-page is %q, which holds no built page (npm run workbench builds one): %w", o.page, err)
	}
	if _, err := os.Stat(filepath.Join(o.frontend, "plugin.json")); err != nil {
		return fmt.Errorf("-frontend is %q, which holds no built plugin (npm run build builds one): %w", o.frontend, err)
	}
	if _, err := os.ReadDir(o.dashboards); err != nil {
		return fmt.Errorf("-dashboards: %w", err)
	}
	return nil
}

func run(ctx context.Context, o options, log *slog.Logger) error {
	if err := o.check(); err != nil {
		return err
	}
	// Before the plugin starts, so that an address in use leaves no process behind.
	listener, err := net.Listen("tcp", o.listen)
	if err != nil {
		return err
	}
	defer listener.Close()
	plugin, err := keep(o.plugin, log)
	if err != nil {
		return err
	}
	defer plugin.close()
	source, err := newSource(o.agent)
	if err != nil {
		return err
	}
	handler, err := newServer(plugin, source, o)
	if err != nil {
		return err
	}
	server := &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: 10 * time.Second,
		// Live streams end when we do.
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
	go func() {
		<-ctx.Done()
		quit, cancel := context.WithTimeout(context.WithoutCancel(ctx), 3*time.Second)
		defer cancel()
		if server.Shutdown(quit) != nil {
			server.Close()
		}
	}()
	log.Info("the page is ready", "url", "http://"+listener.Addr().String(), "agent", o.agent)
	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return nil
}

// isLoopback says whether a host, as in a URL, can only mean this machine.
func isLoopback(host string) bool {
	return host == "localhost" || net.ParseIP(host).IsLoopback()
}

// answer writes v as JSON.
func answer(w http.ResponseWriter, status int, v any) {
	body, err := json.Marshal(v)
	if err != nil {
		status, body = http.StatusInternalServerError, []byte(`{"message":"answer cannot be written as JSON"}`)
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = w.Write(body)
}

// refuse writes an error in the form that Grafana gives it.
func refuse(w http.ResponseWriter, status int, err error) {
	answer(w, status, map[string]string{"message": err.Error()})
}
