package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"image/png"
	"math"
	"os"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/render"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// renderCommand is gotherm-agent render.
type renderCommand struct {
	remote
	POM     string        `name:"pom" default:"sched.latency" help:"Measurement point to draw."`
	Match   []string      `sep:"none" placeholder:"DIMENSION=VALUE" help:"Draw only hits with this value, as service=shop. Of several values of one dimension each will do."`
	GroupBy []string      `placeholder:"DIMENSION" help:"Draw a plot for each value of this dimension. Each version of each service has its own in any case."`
	Last    time.Duration `placeholder:"DURATION" help:"Draw so much time until now, or until --to; 15m when nothing is said."`
	From    time.Time     `placeholder:"TIME" help:"Draw from this time on, as 2026-11-22T10:00:00Z."`
	To      time.Time     `placeholder:"TIME" help:"Draw until this time, and not until now."`
	Width   int           `default:"1200" help:"Width of the picture in pixels."`
	Height  int           `default:"600" help:"Height of the picture in pixels, in which all plots have to fit."`
	Scheme  string        `default:"${scheme}" help:"Color scheme, by its name in the panel's options."`
	Light   bool          `negatable:"dark" help:"Draw on a light background, or, as when nothing is said, on a dark one."`
	Output  string        `required:"" short:"o" placeholder:"FILE.png" help:"Where to write the picture; - for standard output."`
}

// Run asks the agent and writes the picture. Nothing is written when anything fails.
func (c *renderCommand) Run(ctx context.Context) error {
	if c.Output == "-" && term.IsTerminal(int(os.Stdout.Fd())) {
		return errors.New("--output is -, but standard output is a terminal, which shows no PNG: name a file or a pipe")
	}
	request, err := c.request(time.Now())
	if err != nil {
		return err
	}
	client, err := c.client()
	if err != nil {
		return err
	}
	answer, err := client.QueryHeat(ctx, connect.NewRequest(request))
	if err != nil {
		return fmt.Errorf("ask the agent: %w", err)
	}
	picture, err := c.picture(request, answer.Msg)
	if err != nil {
		return err
	}
	drawn, err := render.Draw(picture, c.look())
	if err != nil {
		return fmt.Errorf("draw %s, %s: %w", picture.Title, picture.Subtitle, err)
	}
	var file bytes.Buffer
	if err := png.Encode(&file, drawn); err != nil {
		return fmt.Errorf("encode the picture: %w", err)
	}
	if c.Output == "-" {
		_, err = os.Stdout.Write(file.Bytes())
	} else {
		err = os.WriteFile(c.Output, file.Bytes(), 0o644)
	}
	if err != nil {
		return fmt.Errorf("write the picture: %w", err)
	}
	return nil
}

func (c *renderCommand) look() render.Look {
	return render.Look{Scheme: c.Scheme, Light: c.Light, Width: c.Width, Height: c.Height}
}

// request checks the flags and says what to ask for, with columns of whole
// seconds and about a pixel at the least.
func (c *renderCommand) request(now time.Time) (*gothermpb.QueryHeatRequest, error) {
	if err := c.look().Check(); err != nil {
		return nil, fmt.Errorf("--%w", err)
	}
	from, to, err := c.span(now)
	if err != nil {
		return nil, err
	}
	step := time.Duration(math.Ceil(to.Sub(from).Seconds()/float64(c.Width))) * time.Second
	request := &gothermpb.QueryHeatRequest{
		Pom: c.POM, Step: durationpb.New(step), GroupBy: []string{"service", "version"},
		// Whole columns, so that the hits that are told are those that are drawn.
		Start: timestamppb.New(floorTo(from, step)), End: timestamppb.New(floorTo(to.Add(step-1), step)),
	}
	for _, d := range c.GroupBy {
		if !slices.Contains(request.GroupBy, d) {
			request.GroupBy = append(request.GroupBy, d)
		}
	}
	for _, m := range c.Match {
		dimension, value, ok := strings.Cut(m, "=")
		if !ok || dimension == "" {
			return nil, fmt.Errorf("--match is %q, must be DIMENSION=VALUE", m)
		}
		i := slices.IndexFunc(request.Matchers, func(m *gothermpb.Matcher) bool { return m.Dimension == dimension })
		if i < 0 {
			i = len(request.Matchers)
			request.Matchers = append(request.Matchers, &gothermpb.Matcher{Dimension: dimension})
		}
		request.Matchers[i].Values = append(request.Matchers[i].Values, value)
	}
	return request, nil
}

