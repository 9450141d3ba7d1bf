package server

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/ingest"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// maxNamed is how many goroutines of a cell are named.
const maxNamed = 4

// QueryGrid returns the goroutine grid: heat by the hash of the goroutine id.
// The grids of several processes lie over one another.
func (s *Server) QueryGrid(_ context.Context, req *connect.Request[gothermpb.QueryGridRequest]) (*connect.Response[gothermpb.QueryGridResponse], error) {
	p, err := point(req.Msg.GetPom())
	if err != nil {
		return nil, err
	}
	if !p.Goroutines {
		return nil, invalid("pom is %s, which has no goroutine grid: its events name no goroutine", p.Name)
	}
	who, err := matchers(probe.Point{Name: "a process", Dimensions: whoDimensions}, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	from, to, err := span(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	side := int(req.Msg.GetSide())
	switch side {
	case 0:
		side = chooseSide(p.Name, to.Sub(from))
	case 256, 512, 1024:
	default:
		return nil, invalid("side is %d, must be 256, 512 or 1024, or 0 to let the agent choose", side)
	}
	grids, err := s.Ingest.Cells(p.Name, func(p *goproc.Process) bool { return processKey(p).Matches(who) }, from, to, side)
	if err != nil {
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	answer := overlay(grids)
	if n := len(answer.Cells); n > maxGridCells {
		return nil, tooMuch("the grid has %d cells, at most %d: ask for a smaller side, a shorter range or fewer processes", n, maxGridCells)
	}
	answer.Side, answer.Unit = uint32(side), p.Unit
	return connect.NewResponse(answer), nil
}

// chooseSide makes the grid coarse for an overview, and fine for a close look:
// the longer the range, the more goroutines lie in a cell. The garbage
// collector's points are hit by few goroutines, whom a finer grid tells apart.
func chooseSide(pom string, length time.Duration) int {
	side := 256
	switch {
	case length <= time.Minute:
		side = 1024
	case length <= 10*time.Minute:
		side = 512
	}
	if strings.HasPrefix(pom, "gc.") {
		side = min(2*side, heat.GridSide)
	}
	return side
}

// overlay adds up the grids of processes, row by row.
func overlay(grids []ingest.Grid) *gothermpb.QueryGridResponse {
	answer := &gothermpb.QueryGridResponse{}
	index := map[[2]uint32]*gothermpb.GridCell{}
	for _, g := range grids {
		answer.Carried += g.Carried
		answer.Hits += g.Hits
		for _, c := range g.Cells {
			cell := index[[2]uint32{c.X, c.Y}]
			if cell == nil {
				cell = &gothermpb.GridCell{X: c.X, Y: c.Y}
				index[[2]uint32{c.X, c.Y}] = cell
				answer.Cells = append(answer.Cells, cell)
			}
			cell.Count += c.Count
			cell.Sum += c.Sum
			for _, who := range c.Hottest {
				cell.Goroutines = append(cell.Goroutines, &gothermpb.GridGoroutine{
					Goid: who.ID, StartFunction: who.StartFunction, Label: who.Label, Process: g.Process.ID, Count: who.Count,
				})
			}
		}
	}
	for _, c := range answer.Cells {
		slices.SortStableFunc(c.Goroutines, func(a, b *gothermpb.GridGoroutine) int { return cmp.Compare(b.Count, a.Count) })
		c.Goroutines = c.Goroutines[:min(len(c.Goroutines), maxNamed)]
	}
	slices.SortFunc(answer.Cells, func(a, b *gothermpb.GridCell) int {
		return cmp.Or(cmp.Compare(a.Y, b.Y), cmp.Compare(a.X, b.X))
	})
	return answer
}
