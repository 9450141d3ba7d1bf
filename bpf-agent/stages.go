package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"text/tabwriter"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
)

// stagesCommand is gotherm-agent stages.
type stagesCommand struct {
	PID     int    `name:"pid" xor:"from" required:"" placeholder:"PID" help:"Process that serves net/http/pprof: its listening sockets are asked for it."`
	URL     string `name:"url" xor:"from" required:"" placeholder:"URL" help:"Index page of net/http/pprof, as http://127.0.0.1:6060/debug/pprof/."`
	Trace   string `xor:"from" required:"" type:"path" placeholder:"FILE" help:"Execution trace, or flight recording, of Go 1.22 or later."`
	Profile string `type:"path" placeholder:"FILE" help:"CPU profile taken at the same time as --trace, to check its samples against."`
	Seconds int    `default:"10" help:"For how long to collect from --pid or --url."`
	Output  string `short:"o" placeholder:"FILE.json" help:"Write what was found, over time as well, as the data frames that Grafana gets, in JSON; - for standard output, without the table."`
}

const maxStagesSeconds = 300

func (c *stagesCommand) Run(ctx context.Context) error {
	report, matches, err := c.collect(ctx)
	if err != nil {
		return err
	}
	if c.Output != "-" {
		if err := printStages(os.Stdout, report, matches); err != nil {
			return err
		}
	}
	if c.Output == "" {
		return nil
	}
	encoded, err := json.MarshalIndent(c.frames(report), "", "  ")
	if err != nil {
		return fmt.Errorf("encode stages: %w", err)
	}
	encoded = append(encoded, '\n')
	if c.Output == "-" {
		_, err = os.Stdout.Write(encoded)
	} else {
		err = os.WriteFile(c.Output, encoded, 0o644)
	}
	if err != nil {
		return fmt.Errorf("write stages: %w", err)
	}
	return nil
}

// frames are what the data source sends of a report.
func (c *stagesCommand) frames(r *stages.Report) []stages.Frame {
	of := cmp.Or(c.Trace, c.URL)
	if of == "" {
		of = fmt.Sprintf("process %d", c.PID)
	}
	about := stages.About{Of: of}
	from := r.Began.Truncate(time.Millisecond)
	to := from.Add(time.Duration(len(r.Columns)) * r.Width)
	heat, allocated := stages.Heat(about, []stages.Dated{{From: from, Report: r}}, from, to, r.Width)
	return []stages.Frame{stages.Table(about, r), heat, allocated}
}

// collect makes the report, and says what a CPU profile has to say of it.
func (c *stagesCommand) collect(ctx context.Context) (*stages.Report, []stages.Match, error) {
	if c.Trace != "" {
		return readStages(c.Trace, c.Profile)
	}
	if c.Profile != "" {
		return nil, nil, errors.New("--profile is of a --trace: from --pid and --url both are collected")
	}
	if c.Seconds < 1 || c.Seconds > maxStagesSeconds {
		return nil, nil, fmt.Errorf("--seconds is %d, must be from 1 to %d", c.Seconds, maxStagesSeconds)
	}
	index := c.URL
	if index == "" {
		var err error
		if index, err = collect.Find(ctx, c.PID); err != nil {
			return nil, nil, fmt.Errorf("find net/http/pprof: %w: name it with --url", err)
		}
	}
	target, err := profile.NewTarget(index, &http.Client{})
	if err != nil {
		return nil, nil, err
	}
	defer target.Close()
	say("collect an execution trace and a CPU profile from %s for %d s", index, c.Seconds)
	var report *stages.Report
	traced, err := target.Trace(ctx, profile.TraceRequest{Seconds: c.Seconds, Patience: profile.Patience}, profile.Usual.Packed, func(trace io.Reader) (err error) {
		report, err = stages.Fuse(trace, stages.DefaultLimits())
		return err
	})
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", index, err)
	}
	if report.Began.IsZero() {
		report.Began = traced.From
	}
	if traced.Refused != nil {
		say("no CPU profile could be taken, so samples are those of somebody else's, if any: %s %v", index, traced.Refused)
		return report, nil, nil
	}
	cpu, err := profile.Parse(bytes.NewReader(traced.CPU), profile.Usual)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: CPU profile: %w", index, err)
	}
	matches, err := report.Check(cpu)
	return report, matches, err
}

// readStages reads files.
func readStages(trace, cpu string) (*stages.Report, []stages.Match, error) {
	f, err := os.Open(trace)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	report, err := stages.Fuse(bufio.NewReaderSize(f, 1<<20), stages.DefaultLimits())
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", trace, err)
	}
	if report.Began.IsZero() {
		// Older than Go 1.25, it doesn't say: it was written as it came.
		info, err := f.Stat()
		if err != nil {
			return nil, nil, err
		}
		report.Began = info.ModTime().Add(-report.Length)
	}
	if cpu == "" {
		return report, nil, nil
	}
	p, err := os.Open(cpu)
	if err != nil {
		return nil, nil, err
	}
	defer p.Close()
	parsed, err := profile.Parse(p, profile.Usual)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", cpu, err)
	}
	matches, err := report.Check(parsed)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", cpu, err)
	}
	return report, matches, nil
}

// say tells what is being done, beside the output.
func say(format string, a ...any) { fmt.Fprintf(os.Stderr, format+"\n", a...) }

// printStages prints the table, what stands out, and what the table rests on.
func printStages(w io.Writer, r *stages.Report, matches []stages.Match) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "stage\tCPU %\talloc MB/s\tGC/s\tgoroutines\ttimes\tp50\tp99\t")
	for _, s := range r.Stages {
		cpu := "-"
		if share, ok := r.CPUShare(s.Usage, r.Total); ok {
			cpu = fmt.Sprintf("%.1f", 100*share)
		}
		p50, p99 := "-", "-"
		if s.N > 0 {
			p50, p99 = short(s.P50), short(s.P99)
		}
		fmt.Fprintf(t, "%s\t%s\t%.2f\t%.2f\t%d\t%d\t%s\t%s\t\n",
			s.Shown(), cpu, r.PerSecond(s.Allocated)/1e6, r.PerSecond(s.Collections), s.Goroutines, s.N, p50, p99)
	}
	if err := t.Flush(); err != nil {
		return fmt.Errorf("print stages: %w", err)
	}
	for _, s := range r.Stages {
		for _, p := range s.Partitions {
			if p.Outlier {
				fmt.Fprintf(w, "%s %s took %.1f times as long as the median of %d partitions\n", s.Name, p.Name, p.Times, len(s.Partitions))
			}
		}
	}
	fmt.Fprintf(w, "%s, %d events, %d samples of the CPU, %d collections\n", short(r.Length), r.Events, r.Total.Samples, r.Total.Collections)
	if r.Total.Samples == 0 {
		fmt.Fprintln(w, "No CPU time is known: a trace has samples of the CPU when a CPU profile is taken at the same time.")
	}
	if matches != nil {
		fmt.Fprintf(w, "The CPU profile's labels agree on the stage of %.1f %% of samples.\n", 100*stages.Agreement(matches))
		for _, m := range matches {
			if m.Profile > m.Trace {
				fmt.Fprintf(w, "%s has %d samples in the profile and %d in the trace: it was begun before the trace, perhaps\n", m.Stage, m.Profile, m.Trace)
			}
		}
	}
	return nil
}

// short is a duration of three digits or so.
func short(d time.Duration) string {
	unit := time.Nanosecond
	for d/unit >= 1000 {
		unit *= 10
	}
	return d.Round(unit).String()
}
