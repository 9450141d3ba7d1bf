// Gotherm-agent watches unmodified Go processes with eBPF and answers what
// their heat is: see the commands.
package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"

	"github.com/alecthomas/kong"

	"github.com/gotherm/gotherm/bpf-agent/render"
)

type cli struct {
	Run      runCommand       `cmd:"" help:"Watch Go processes and answer queries about them."`
	Doctor   doctorCommand    `cmd:"" help:"Say what this kernel and these capabilities allow, and the remedy for what is missing."`
	List     listCommand      `cmd:"" help:"List the Go processes there are, and whether they can be watched."`
	Top      topCommand       `cmd:"" help:"Show the heat of one measurement point of one process, live."`
	Render   renderCommand    `cmd:"" help:"Draw the heat of one measurement point as a PNG, for reports and CI."`
	Stages   stagesCommand    `cmd:"" help:"Say which stage of a program uses what: CPU, allocation, collections, from its execution trace."`
	Bpftrace bpftraceCommand  `cmd:"" help:"Print a bpftrace script that counts what a measurement point does, for one process."`
	Debug    bool             `help:"Log more."`
	Version  kong.VersionFlag `env:"-" help:"Print the agent's version."`
}

func main() {
	var c cli
	k := kong.Parse(&c,
		kong.Name("gotherm-agent"),
		kong.Description("Thermal imaging for Go programs. Each flag can be set by an environment variable as well."),
		kong.DefaultEnvars("GOTHERM"),
		kong.Vars{"version": version(), "agent_url": defaultAgent, "scheme": render.Schemes()[0]},
		kong.UsageOnError(),
	)
	level := slog.LevelInfo
	if c.Debug {
		level = slog.LevelDebug
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}))
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	k.BindTo(ctx, (*context.Context)(nil))
	err := k.Run(log)
	if errors.Is(err, errNothingToWatch) {
		stop()
		os.Exit(1)
	}
	k.FatalIfErrorf(err)
}

// errNothingToWatch is for the exit code alone: what there is to say has been said.
var errNothingToWatch = errors.New("nothing can be watched")

// version is what the build says of itself: the module's version, which the Go
// command makes of a tag or a revision, or "devel" where it knows neither.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok || info.Main.Version == "" || info.Main.Version == "(devel)" {
		return "devel"
	}
	return info.Main.Version
}
