package datasource

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strings"
	"time"

	pprof "github.com/google/pprof/profile"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	querierv1 "github.com/grafana/pyroscope/api/gen/proto/go/querier/v1"
	"golang.org/x/sync/errgroup"
)

// Profiles that Pyroscope keeps. It adds up all of a service in a range, and
// does so itself; labels of samples are labels of series there, so they are
// selected there too, and all else is done here, as with other profiles.

// storedType is a type as Pyroscope tells them apart: each of the values that a
// profile has is a type of its own, name:value:unit:period type:period unit.
type storedType struct{ id, name, sampleType, unit string }

func readStoredType(id string) (storedType, error) {
	parts := strings.Split(id, ":")
	// Those of a difference have a sixth part.
	if len(parts) < 5 || len(parts) > 6 || parts[0] == "" || parts[1] == "" {
		return storedType{}, fmt.Errorf("profile type %q, must be name:value:unit:period type:period unit", id)
	}
	return storedType{id: id, name: parts[0], sampleType: parts[1], unit: parts[2]}, nil
}

// isSnapshot says that profiles say what there is, and not what there was since the one before.
func (t storedType) isSnapshot() bool {
	return strings.HasPrefix(t.sampleType, "inuse_") || slices.Contains([]string{"goroutine", "goroutines", "goroutineleak", "threadcreate"}, t.name)
}

// storedNames are what those who push to Pyroscope call Go's profiles: its own
// SDK and Alloy. All others keep their names.
var storedNames = map[string][]string{
	profile.CPU: {"process_cpu"}, "heap": {"memory"}, "allocs": {"memory"}, "goroutine": {"goroutine", "goroutines"},
}

// usualValues are the values that are shown where a query names none, as go tool pprof has it.
var usualValues = map[string]string{profile.CPU: "cpu", "heap": "inuse_space", "allocs": "alloc_space", "mutex": "delay", "block": "delay"}

// chooseStored returns which of the types that there are is meant. An error names the field.
func (s profileSide) chooseStored(types []storedType) (storedType, error) {
	names := storedNames[s.Type]
	if names == nil {
		names = []string{s.Type}
	}
	var all, values []string
	var alike []storedType
	for _, t := range types {
		all = append(all, t.id)
		if t.id == s.Type || slices.Contains(names, t.name) {
			alike = append(alike, t)
			values = append(values, t.sampleType)
		}
	}
	switch {
	case len(types) == 0:
		return storedType{}, fmt.Errorf("profile.service is %q, of which there is nothing from %s to %s", s.Service, clock(s.from), clock(s.to))
	case len(alike) == 0:
		return storedType{}, fmt.Errorf("profile.type is %q, which there is none of from %s to %s; of service %s there is %s",
			s.Type, clock(s.from), clock(s.to), s.Service, strings.Join(all, ", "))
	}
	value := cmp.Or(s.SampleType, usualValues[s.Type])
	if value == "" && len(alike) == 1 {
		return alike[0], nil
	}
	for _, t := range alike {
		if t.sampleType == value {
			return t, nil
		}
	}
	return storedType{}, fmt.Errorf("profile.sampleType is %q, must be one of %s", s.SampleType, strings.Join(values, ", "))
}

// labelName is what Pyroscope calls labels: it writes _ for all other characters.
var labelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

// readStored reads what is wanted of what Pyroscope keeps.
func (s *profileSide) readStored(field string, r request) (err error) {
	if s.stored == nil {
		return errNoPyroscope
	}
	if err := s.readRange(field, r); err != nil {
		return err
	}
	switch {
	case s.Seconds != 0:
		return fmt.Errorf("%s.seconds is %d, which a service has not: ask for a range", field, s.Seconds)
	case r.Kind == query.KindProfileHeat && s.Base != nil:
		return fmt.Errorf("%s.base: profile-heat has none", field)
	}
	// Checks the label's filter too; its samples are selected by Pyroscope.
	if _, err := profile.NewFilter(s.Function, s.Label); err != nil {
		return fmt.Errorf("%s.%w", field, err)
	}
	if s.filter, err = profile.NewFilter(s.Function, ""); err != nil {
		return fmt.Errorf("%s.%w", field, err)
	}
	selected := []labelMatcher{{serviceLabel, "=", s.Service}}
	if key, value, labelled := strings.Cut(s.Label, "="); labelled {
		if !labelName.MatchString(key) {
			return fmt.Errorf("%s.label is of %q, which Pyroscope has no label of: letters, digits and _ are in their names", field, key)
		}
		selected = append(selected, labelMatcher{key, "=~", value})
	}
	for i, m := range r.Matchers {
		if !labelName.MatchString(m.Dimension) {
			return fmt.Errorf("matchers[%d].dimension is %q, which Pyroscope has no label of: letters, digits and _ are in their names", i, m.Dimension)
		}
		var values []string
		for _, v := range m.Values {
			values = append(values, regexp.QuoteMeta(v))
		}
		if len(values) > 0 {
			selected = append(selected, labelMatcher{m.Dimension, "=~", strings.Join(values, "|")})
		}
	}
	s.selector = selectorOf(selected...)
	return nil
}

