package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"connectrpc.com/connect"
	"golang.org/x/term"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/pacer"
	"github.com/gotherm/gotherm/pkg/gothermpb"
)

// topCommand is gotherm-agent top.
type topCommand struct {
	selection
	remote
	POM     string        `name:"pom" default:"sched.latency" help:"Measurement point to begin with."`
	Process string        `placeholder:"ID" help:"Process to begin with: its pid, its id or its service. Without one, that with the most hits."`
	For     time.Duration `placeholder:"DURATION" help:"Stop after this long. Where the output is no terminal, look for this long, 10s by default, and print one picture."`
}

// source is who top asks: a remote agent, or the one in this process.
type source interface {
	ListMeasurementPoints(context.Context, *connect.Request[gothermpb.ListMeasurementPointsRequest]) (*connect.Response[gothermpb.ListMeasurementPointsResponse], error)
	ListProcesses(context.Context, *connect.Request[gothermpb.ListProcessesRequest]) (*connect.Response[gothermpb.ListProcessesResponse], error)
	QueryHeat(context.Context, *connect.Request[gothermpb.QueryHeatRequest]) (*connect.Response[gothermpb.QueryHeatResponse], error)
	RequestAttach(context.Context, *connect.Request[gothermpb.RequestAttachRequest]) (*connect.Response[gothermpb.RequestAttachResponse], error)
}

func (c *topCommand) Run(ctx context.Context, log *slog.Logger) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	client, err := c.client()
	if err != nil {
		return err
	}
	t := &top{source: client, process: c.Process}
	err = t.begin(ctx, c.POM)
	if connect.CodeOf(err) != connect.CodeUnavailable || c.Agent != "" {
		if err != nil {
			return fmt.Errorf("ask the agent: %w", err)
		}
		return t.show(ctx, c.For)
	}
	// Nobody answers: watch from here. What is logged would be drawn over.
	var said strings.Builder
	own, err := newAgent(c.selection, pacer.DefaultBudget, "", slog.New(slog.NewTextHandler(&said, nil)))
	if err != nil {
		return err
	}
	done := make(chan error, 1)
	go func() { done <- own.run(ctx, nil) }()
	t.source = own.server
	err = t.begin(ctx, c.POM)
	if err == nil {
		err = t.show(ctx, c.For)
	}
	stop()
	err = errors.Join(err, <-done)
	fmt.Fprint(os.Stderr, said.String())
	return err
}

// top is what is being looked at.
type top struct {
	source    source
	points    []*gothermpb.MeasurementPoint
	point     int
	processes []*gothermpb.Process
	// process is the id of the one looked at, or what the user calls it until it is seen.
	process string
	scale   scale
	// asked is until when an attachment on demand was asked for, and refused what was answered.
	asked   time.Time
	refused string
}

// begin reads the catalogue and finds the measurement point to begin with.
func (t *top) begin(ctx context.Context, pom string) error {
	response, err := t.source.ListMeasurementPoints(ctx, connect.NewRequest(&gothermpb.ListMeasurementPointsRequest{}))
	if err != nil {
		return err
	}
	t.points = response.Msg.Points
	t.point = slices.IndexFunc(t.points, func(p *gothermpb.MeasurementPoint) bool { return p.Name == pom })
	if t.point < 0 {
		var names []string
		for _, p := range t.points {
			names = append(names, p.Name)
		}
		return fmt.Errorf("--pom is %q, must be one of %s", pom, strings.Join(names, ", "))
	}
	return nil
}

// show draws until the time is over or the user has had enough.
func (t *top) show(ctx context.Context, length time.Duration) error {
	out := int(os.Stdout.Fd())
	if !term.IsTerminal(out) {
		return t.showOnce(ctx, length)
	}
	if length > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, length)
		defer cancel()
	}
	keys := make(chan byte)
	if in := int(os.Stdin.Fd()); term.IsTerminal(in) {
		old, err := term.MakeRaw(in)
		if err != nil {
			return fmt.Errorf("read keys: %w", err)
		}
		defer term.Restore(in, old)
		go func() {
			buffer := make([]byte, 1)
			for {
				if n, err := os.Stdin.Read(buffer); err != nil || n == 0 {
					return
				}
				select {
				case keys <- buffer[0]:
				case <-ctx.Done():
					return
				}
			}
		}()
	}
	resized := make(chan os.Signal, 1)
	signal.Notify(resized, syscall.SIGWINCH)
	defer signal.Stop(resized)

	// The other screen, without a cursor; and back.
	fmt.Print("\x1b[?1049h\x1b[?25l")
	defer fmt.Print("\x1b[0m\x1b[?25h\x1b[?1049l")
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		width, height, err := term.GetSize(out)
		if err != nil {
			return fmt.Errorf("size of the terminal: %w", err)
		}
		lines, err := t.look(ctx, time.Now(), width, height, terminalColours())
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			lines = []string{clip("the agent does not answer: "+err.Error(), width), "q quit"}
		}
		lines = lines[:min(len(lines), height)]
		fmt.Print("\x1b[H" + strings.Join(lines, "\x1b[K\r\n") + "\x1b[K\x1b[J")
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-resized:
		case key := <-keys:
			if !t.press(key) {
				return nil
			}
		}
	}
}

