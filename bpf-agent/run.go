package main

import (
	"context"
	"log/slog"
	"os"
	"runtime/debug"

	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/bpf-agent/server"
)

// runCommand is gotherm-agent run.
type runCommand struct {
	selection
	Listen    string       `default:"127.0.0.1:7117" help:"Where to answer, as host:port. Other than loopback needs TLS, and a token or client certificates."`
	TLSCert   string       `name:"tls-cert" env:"GOTHERM_TLS_CERT" type:"path" help:"Certificate chain, as PEM."`
	TLSKey    string       `name:"tls-key" env:"GOTHERM_TLS_KEY" type:"path" help:"Key of the certificate, as PEM."`
	TokenFile string       `type:"path" help:"File with the bearer token that every request must have; 16 bytes or more."`
	Budget    pacer.Budget `default:"1%" placeholder:"PERCENT" help:"What watching may cost a process, of the CPU time that it uses: 0.01% to 50%. Over it the dearest measurement points are detached, and brought back when they fit."`
	ClientCA  string       `name:"client-ca" env:"GOTHERM_CLIENT_CA" type:"path" help:"PEM file with the authorities whose client certificates are accepted; without one of them nobody is."`

	MemstatsPin string `name:"memstats-pin" placeholder:"DIR" help:"Let programs publish their runtime.MemStats, by maps pinned in this directory of bpffs, which must be the agent's alone. Off when it is not said. CAP_BPF and CAP_CHOWN are then kept."`

	profiles
}

// collectAt is by how many percent the heap may grow between two collections.
// What the agent holds is mostly bytes, which cost a collection next to nothing:
// the memory is worth more.
const collectAt = 25

func (r *runCommand) Run(ctx context.Context, log *slog.Logger) error {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(collectAt)
	}
	listener, err := server.Access{
		Listen: r.Listen, TLSCert: r.TLSCert, TLSKey: r.TLSKey, TokenFile: r.TokenFile, ClientCA: r.ClientCA,
	}.Open(ctx)
	if err != nil {
		return err
	}
	defer listener.Close()
	a, err := newAgent(r.selection, r.Budget, r.MemstatsPin, log)
	if err != nil {
		return err
	}
	if err := r.profiles.collect(a, log); err != nil {
		return err
	}
	log.Info("gotherm-agent answers", "url", listener.URL, "version", version())
	err = a.run(ctx, func(ctx context.Context) error { return a.server.Serve(ctx, listener) })
	if err == nil {
		log.Info("detached from all processes")
	}
	return err
}
