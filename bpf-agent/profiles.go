package main

import (
	"fmt"
	"log/slog"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/collect"
)

// profiles says which profiles are collected, and how many are kept.
type profiles struct {
	From  []string      `name:"profiles" env:"GOTHERM_PROFILES" placeholder:"WHERE" sep:"none" help:"Collect the profiles that processes serve by net/http/pprof, of CPU 10 s in each minute: SERVICE=URL of the index page of a service, or auto, which asks each socket of the watched processes that loopback reaches whether it serves it. Off when it is not said. What is asked for shows in the processes' own http.request."`
	File  string        `name:"profiles-file" env:"GOTHERM_PROFILES_FILE" placeholder:"FILE" type:"path" help:"Keep them in this file, for one agent alone. When it is not said, in a temporary one that ends with the agent."`
	For   time.Duration `name:"profiles-for" env:"GOTHERM_PROFILES_FOR" default:"1h" help:"Keep them for so long."`
	Bytes int           `name:"profiles-mib" env:"GOTHERM_PROFILES_MIB" default:"64" placeholder:"MIB" help:"Keep so many MiB of them, the newest."`
}

// maxKept is how many profiles are kept, whatever their size: each takes some 300 bytes of memory as well.
const maxKept = 20_000

// collect makes an agent collect, where something is said of it.
func (p profiles) collect(a *agent, log *slog.Logger) error {
	if len(p.From) == 0 {
		return nil
	}
	from, err := collect.ReadEndpoints(p.From)
	if err != nil {
		return err
	}
	if p.For < time.Minute || p.For > 7*24*time.Hour {
		return fmt.Errorf("profiles-for is %s, must be 1m to 168h", p.For)
	}
	if p.Bytes < 1 || p.Bytes > 4096 {
		return fmt.Errorf("profiles-mib is %d, must be 1 to 4096", p.Bytes)
	}
	store, torn, err := collect.OpenStore(p.File, collect.Retention{Age: p.For, Bytes: p.Bytes << 20, Count: maxKept})
	if err != nil {
		return err
	}
	if torn != nil {
		log.Warn("profiles of before are lost", "reason", torn)
	}
	a.collector = collect.New(from, collect.Usual, store, a.watcher.Readable, log)
	a.server.Profiles = a.collector
	return nil
}
