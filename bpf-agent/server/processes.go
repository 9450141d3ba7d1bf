package server

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// ListProcesses lists the Go processes that the agent sees, watched or refused.
func (s *Server) ListProcesses(context.Context, *connect.Request[gothermpb.ListProcessesRequest]) (*connect.Response[gothermpb.ListProcessesResponse], error) {
	hostname, err := os.Hostname()
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, fmt.Errorf("read the host's name: %w", err))
	}
	answer := &gothermpb.ListProcessesResponse{}
	for _, st := range s.Watcher.Processes() {
		p := describe(st)
		p.Hostname = hostname
		if cost, ok := s.Pacer.Of(st.Process); ok {
			p.Cost = watchingCost(cost)
		}
		answer.Processes = append(answer.Processes, p)
	}
	return connect.NewResponse(answer), nil
}

// describe is a process and what the agent does with it. One of which no point
// can be taken is not watched, though nothing may be wrong with it.
func describe(st probe.Status) *gothermpb.Process {
	p := Process(st.Process)
	refused := 0
	for _, pt := range st.Points {
		point := &gothermpb.ProcessPoint{Pom: pt.Name, State: states[pt.State], Reason: pt.Reason, Hits: pt.Hits}
		if !pt.Until.IsZero() {
			point.Until = timestamppb.New(pt.Until)
		}
		if pt.State == probe.Refused {
			refused++
		}
		p.Points = append(p.Points, point)
	}
	p.Health = &gothermpb.ProcessHealth{State: vitalities[st.Health.Vitality], Quiet: durationpb.New(st.Health.Quiet), CpuTime: durationpb.New(st.Health.Used)}
	if p.Refused == "" && refused > 0 && refused == len(st.Points) {
		p.Refused = st.Points[0].Reason
	}
	return p
}

// Process is a process as the API shows it, without what the agent does with it.
func Process(from *goproc.Process) *gothermpb.Process {
	p := &gothermpb.Process{
		Id:         from.ID,
		Pid:        uint32(from.PID),
		Executable: from.Executable,
		Service:    from.Identity.Service,
		Version:    from.Identity.Version,
		Revision:   from.Identity.Revision,
		Modified:   from.Identity.Modified,
		Started:    timestamppb.New(from.Started),
		Container:  from.Container,
		Unit:       from.Unit,
	}
	if from.Binary != nil {
		p.GoVersion = from.Binary.GoVersion
	}
	if from.Refused != nil {
		p.Refused = from.Refused.Error()
		if refusal, ok := errors.AsType[*goproc.Refusal](from.Refused); ok {
			p.Refused = refusal.Reason
		}
	}
	return p
}

var vitalities = map[probe.Vitality]gothermpb.ProcessHealth_State{
	probe.Detached: gothermpb.ProcessHealth_STATE_DETACHED,
	probe.Alive:    gothermpb.ProcessHealth_STATE_FIRING,
	probe.Idle:     gothermpb.ProcessHealth_STATE_IDLE,
	probe.Silent:   gothermpb.ProcessHealth_STATE_SILENT,
}

var states = map[probe.State]gothermpb.ProcessPoint_State{
	probe.Attached:  gothermpb.ProcessPoint_STATE_ATTACHED,
	probe.Firing:    gothermpb.ProcessPoint_STATE_FIRING,
	probe.Available: gothermpb.ProcessPoint_STATE_AVAILABLE,
	probe.Refused:   gothermpb.ProcessPoint_STATE_REFUSED,
	probe.Shed:      gothermpb.ProcessPoint_STATE_SHED,
}

// marks are what the watcher does now, for [attendance].
func (s *Server) marks() (marks []mark) {
	for _, st := range s.Watcher.Processes() {
		m := mark{key: processKey(st.Process)}
		for _, pt := range st.Points {
			if pt.State == probe.Attached || pt.State == probe.Firing {
				m.watched = append(m.watched, pt.Name)
			}
		}
		marks = append(marks, m)
	}
	return marks
}

// processKey is what all series of a process have in common.
func processKey(p *goproc.Process) heat.Key {
	return heat.Key{Process: p.ID, Service: p.Identity.Service, Version: p.Identity.Version}
}

// ListMeasurementPoints serves the catalogue.
func (s *Server) ListMeasurementPoints(context.Context, *connect.Request[gothermpb.ListMeasurementPointsRequest]) (*connect.Response[gothermpb.ListMeasurementPointsResponse], error) {
	answer := &gothermpb.ListMeasurementPointsResponse{}
	for _, p := range probe.Catalogue {
		answer.Points = append(answer.Points, &gothermpb.MeasurementPoint{
			Name: p.Name, Unit: p.Unit, Tier: p.Tier, Help: p.Help, Dimensions: p.Dimensions, OnDemand: p.OnDemand,
			Goroutines: p.Goroutines, Extra: p.Extra,
		})
	}
	for _, g := range probe.Gauges {
		answer.Points = append(answer.Points, &gothermpb.MeasurementPoint{
			Name: g.Name, Unit: g.Unit, Tier: "T0", Help: g.Help, Dimensions: heat.GaugeDimensions, Gauge: true,
		})
	}
	return connect.NewResponse(answer), nil
}

// ListDimensionValues lists what a dimension of a measurement point has been
// in a time range; without a start and an end, for as long as there is heat.
func (s *Server) ListDimensionValues(_ context.Context, req *connect.Request[gothermpb.ListDimensionValuesRequest]) (*connect.Response[gothermpb.ListDimensionValuesResponse], error) {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return nil, err
	}
	if err := dimension(p, "dimension", req.Msg.GetDimension()); err != nil {
		return nil, err
	}
	ms, err := matchers(p, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	from, to, err := spanOrAll(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	values := s.Head.Values(p.Name, req.Msg.GetDimension(), ms, from, to)
	return connect.NewResponse(&gothermpb.ListDimensionValuesResponse{Values: values}), nil
}

// RequestAttach asks to watch a costly measurement point for a while.
func (s *Server) RequestAttach(_ context.Context, req *connect.Request[gothermpb.RequestAttachRequest]) (*connect.Response[gothermpb.RequestAttachResponse], error) {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return nil, err
	}
	if !p.OnDemand {
		return nil, invalid("pom is %s, which is always watched: only points on demand can be asked for", p.Name)
	}
	who, err := matchers(probe.Point{Name: "a process", Dimensions: whoDimensions}, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	if req.Msg.GetDuration() == nil {
		return nil, invalid("duration is missing, must be over 0s and at most %s", maxAttach)
	}
	d := req.Msg.GetDuration().AsDuration()
	if err := req.Msg.GetDuration().CheckValid(); err != nil || d <= 0 || d > maxAttach {
		return nil, invalid("duration is %s, must be over 0s and at most %s", d, maxAttach)
	}
	attachments, err := s.Watcher.RequestAttach(p.Name, func(p *goproc.Process) bool { return processKey(p).Matches(who) }, d)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	// The seconds that are watched from now on count as watched at once.
	s.attendance.take(time.Now(), s.marks())
	answer := &gothermpb.RequestAttachResponse{}
	for _, a := range attachments {
		attachment := &gothermpb.Attachment{Process: a.Process.ID, Refused: a.Refused, Shed: a.Shed}
		if a.Refused == "" {
			attachment.Until = timestamppb.New(a.Until)
		}
		answer.Attachments = append(answer.Attachments, attachment)
	}
	return connect.NewResponse(answer), nil
}