// kept returns the one profile that Pyroscope makes of all that it keeps of a side.
func (p *pyroscope) kept(ctx context.Context, s profileSide) (*profile.Fetched, []data.Notice, error) {
	types, err := p.types(ctx, s.Service, s.from, s.to)
	if err != nil {
		return nil, nil, err
	}
	t, err := s.chooseStored(types)
	if err != nil {
		return nil, nil, p.failed(err)
	}
	merged, err := p.merged(ctx, s, t, s.from, s.to)
	if err != nil {
		return nil, nil, err
	}
	if merged == nil {
		return nil, nil, p.failed(s.nothing(t))
	}
	return &profile.Fetched{Profile: merged, From: s.from, To: s.to}, t.notices(), nil
}

// nothing is the error where there is the type, and none of it that is wanted.
func (s profileSide) nothing(t storedType) error {
	return fmt.Errorf("there is no %s of %s from %s to %s", t.id, s.selector, clock(s.from), clock(s.to))
}

// notices say how to read values.
func (t storedType) notices() []data.Notice {
	if !t.isSnapshot() {
		return nil
	}
	return []data.Notice{info("%s is what there is at a time, and Pyroscope adds up all times in the range: choose a range that has one, or read shares", t.id)}
}

// merged asks for the sum of all profiles in a range, without its end; nil for none.
func (p *pyroscope) merged(ctx context.Context, s profileSide, t storedType, from, to time.Time) (*pprof.Profile, error) {
	answer, err := asks(ctx, p, p.merge.CallUnary, &querierv1.SelectMergeProfileRequest{
		ProfileTypeID: t.id, LabelSelector: s.selector, Start: from.UnixMilli(), End: to.UnixMilli() - 1,
	})
	if err != nil {
		return nil, err
	}
	if len(*answer) == 0 {
		return nil, nil
	}
	limits := profile.Usual
	limits.Packed = maxAnswer // it does not come packed
	merged, err := profile.Parse(bytes.NewReader(*answer), limits)
	if err != nil {
		return nil, p.failed(fmt.Errorf("answers garbage: %w", err))
	}
	if len(merged.Sample) == 0 {
		return nil, nil
	}
	return merged, nil
}

// heat is functions, or values of a label, by time. Of functions each column is
// a request, so there are at most [maxStoredColumns]; of a label Pyroscope has series.
func (p *pyroscope) heat(ctx context.Context, r request, s profileSide) (*data.Frame, error) {
	by := cmp.Or(s.GroupBy, profile.ByFunction)
	key, isLabel := strings.CutPrefix(by, "label:")
	most := maxStoredColumns
	if isLabel {
		most = maxColumns
		if !labelName.MatchString(key) {
			return nil, fmt.Errorf("profile.groupBy is of %q, which Pyroscope has no label of: letters, digits and _ are in their names", key)
		}
		if s.Function != "" {
			return nil, fmt.Errorf("profile.function is %q, which labels of Pyroscope can't be told apart by: leave it empty, or group by function", s.Function)
		}
	}
	types, err := p.types(ctx, s.Service, s.from, s.to)
	if err != nil {
		return nil, err
	}
	t, err := s.chooseStored(types)
	if err != nil {
		return nil, p.failed(err)
	}
	step := step(s.from, s.to, max(r.step, storedStep), min(most, r.columns))
	var columns []profile.Slice
	if isLabel {
		columns, err = p.seriesColumns(ctx, s, t, key, step)
	} else {
		columns, err = p.mergedColumns(ctx, s, t, step)
	}
	if err != nil {
		return nil, err
	}
	if len(columns) == 0 {
		return nil, p.failed(s.nothing(t))
	}
	starts := make([]time.Time, len(columns))
	for i, c := range columns {
		starts[i] = c.From
	}
	heat, err := profile.HeatOf(columns, by, t.sampleType, maxRows)
	if err != nil {
		return nil, fmt.Errorf("profile.%w", err)
	}
	about := frames.Profile{Of: s.name(), Kind: s.Type, Type: heat.Type, From: s.from, To: s.to}
	f := frames.ProfileHeat(about, heat, starts, step, !t.isSnapshot())
	f.AppendNotices(t.notices()...)
	return f, nil
}

