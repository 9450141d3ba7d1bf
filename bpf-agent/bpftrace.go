package main

import (
	"fmt"
	"log/slog"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// bpftraceCommand is gotherm-agent bpftrace.
type bpftraceCommand struct {
	PID int    `required:"" name:"pid" help:"Process to write the script for."`
	POM string `required:"" name:"pom" help:"Measurement point, such as goroutine.create."`
}

// Help tells what the one line of help has no room for.
func (bpftraceCommand) Help() string {
	return `Prints a script for bpftrace that counts what a measurement point counts, at the same places of the very binary that the process runs: to check the agent by, or to build on.

  gotherm-agent bpftrace --pid 42 --pom gc.stw > gc.bt
  bpftrace --unsafe gc.bt`
}

func (c *bpftraceCommand) Run(log *slog.Logger) error {
	processes, err := goproc.NewFinder(goproc.Selection{PIDs: []int{c.PID}}, log).Scan()
	if err != nil {
		return fmt.Errorf("look for process %d: %w", c.PID, err)
	}
	if len(processes) != 1 {
		return fmt.Errorf("there is no process %d", c.PID)
	}
	script, err := probe.Script(processes[0], c.POM)
	if err != nil {
		return err
	}
	fmt.Print(script)
	return nil
}
