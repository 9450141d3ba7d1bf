// Command cataloguedoc prints the catalogue of measurement points as Markdown,
// for docs/measurement-points.md.
package main

import (
	"fmt"
	"strings"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

var siteNames = map[goproc.SiteKind]string{
	goproc.SitePush:   "after the stack check",
	goproc.SiteBranch: "at the stack check's branch",
	goproc.SiteReturn: "at each return",
}

func main() {
	fmt.Print(`# Measurement points

Generated from bpf-agent/probe/catalogue.go by "go tool mage generate".

A measurement point (POM) is a place in a program's life where a duration or a count is taken. Its tier says what
watching costs: T1 a few hits for each garbage collection, T2 sampled, T3 one for each event, and so only on demand and
for a limited time. Durations are in nanoseconds on the API and in seconds in Grafana and on /metrics.
`)
	for _, p := range probe.Catalogue {
		fmt.Printf("\n## %s\n\n%s\n\n", p.Name, p.Help)
		unit := map[string]string{"ns": "duration", "By": "bytes", "1": "count"}[p.Unit]
		watched := "always"
		if p.OnDemand {
			watched = fmt.Sprintf("on demand, for at most %s at a time", probe.MaxAttach)
		}
		fmt.Printf("- unit: %s\n- tier: %s\n- watched: %s\n- split by: %s\n", unit, p.Tier, watched, strings.Join(p.Dimensions, ", "))
		if p.Goroutines {
			fmt.Println("- goroutine grid: yes")
		}
		for _, probe := range p.Probes {
			if probe.Function == "" {
				fmt.Printf("- probe: %s, in the kernel\n", probe.Program)
				continue
			}
			if probe.Changes != nil {
				fmt.Printf("- probe: calls of `%s`, %s\n", probe.Function, changes(probe.Changes))
				continue
			}
			fmt.Printf("- probe: `%s`, %s\n", probe.Function, siteNames[probe.Kind])
		}
	}
}

// changes says which changes of a goroutine's status a probe is on.
func changes(all []probe.Change) string {
	var texts []string
	for _, c := range all {
		text := fmt.Sprintf("from %v to %v", c.From, c.To)
		if c.By != nil {
			text += " by `" + strings.Join(c.By, "`, `") + "`"
		}
		texts = append(texts, text)
	}
	return strings.Join(texts, "; ")
}
