package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"runtime"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"
	"kernel.org/pub/linux/libs/security/libcap/cap"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/mem"
	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/bpf-agent/server"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What the head holds, so that the agent stays small beside what it watches. An
// hour of a busy service and nine quiet ones takes some 20 MB with all
// dimensions (BenchmarkHour): most of it is held by process, node and reason.
const (
	// maxSeries is how many series are added to. A process has one for each start
	// function and NUMA node of each point; beyond it, what has ended is summed up.
	maxSeries = 2048
	// maxHeat is how many bytes heat takes; beyond it, the oldest minutes lose
	// their finer dimensions.
	maxHeat = 25 << 19 // 12.5 MiB
)

// selection says which processes to watch.
type selection struct {
	PIDs       []int    `name:"pid" env:"GOTHERM_PID" placeholder:"N" help:"Watch this process."`
	Globs      []string `name:"exe" env:"GOTHERM_EXE" placeholder:"GLOB" help:"Watch processes whose executable matches, by its path or, without a slash, by its name."`
	Ports      []int    `name:"port" env:"GOTHERM_PORT" placeholder:"N" help:"Watch the processes that listen on this TCP port."`
	Containers []string `name:"container" env:"GOTHERM_CONTAINER" placeholder:"ID" help:"Watch what runs in this container; the beginning of its id is enough."`
	Cgroups    []string `name:"cgroup" env:"GOTHERM_CGROUP" placeholder:"PATH" help:"Watch what runs in this control group or below, by its path as /proc/PID/cgroup has it."`
	Units      []string `name:"unit" env:"GOTHERM_UNIT" placeholder:"NAME" help:"Watch this service or scope of systemd."`
	All        bool     `help:"Watch every Go process. So it is when nothing else is said. A process that was started with GOTHERM=off is never watched."`
	Exclude    []string `env:"GOTHERM_EXCLUDE" placeholder:"GLOB" help:"Do not watch processes whose executable matches, whatever else is said."`
}

// named says whether something less than all is selected.
func (s selection) named() bool {
	return len(s.PIDs)+len(s.Globs)+len(s.Ports)+len(s.Containers)+len(s.Cgroups)+len(s.Units) > 0
}

// finder finds what is selected.
func (s selection) finder(log *slog.Logger) (*goproc.Finder, error) {
	sel := goproc.Selection{
		PIDs: s.PIDs, Globs: s.Globs, Ports: s.Ports,
		Containers: s.Containers, Cgroups: s.Cgroups, Units: s.Units, Exclude: s.Exclude,
	}
	sel.All = s.All || !s.named()
	if err := sel.Validate(); err != nil {
		return nil, err
	}
	return goproc.NewFinder(sel, log), nil
}

// agent is all rooms of the street up to the server, in one process.
type agent struct {
	kernel  *probe.Kernel // nil without privileges
	watcher *probe.Watcher
	ingest  *ingest.Ingest
	pacer   *pacer.Pacer
	mem     *mem.Poller
	pins    *mem.Pins // nil when programs may not publish
	server  *server.Server
	// collector is nil when no profiles are collected.
	collector *collect.Collector
}

// newAgent makes an agent with what can be had: where nothing may be loaded
// into the kernel, it says why and how to change that, and still sees processes.
func newAgent(sel selection, budget pacer.Budget, pinDir string, log *slog.Logger) (*agent, error) {
	finder, err := sel.finder(log)
	if err != nil {
		return nil, err
	}
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		log.Warn("nothing can be measured, only processes are listed", "err", err)
		for _, f := range probe.Doctor() {
			if f.Required && !f.OK {
				log.Warn("missing: "+f.Name, "found", f.Found, "for", f.For, "remedy", f.Remedy)
			}
		}
	}
	head := heat.NewHead(time.Now(), heat.Limits{Series: maxSeries, Bytes: maxHeat})
	gauges := &heat.Gauges{}
	ledger := goproc.NewLedger()
	a := &agent{kernel: kernel}
	a.watcher = probe.NewWatcher(kernel, finder, ledger, log)
	a.ingest = ingest.New(kernel, a.watcher, head, log)
	a.pacer = pacer.New(kernel, a.watcher, gauges, budget, log)
	var keep []cap.Value
	if pinDir != "" {
		if a.pins, err = mem.OpenPins(pinDir); err != nil {
			return nil, err
		}
		// Each process that comes gets maps of its own, and owns them.
		keep = []cap.Value{cap.BPF, cap.CHOWN}
	}
	a.mem = mem.New(kernel, a.watcher, gauges, a.pins, log)
	a.server = server.New(server.Sources{
		Head: head, Gauges: gauges, Watcher: a.watcher, Ingest: a.ingest, Pacer: a.pacer, Ledger: ledger, Version: version(), Log: log,
	})
	left, err := probe.DropPrivileges(kernel, keep...)
	if err != nil {
		return nil, err
	}
	log.Info("dropped the capabilities that only loading needs, and any way to gain others", "left", strings.Join(left, ","))
	return a, nil
}

// run watches until ctx is done, and leaves nothing behind in the kernel.
// Serve, when there is one, serves meanwhile.
func (a *agent) run(ctx context.Context, serve func(context.Context) error) error {
	// The reader of the ring needs a P each time it wakes, and would wait for it
	// behind queries while the ring fills: so there is one more than can run.
	if os.Getenv("GOMAXPROCS") == "" {
		runtime.GOMAXPROCS(runtime.GOMAXPROCS(0) + 1)
	}
	g, ctx := errgroup.WithContext(ctx)
	// What was hit before the last probe is detached is still taken in.
	reading, stopReading := context.WithCancel(context.WithoutCancel(ctx))
	g.Go(func() error {
		defer stopReading()
		return a.watcher.Run(ctx)
	})
	g.Go(func() error { return a.ingest.Run(reading) })
	g.Go(func() error { return a.pacer.Run(ctx) })
	g.Go(func() error { return a.mem.Run(ctx) })
	g.Go(func() error { return a.server.Run(ctx) })
	if a.collector != nil {
		g.Go(func() error { return a.collector.Run(ctx) })
	}
	if serve != nil {
		g.Go(func() error { return serve(ctx) })
	}
	err := g.Wait()
	if a.collector != nil {
		if e := a.collector.Store().Close(); e != nil && err == nil {
			err = e
		}
	}
	if e := a.ingest.Close(); e != nil && err == nil {
		err = fmt.Errorf("close the ring: %w", e)
	}
	if a.pins != nil {
		if e := a.pins.Close(); e != nil && err == nil {
			err = fmt.Errorf("unpin maps: %w", e)
		}
	}
	if a.kernel != nil {
		if e := a.kernel.Close(); e != nil && err == nil {
			err = fmt.Errorf("unload programs: %w", e)
		}
	}
	return err
}
