package datasource

import (
	"errors"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What agents send is checked here before it is believed. A break of the API's
// promises is garbage: an error that names the agent.

// errSchema is of buckets that can't be added to ours.
var errSchema = errors.New("another schema")

// readHeat reads an answer to QueryHeat for the columns in [from, to).
func readHeat(answer *pb.QueryHeatResponse, from, to time.Time, step time.Duration) ([]heat.Series, error) {
	if answer.Schema != heat.Schema {
		return nil, garbagef("%w: buckets are of schema %d, must be %d", errSchema, answer.Schema, heat.Schema)
	}
	if got := answer.Step.AsDuration(); got != step {
		return nil, garbagef("columns are %s wide, asked for %s", got, step)
	}
	return readSeries(answer.Series, answer.Unit, from, to, step)
}

func readSeries(wire []*pb.HeatSeries, unit string, from, to time.Time, step time.Duration) ([]heat.Series, error) {
	if err := checkUnit(unit); err != nil {
		return nil, err
	}
	result := make([]heat.Series, len(wire))
	for i, s := range wire {
		result[i].Labels = s.Labels
		var last time.Time
		for _, c := range s.Columns {
			column, err := readColumn(c)
			if err != nil {
				return nil, err
			}
			if err := checkStart(column.Start, last, from, to, step); err != nil {
				return nil, err
			}
			last = column.Start
			result[i].Columns = append(result[i].Columns, column)
		}
	}
	return result, nil
}

func checkUnit(unit string) error {
	if !slices.Contains(frames.Units, unit) {
		return garbagef("unit is %q, must be one of %s", unit, strings.Join(frames.Units, ", "))
	}
	return nil
}

func checkStart(at, last, from, to time.Time, step time.Duration) error {
	if !floor(at, step).Equal(at) || at.Before(from) || !at.Before(to) || !at.After(last) {
		return garbagef("a column starts at %s, must ascend in steps of %s from %s up to %s", clock(at), step, clock(from), clock(to))
	}
	return nil
}

// readZeros reads an answer to QuerySeries for counts: a column without
// buckets for each that is zero.
func readZeros(answer *pb.QuerySeriesResponse, from, to time.Time, step time.Duration) ([]heat.Series, error) {
	result := make([]heat.Series, len(answer.Series))
	for i, s := range answer.Series {
		result[i].Labels = s.Labels
		var last time.Time
		for _, p := range s.Points {
			at := p.Time.AsTime()
			if err := checkStart(at, last, from, to, step); err != nil {
				return nil, err
			}
			last = at
			if p.Value == 0 {
				result[i].Columns = append(result[i].Columns, heat.Column{Start: at})
			}
		}
	}
	return result, nil
}

func readColumn(c *pb.HeatColumn) (heat.Column, error) {
	if len(c.Buckets) != len(c.Counts) {
		return heat.Column{}, garbagef("a column has %d buckets and %d counts", len(c.Buckets), len(c.Counts))
	}
	for i, b := range c.Buckets {
		if b >= heat.NumBuckets || i > 0 && b <= c.Buckets[i-1] {
			return heat.Column{}, garbagef("a column has bucket %d, must ascend and be under %d", b, heat.NumBuckets)
		}
	}
	return heat.Column{Start: c.Start.AsTime(), Buckets: c.Buckets, Counts: c.Counts, Sum: c.Sum, Max: c.Max}, nil
}

// readGauges reads an answer to QueryGauges for the columns in [from, to).
func readGauges(answer *pb.QueryGaugesResponse, from, to time.Time, step time.Duration) ([]frames.Gauge, error) {
	if err := checkUnit(answer.Unit); err != nil {
		return nil, err
	}
	result := make([]frames.Gauge, len(answer.Series))
	for i, s := range answer.Series {
		result[i].Labels = s.Labels
		var last time.Time
		for _, p := range s.Points {
			at := p.Start.AsTime()
			if err := checkStart(at, last, from, to, step); err != nil {
				return nil, err
			}
			last = at
			if p.N == 0 {
				return nil, garbagef("a gauge has a point at %s of no values", clock(at))
			}
			for _, v := range []float64{p.Sum, p.Min, p.Max, p.Last} {
				if math.IsNaN(v) || math.IsInf(v, 0) {
					return nil, garbagef("a gauge is %g at %s", v, clock(at))
				}
			}
			result[i].Points = append(result[i].Points, heat.GaugePoint{Start: at, N: p.N, Sum: p.Sum, Min: p.Min, Max: p.Max, Last: p.Last})
		}
	}
	return result, nil
}

// checkExemplars checks an answer to QueryExemplars.
func checkExemplars(answer *pb.QueryExemplarsResponse) error {
	if err := checkUnit(answer.Unit); err != nil {
		return err
	}
	for _, e := range answer.Exemplars {
		if e.Time == nil || !e.Time.IsValid() {
			return garbagef("an exemplar of %d %s has no time", e.Value, answer.Unit)
		}
	}
	return nil
}

// checkEvents checks a batch of WatchEvents.
func checkEvents(b *pb.WatchEventsResponse) error {
	if err := checkUnit(b.Unit); err != nil {
		return err
	}
	if n := uint64(len(b.Events)); n != b.Carried || n > b.Hits {
		return garbagef("a batch has %d events, says %d, of %d hits", n, b.Carried, b.Hits)
	}
	for _, e := range b.Events {
		if e.Time == nil || !e.Time.IsValid() {
			return garbagef("an event of %d %s has no time", e.Value, b.Unit)
		}
		if int(e.Series) >= len(b.Series) {
			return garbagef("an event is of series %d, there are %d", e.Series, len(b.Series))
		}
	}
	return nil
}

// checkGrid checks an answer to QueryGrid.
func checkGrid(g *pb.QueryGridResponse) error {
	if g.Side != 256 && g.Side != 512 && g.Side != 1024 {
		return garbagef("grid has side %d, must be 256, 512 or 1024", g.Side)
	}
	if err := checkUnit(g.Unit); err != nil {
		return err
	}
	for _, c := range g.Cells {
		if c.X >= g.Side || c.Y >= g.Side {
			return garbagef("grid has cell (%d, %d) on a side of %d", c.X, c.Y, g.Side)
		}
	}
	return nil
}

// checkReleases checks an answer to ListReleases.
func checkReleases(releases []*pb.Release) error {
	for _, r := range releases {
		if r.FirstSeen == nil || !r.FirstSeen.IsValid() {
			return garbagef("release %s %s has no time at which it was first seen", r.Service, r.Version)
		}
	}
	return nil
}

func clock(t time.Time) string { return t.UTC().Format(time.RFC3339) }