func (c *renderCommand) span(now time.Time) (from, to time.Time, err error) {
	switch {
	case c.Last < 0 || c.Last > 0 && c.Last < time.Second:
		return from, to, fmt.Errorf("--last is %s, must be at least 1s", c.Last)
	case c.Last > 0 && !c.From.IsZero():
		return from, to, errors.New("--last and --from both say where the picture begins: give one of them")
	}
	from, to = c.From, c.To
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-cmp.Or(c.Last, 15*time.Minute))
	}
	if !from.Before(to) {
		return from, to, fmt.Errorf("--from is %s, must be before --to, %s", from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	return from, to, nil
}

func floorTo(t time.Time, step time.Duration) time.Time {
	return time.Unix(0, t.UnixNano()-t.UnixNano()%int64(step)).UTC()
}

// picture makes of an answer what is to be drawn.
func (c *renderCommand) picture(request *gothermpb.QueryHeatRequest, answer *gothermpb.QueryHeatResponse) (render.Picture, error) {
	if n, most := len(answer.Series), render.MaxPlots(c.Height); n > most {
		return render.Picture{}, fmt.Errorf("there are %d series, at most %d have room in --height %d: add --match, leave out --group-by, or draw a higher picture", n, most, c.Height)
	}
	p := render.Picture{
		From: request.Start.AsTime(), To: request.End.AsTime(), Step: request.Step.AsDuration(),
		Value: valueWriter(answer.Unit), Count: humanCount,
	}
	var hits uint64
	for _, s := range answer.Series {
		var all heat.Histogram
		plot := render.Plot{}
		for _, w := range s.Columns {
			if len(w.Buckets) != len(w.Counts) || slices.ContainsFunc(w.Buckets, func(b uint32) bool { return b >= heat.NumBuckets }) {
				return p, fmt.Errorf("the agent answers a column of %d buckets and %d counts, must be as many, of buckets below %d", len(w.Buckets), len(w.Counts), heat.NumBuckets)
			}
			column := heat.Column{Start: w.Start.AsTime(), Buckets: w.Buckets, Counts: w.Counts, Sum: w.Sum, Max: w.Max}
			all.Add(column.Histogram())
			plot.Columns = append(plot.Columns, column)
		}
		plot.Caption = caption(request.GroupBy, s.Labels, &all, p.Value)
		p.Plots = append(p.Plots, plot)
		hits += all.Count()
	}
	p.Title = strings.Join(append([]string{c.POM}, c.Match...), "   ")
	const second = "2006-01-02 15:04:05"
	p.Subtitle = fmt.Sprintf("%s to %s UTC   %s hits", p.From.Format(second), p.To.Format(second), humanCount(hits))
	return p, nil
}

// caption says of a series what is in it.
func caption(groupBy []string, labels map[string]string, all *heat.Histogram, write func(float64) string) string {
	name := dash(labels["service"])
	if v := labels["version"]; v != "" {
		name += " " + v
	}
	for _, d := range groupBy[2:] {
		name += "   " + d + " " + dash(labels[d])
	}
	name += "   " + humanCount(all.Count()) + " hits"
	if write != nil && all.Count() > 0 {
		name += fmt.Sprintf("   p50 %s   p99 %s   max %s", write(all.Quantile(0.5)), write(all.Quantile(0.99)), write(float64(all.Max)))
	}
	return name
}

// valueWriter returns how values in a unit are written; nil where hits have none.
func valueWriter(unit string) func(float64) string {
	switch unit {
	case "ns":
		return humanDuration
	case "By":
		return humanBytes
	}
	return nil
}