// weight makes what there was in a column what there was per second of it; the
// last may not be over yet. What there is at a time counts as it is.
func (t storedType) weight(from time.Time, step time.Duration) float64 {
	if t.isSnapshot() {
		return 1
	}
	return 1 / max(min(step, time.Since(from)).Seconds(), 1)
}

// mergedColumns asks for the profile of each column; of some there is none.
func (p *pyroscope) mergedColumns(ctx context.Context, s profileSide, t storedType, step time.Duration) ([]profile.Slice, error) {
	start, end := aligned(s.from, s.to, step)
	columns := make([]profile.Slice, end.Sub(start)/step)
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallelCalls)
	for i := range columns {
		columns[i].From = start.Add(time.Duration(i) * step)
		columns[i].To = columns[i].From.Add(step)
		group.Go(func() error {
			merged, err := p.merged(ctx, s, t, columns[i].From, columns[i].To)
			if merged != nil {
				columns[i].Parts = []profile.Part{{Profile: s.filter.Keep(merged), Weight: t.weight(columns[i].From, step)}}
			}
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(columns, func(c profile.Slice) bool { return c.Parts == nil }), nil
}

// seriesColumns asks for series by a label, and makes of each column a profile
// without stacks. A point is of all that came after the point before, up to its own millisecond:
//
//	   start                 start+step
//	--)[---------------------)[-------
//	  point of before         point
func (p *pyroscope) seriesColumns(ctx context.Context, s profileSide, t storedType, key string, step time.Duration) ([]profile.Slice, error) {
	first, end := aligned(s.from, s.to, step)
	columns := make([]profile.Slice, end.Sub(first)/step)
	// A Pyroscope answers for a day at a time, unless it is configured otherwise.
	for start := first; start.Before(end); {
		until := start.Add(max(24*time.Hour/step, 1) * step)
		if until.After(end) {
			until = end
		}
		answer, err := asks(ctx, p, p.api.SelectSeries, &querierv1.SelectSeriesRequest{
			ProfileTypeID: t.id, LabelSelector: s.selector, Start: start.UnixMilli() - 1, End: until.UnixMilli() - 1,
			GroupBy: []string{key}, Step: step.Seconds(),
		})
		if err != nil {
			return nil, err
		}
		for _, series := range answer.Series {
			sample := &pprof.Sample{}
			for _, l := range series.GetLabels() {
				if l.GetName() == key && l.GetValue() != "" {
					sample.Label = map[string][]string{key: {l.GetValue()}}
				}
			}
			for _, point := range series.GetPoints() {
				i, err := columnOf(point.GetTimestamp(), first, step, len(columns))
				if err != nil {
					return nil, p.failed(err)
				}
				if v := point.GetValue(); !(math.Abs(v) < 1<<53) || v < 0 && !t.isSnapshot() {
					return nil, p.failed(fmt.Errorf("answers garbage: a point of %g", v))
				}
				if i < 0 || !first.Add(time.Duration(i)*step).Before(until) || first.Add(time.Duration(i)*step).Before(start) {
					continue // what came before the first column
				}
				if columns[i].Parts == nil {
					from := first.Add(time.Duration(i) * step)
					column := &pprof.Profile{SampleType: []*pprof.ValueType{{Type: t.sampleType, Unit: t.unit}}}
					columns[i] = profile.Slice{From: from, To: from.Add(step), Parts: []profile.Part{{Profile: column, Weight: t.weight(from, step)}}}
				}
				column := columns[i].Parts[0].Profile
				column.Sample = append(column.Sample, &pprof.Sample{Label: sample.Label, Value: []int64{int64(math.Round(point.GetValue()))}})
			}
		}
		start = until
	}
	return slices.DeleteFunc(columns, func(c profile.Slice) bool { return c.Parts == nil }), nil
}

// columnOf returns which column a point is of: -1 is that before the first.
func columnOf(milliseconds int64, first time.Time, step time.Duration, columns int) (int, error) {
	after := milliseconds + 1 - first.UnixMilli()
	i := after/step.Milliseconds() - 1
	if after%step.Milliseconds() != 0 || i < -1 || i >= int64(columns) {
		return 0, fmt.Errorf("has series at other times than those asked for, such as %s: it may not go back as far; choose a later start of the range", clock(time.UnixMilli(milliseconds)))
	}
	return int(i), nil
}
