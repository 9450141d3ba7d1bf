package main

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/bpf-agent/server"
)

// listCommand is gotherm-agent list.
type listCommand struct {
	selection
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
}

func (l *listCommand) Run(log *slog.Logger) error {
	finder, err := l.finder(log)
	if err != nil {
		return err
	}
	processes, err := finder.Scan()
	if err != nil {
		return fmt.Errorf("look for Go processes: %w", err)
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
		list = append(list, listed{
			PID: p.PID, ID: q.Id, Service: q.Service, Version: q.Version, Revision: q.Revision, Modified: q.Modified,
			GoVersion: q.GoVersion, Executable: q.Executable, Container: q.Container, Unit: q.Unit, Watchable: q.Refused == "", Refused: q.Refused,
		})
	}
	if l.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		return e.Encode(list)
	}
	return printList(os.Stdout, list)
}

func printList(to io.Writer, list []listed) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "PID\tSERVICE\tVERSION\tREVISION\tGO\tCONTAINER\tUNIT\tWATCHABLE")
	for _, p := range list {
		revision := p.Revision[:min(len(p.Revision), 12)]
		if p.Modified {
			revision += "+modified"
		}
		watchable := "yes"
		if !p.Watchable {
			watchable = "no: " + p.Refused
		}
		fmt.Fprintf(t, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", p.PID, dash(p.Service), dash(p.Version), dash(revision), dash(p.GoVersion),
			dash(p.Container[:min(len(p.Container), 12)]), dash(p.Unit), watchable)
	}
	return t.Flush()
}

// dash stands for what is not known, so that columns can be told apart.
func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}
