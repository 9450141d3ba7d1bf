package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/bpf-agent/server"
	"github.com/gotherm/gotherm/pkg/gothermpb"
)

// listCommand is gotherm-agent list.
type listCommand struct {
	selection
	remote
	JSON bool `help:"Print JSON."`
}

// listed is a process, as JSON.
type listed struct {
	PID        int    `json:"pid"`
	ID         string `json:"id"`
	Service    string `json:"service"`
	Version    string `json:"version,omitempty"`
	Revision   string `json:"revision,omitempty"`
	Modified   bool   `json:"modified,omitempty"`
	GoVersion  string `json:"goVersion,omitempty"`
	Executable string `json:"executable"`
	Container  string `json:"container,omitempty"`
	Unit       string `json:"unit,omitempty"`
	Watchable  bool   `json:"watchable"`
	// Refused says why it can't be watched.
	Refused string `json:"refused,omitempty"`
	// Health says whether probes fire, of a process that an agent watches.
	Health string `json:"health,omitempty"`
	// Cost is what watching costs it, of the CPU time that it uses, and Shed are
	// the points that were detached to hold that inside the budget.
	Cost *float64 `json:"cost,omitempty"`
	Heat string   `json:"heat,omitempty"`
	Shed []string `json:"shed,omitempty"`
}

func (l *listCommand) Run(ctx context.Context, log *slog.Logger) error {
	look := func() ([]listed, error) { return l.look(log) }
	if l.Agent != "" {
		look = func() ([]listed, error) { return l.ask(ctx) }
	}
	list, err := look()
	if err != nil {
		return err
	}
	if l.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	return printList(os.Stdout, list)
}

// ask asks an agent what it watches.
func (l *listCommand) ask(ctx context.Context) ([]listed, error) {
	if l.named() {
		return nil, errors.New("--agent lists what that agent was told to watch: it can't be had with a selection")
	}
	client, err := l.client()
	if err != nil {
		return nil, err
	}
	answer, err := client.ListProcesses(ctx, connect.NewRequest(&gothermpb.ListProcessesRequest{}))
	if err != nil {
		return nil, fmt.Errorf("ask the agent: %w", err)
	}
	list := make([]listed, 0, len(answer.Msg.Processes)) // an empty list is [], not null
	for _, p := range answer.Msg.Processes {
		one := listedOf(p)
		one.Health = healthText(p.Health)
		if c := p.Cost; c != nil {
			one.Cost, one.Heat = &c.Ratio, c.Heat
		}
		for _, pt := range p.Points {
			if pt.State == gothermpb.ProcessPoint_STATE_SHED {
				one.Shed = append(one.Shed, pt.Pom)
			}
		}
		list = append(list, one)
	}
	return list, nil
}

// healthText says whether the probes of a process fire; "" where that is not known.
func healthText(h *gothermpb.ProcessHealth) string {
	quiet := h.GetQuiet().AsDuration().Round(time.Second)
	switch h.GetState() {
	case gothermpb.ProcessHealth_STATE_FIRING:
		return "firing"
	case gothermpb.ProcessHealth_STATE_IDLE:
		return fmt.Sprintf("idle: no hit for %s, in which it hardly ran", quiet)
	case gothermpb.ProcessHealth_STATE_SILENT:
		return fmt.Sprintf("SILENT: no hit for %s, though it ran for %s", quiet, h.GetCpuTime().AsDuration().Round(100*time.Millisecond))
	case gothermpb.ProcessHealth_STATE_DETACHED:
		return "nothing is attached"
	}
	return ""
}

func listedOf(p *gothermpb.Process) listed {
	return listed{
		PID: int(p.Pid), ID: p.Id, Service: p.Service, Version: p.Version, Revision: p.Revision, Modified: p.Modified,
		GoVersion: p.GoVersion, Executable: p.Executable, Container: p.Container, Unit: p.Unit, Watchable: p.Refused == "", Refused: p.Refused,
	}
}

// look looks at the processes of this machine.
func (l *listCommand) look(log *slog.Logger) ([]listed, error) {
	finder, err := l.finder(log)
	if err != nil {
		return nil, err
	}
	processes, err := finder.Scan()
	if err != nil {
		return nil, fmt.Errorf("look for Go processes: %w", err)
	}
	// A process that could be watched can't be by who lacks a capability.
	nobody := ""
	if names := missing(probe.Doctor()); names != nil {
		nobody = "not by this user, here: missing " + strings.Join(names, ", ") + "; gotherm-agent doctor says more"
	}
	list := make([]listed, 0, len(processes)) // an empty list is [], not null
	for _, p := range processes {
		q := server.Process(p)
		q.Refused = cmp.Or(q.Refused, nobody)
		list = append(list, listedOf(q))
	}
	return list, nil
}

func printList(to io.Writer, list []listed) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	state := "WATCHABLE"
	if slices.ContainsFunc(list, func(p listed) bool { return p.Health != "" }) {
		state = "PROBES"
	}
	fmt.Fprintln(t, "PID\tSERVICE\tVERSION\tREVISION\tGO\tCONTAINER\tUNIT\t"+state)
	for _, p := range list {
		revision := p.Revision[:min(len(p.Revision), 12)]
		if p.Modified {
			revision += "+modified"
		}
		watchable := cmp.Or(p.Health, "yes") + p.costText()
		if !p.Watchable {
			watchable = "no: " + p.Refused
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.PID, dash(p.Service), dash(p.Version), dash(revision), dash(p.GoVersion),
			dash(p.Container[:min(len(p.Container), 12)]), dash(p.Unit), watchable)
	}
	return t.Flush()
}

// costText says what watching costs, where an agent has said so.
func (p *listed) costText() string {
	text := ""
	if p.Cost != nil {
		text = fmt.Sprintf("; costs %.2f %%, %s", 100**p.Cost, p.Heat)
	}
	if p.Shed != nil {
		text += "; shed: " + strings.Join(p.Shed, ", ")
	}
	return text
}

// dash stands for what is not known, so that columns can be told apart.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
