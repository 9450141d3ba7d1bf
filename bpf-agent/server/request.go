package server

import (
	"slices"
	"strings"
	"time"

	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// What requests have in common is checked here, once. A check that fails
// names the field, what was found and what may be.

// point returns the measurement point that a request is about.
func point(pom string) (probe.Point, error) {
	names := make([]string, len(probe.Catalogue))
	for i, p := range probe.Catalogue {
		if p.Name == pom {
			return p, nil
		}
		names[i] = p.Name
	}
	return probe.Point{}, invalid("pom is %q, must be one of %s", brief(pom), strings.Join(names, ", "))
}

// dimension checks one dimension of a point, found in a field.
func dimension(p probe.Point, field, d string) error {
	if !slices.Contains(p.Dimensions, d) {
		return invalid("%s is %q, must be one of the dimensions of %s: %s", field, brief(d), p.Name, strings.Join(p.Dimensions, ", "))
	}
	return nil
}

func groupBy(p probe.Point, dimensions []string) ([]string, error) {
	for i, d := range dimensions {
		if err := dimension(p, "group_by", d); err != nil {
			return nil, err
		}
		if slices.Contains(dimensions[:i], d) {
			return nil, invalid("group_by has %q twice, at most once", d)
		}
	}
	return dimensions, nil
}

func matchers(p probe.Point, from []*gothermpb.Matcher) ([]heat.Matcher, error) {
	if len(from) > maxMatchers {
		return nil, invalid("matchers has %d, at most %d", len(from), maxMatchers)
	}
	var ms []heat.Matcher
	for _, m := range from {
		if err := dimension(p, "matchers.dimension", m.GetDimension()); err != nil {
			return nil, err
		}
		if len(m.GetValues()) > maxValues {
			return nil, invalid("matchers.values of %s has %d, at most %d", m.GetDimension(), len(m.GetValues()), maxValues)
		}
		for _, v := range m.GetValues() {
			if len(v) > maxValueBytes {
				return nil, invalid("matchers.values of %s has one of %d bytes, at most %d", m.GetDimension(), len(v), maxValueBytes)
			}
		}
		ms = append(ms, heat.Matcher{Dimension: m.GetDimension(), Values: m.GetValues()})
	}
	return ms, nil
}

// instant returns a time that must be there.
func instant(field string, t *timestamppb.Timestamp) (time.Time, error) {
	if t == nil {
		return time.Time{}, invalid("%s is missing, must be a time such as 2026-11-22T12:00:00Z", field)
	}
	if err := t.CheckValid(); err != nil {
		return time.Time{}, invalid("%s is not a time: %w", field, err)
	}
	return t.AsTime(), nil
}

// span returns the range of a request.
func span(start, end *timestamppb.Timestamp) (from, to time.Time, err error) {
	if from, err = instant("start", start); err != nil {
		return from, to, err
	}
	if to, err = instant("end", end); err != nil {
		return from, to, err
	}
	if !from.Before(to) {
		return from, to, invalid("end is %s, must be after start, %s", to.Format(time.RFC3339), from.Format(time.RFC3339))
	}
	if r := to.Sub(from); r > maxRange {
		return from, to, invalid("range is %s, at most %s", spell(r), spell(maxRange))
	}
	return from, to, nil
}

// spanOrAll is [span] where a missing start or end stands for all there is.
func spanOrAll(start, end *timestamppb.Timestamp) (from, to time.Time, err error) {
	now := time.Now()
	if start == nil && end == nil {
		return now.Add(-maxRange), now.Add(time.Minute), nil
	}
	if end == nil {
		end = timestamppb.New(now)
	}
	if start == nil {
		start = timestamppb.New(end.AsTime().Add(-maxRange))
	}
	return span(start, end)
}

// step returns the width of columns.
func step(d *durationpb.Duration) (time.Duration, error) {
	if d == nil {
		return 0, invalid("step is missing, must be a whole number of seconds, at least 1s")
	}
	if err := d.CheckValid(); err != nil {
		return 0, invalid("step is not a duration: %w", err)
	}
	s := d.AsDuration()
	if s < time.Second || s%time.Second != 0 {
		return 0, invalid("step is %s, must be a whole number of seconds, at least 1s", s)
	}
	if s > maxRange {
		return 0, invalid("step is %s, at most %s", spell(s), spell(maxRange))
	}
	return s, nil
}

// heatRequest is what QueryHeat and QuerySeries, and their requests, have in common.
type heatRequest interface {
	GetPom() string
	GetMatchers() []*gothermpb.Matcher
	GetStart() *timestamppb.Timestamp
	GetEnd() *timestamppb.Timestamp
	GetStep() *durationpb.Duration
	GetGroupBy() []string
}

// heatQuery checks a request and returns it as the head understands it.
func heatQuery(m heatRequest) (p probe.Point, r heat.Request, err error) {
	if p, err = point(m.GetPom()); err != nil {
		return p, r, err
	}
	r.POM = p.Name
	if r.Matchers, err = matchers(p, m.GetMatchers()); err != nil {
		return p, r, err
	}
	if r.GroupBy, err = groupBy(p, m.GetGroupBy()); err != nil {
		return p, r, err
	}
	if r.From, r.To, err = span(m.GetStart(), m.GetEnd()); err != nil {
		return p, r, err
	}
	if r.Step, err = step(m.GetStep()); err != nil {
		return p, r, err
	}
	// Columns begin at multiples of the step: the range touches one more than it is long.
	r.From = floor(r.From, r.Step)
	if to := floor(r.To, r.Step); to.Before(r.To) {
		r.To = to.Add(r.Step)
	}
	if n := r.To.Sub(r.From) / r.Step; n > maxColumns {
		return p, r, invalid("range %s in steps of %s is %d columns, at most %d: ask for a longer step", spell(r.To.Sub(r.From)), r.Step, n, maxColumns)
	}
	return p, r, nil
}

// floor returns the last multiple of step since the epoch that is not after t.
func floor(t time.Time, step time.Duration) time.Time {
	s := int64(step / time.Second)
	n := t.Unix()
	return time.Unix(n-((n%s)+s)%s, 0).UTC()
}

// brief shortens what a client sent to what an error can well repeat.
func brief(s string) string {
	const most = 64
	if len(s) <= most {
		return s
	}
	return strings.ToValidUTF8(s[:most], "") + "…"
}
