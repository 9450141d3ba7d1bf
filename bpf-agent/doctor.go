package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// doctorCommand is gotherm-agent doctor. It ends with 1 when nothing can be watched.
type doctorCommand struct {
	JSON bool `help:"Print JSON."`
}

// diagnosis is what the doctor says, as JSON.
type diagnosis struct {
	// Watchable says that the programs were loaded into the kernel, as a test.
	Watchable bool           `json:"watchable"`
	Error     string         `json:"error,omitempty"`
	Points    []pointVerdict `json:"points"`
	Findings  []finding      `json:"findings"`
}

// pointVerdict is whether a measurement point can be taken here, from a binary that has what it needs.
type pointVerdict struct {
	Name    string   `json:"name"`
	OK      bool     `json:"ok"`
	Missing []string `json:"missing,omitempty"`
}

type finding struct {
	Name     string `json:"name"`
	OK       bool   `json:"ok"`
	Required bool   `json:"required"`
	For      string `json:"for"`
	Found    string `json:"found"`
	Remedy   string `json:"remedy,omitempty"`
}

func (d *doctorCommand) Run() error {
	result := diagnose()
	if d.JSON {
		e := json.NewEncoder(os.Stdout)
		e.SetIndent("", "  ")
		if err := e.Encode(result); err != nil {
			return err
		}
	} else if err := result.print(os.Stdout); err != nil {
		return err
	}
	if !result.Watchable {
		return errNothingToWatch
	}
	return nil
}

func diagnose() diagnosis {
	var d diagnosis
	findings := probe.Doctor()
	for _, f := range findings {
		d.Findings = append(d.Findings, finding{f.Name, f.OK, f.Required, f.For, f.Found, f.Remedy})
	}
	// Loading is the proof. All goes away again at once.
	kernel, err := probe.Load(probe.Options{})
	if err != nil {
		d.Error = err.Error()
	} else {
		d.Watchable = true
		_ = kernel.Close()
	}
	for _, p := range probe.Catalogue {
		d.Points = append(d.Points, pointVerdict{p.Name, d.Watchable, missing(findings)})
	}
	return d
}

// missing names what is not there and must be.
func missing(findings []probe.Finding) (names []string) {
	for _, f := range findings {
		if f.Required && !f.OK {
			names = append(names, f.Name)
		}
	}
	return names
}

func (d diagnosis) print(to io.Writer) error {
	t := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CHECK\tSTATE\tNEEDED FOR\tFOUND")
	for _, f := range d.Findings {
		state := "ok"
		switch {
		case !f.OK && f.Required:
			state = "MISSING"
		case !f.OK:
			state = "missing"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\n", f.Name, state, f.For, f.Found)
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(t, "\nMEASUREMENT POINT\tSTATE\tMISSING")
	for _, p := range d.Points {
		if p.OK {
			fmt.Fprintf(t, "%s\tok\t\n", p.Name)
			continue
		}
		fmt.Fprintf(t, "%s\tMISSING\t%s\n", p.Name, strings.Join(p.Missing, ", "))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if d.Error != "" {
		fmt.Fprintf(to, "\nThe kernel did not take the programs: %s\n", d.Error)
	}
	// One remedy may be for several things.
	var remedies []string
	names := map[string][]string{}
	for _, f := range d.Findings {
		if f.OK || f.Remedy == "" {
			continue
		}
		if names[f.Remedy] == nil {
			remedies = append(remedies, f.Remedy)
		}
		names[f.Remedy] = append(names[f.Remedy], f.Name)
	}
	if remedies != nil {
		fmt.Fprintln(to, "\nRemedies")
	}
	for _, r := range remedies {
		fmt.Fprintf(to, "  %s:\n    %s\n", strings.Join(names[r], ", "), r)
	}
	return nil
}