// showOnce prints one picture, for a pipe or a file.
func (t *top) showOnce(ctx context.Context, length time.Duration) error {
	if length == 0 {
		length = 10 * time.Second
	}
	const width, height = 100, 30
	until := time.After(length)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		// Looking also asks for what is watched on demand.
		lines, err := t.look(ctx, time.Now(), width, height, plain)
		if err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-until:
			_, err := fmt.Println(strings.Join(lines, "\n"))
			return err
		}
	}
}

// press does what a key says; false is the end.
func (t *top) press(key byte) bool {
	const interrupt = 3 // what Ctrl-C is to a raw terminal
	switch key {
	case 'q', 'Q', interrupt:
		return false
	case 'p':
		t.point = (t.point + 1) % len(t.points)
		t.forget()
	case 'n':
		watched := t.watched()
		if len(watched) == 0 {
			break
		}
		i := slices.IndexFunc(watched, func(p *gothermpb.Process) bool { return p.Id == t.process })
		t.process = watched[(i+1)%len(watched)].Id
		t.forget()
	}
	return true
}

// forget drops what was learnt of another point or process.
func (t *top) forget() { t.scale, t.asked, t.refused = scale{}, time.Time{}, "" }

// look asks for what there is to see now, and draws it.
func (t *top) look(ctx context.Context, now time.Time, width, height int, c colours) ([]string, error) {
	response, err := t.source.ListProcesses(ctx, connect.NewRequest(&gothermpb.ListProcessesRequest{}))
	if err != nil {
		return nil, err
	}
	t.processes = response.Msg.Processes
	point := t.points[t.point]
	v := view{
		point: point, process: t.choose(point.Name), now: now.Truncate(time.Second), scale: &t.scale,
		lines: linesFor(height), width: width,
	}
	if v.process == nil {
		return t.nobody(width), nil
	}
	if point.OnDemand {
		if err := t.attach(ctx, now, point.Name, v.process.Id); err != nil {
			return nil, err
		}
	}
	request := &gothermpb.QueryHeatRequest{
		Pom:      point.Name,
		Matchers: []*gothermpb.Matcher{{Dimension: "process", Values: []string{v.process.Id}}},
		Start:    timestamppb.New(v.from()), End: timestamppb.New(v.now),
		Step: durationpb.New(time.Second),
	}
	if v.counts() {
		request.GroupBy = []string{"function"}
	}
	heat, err := t.source.QueryHeat(ctx, connect.NewRequest(request))
	if err != nil {
		return nil, err
	}
	v.series = heat.Msg.Series
	v.note = t.note(v.process, point.Name)
	return v.picture(c).draw(width, c), nil
}

// attach asks for a point on demand, for a little longer than it takes to ask again.
func (t *top) attach(ctx context.Context, now time.Time, pom, process string) error {
	const ahead, length = 5 * time.Second, 15 * time.Second
	if t.asked.Sub(now) > ahead {
		return nil
	}
	response, err := t.source.RequestAttach(ctx, connect.NewRequest(&gothermpb.RequestAttachRequest{
		Pom: pom, Duration: durationpb.New(length),
		Matchers: []*gothermpb.Matcher{{Dimension: "process", Values: []string{process}}},
	}))
	if err != nil {
		return err
	}
	t.asked, t.refused = now.Add(length), ""
	for _, a := range response.Msg.Attachments {
		t.refused = a.Refused
	}
	return nil
}

// note says why there may be nothing to see.
func (t *top) note(p *gothermpb.Process, pom string) string {
	if t.refused != "" {
		return "refused: " + t.refused
	}
	for _, pt := range p.Points {
		switch {
		case pt.Pom != pom:
		case pt.State == gothermpb.ProcessPoint_STATE_REFUSED:
			return "refused: " + pt.Reason
		case pt.State == gothermpb.ProcessPoint_STATE_SHED:
			return "shed: " + pt.Reason
		}
	}
	return ""
}

// watched are the processes that can be looked at, by pid.
func (t *top) watched() []*gothermpb.Process {
	return slices.DeleteFunc(slices.Clone(t.processes), func(p *gothermpb.Process) bool { return p.Refused != "" })
}

// choose returns the process to look at, nil when there is none.
func (t *top) choose(pom string) *gothermpb.Process {
	var chosen *gothermpb.Process
	var most uint64
	for _, p := range t.watched() {
		if t.process != "" && (t.process == p.Id || t.process == fmt.Sprint(p.Pid) || t.process == p.Service) {
			chosen = p
			break
		}
		for _, pt := range p.Points {
			if t.process == "" && pt.Pom == pom && (chosen == nil || pt.Hits > most) {
				chosen, most = p, pt.Hits
			}
		}
	}
	if chosen != nil && most > 0 {
		t.process = chosen.Id // and stay with it
	}
	return chosen
}

// nobody says why there is no process to look at.
func (t *top) nobody(width int) []string {
	lines := []string{"no Go process that can be watched is seen"}
	if t.process != "" {
		lines[0] = fmt.Sprintf("no Go process %q that can be watched is seen", t.process)
	}
	for _, p := range t.processes[:min(len(t.processes), 10)] {
		lines = append(lines, clip(fmt.Sprintf("  %d %s: %s", p.Pid, p.Service, p.Refused), width))
	}
	return append(lines, "q quit")
}
