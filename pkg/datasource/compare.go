package datasource

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// requests is the point whose hits differences per request are of.
const requests = "http.request"

// sampledLatency is the point that Go's own sampling feeds: what it samples
// changed in Go 1.26 (golang/go#79391).
const sampledLatency = "sched.latency"

// arm is one side of a comparison, read from the query.
type arm struct {
	// name is the field of the query: baseline or candidate.
	name     string
	version  string
	query    string
	pom      string
	matchers []query.Matcher
	// from and to are the window; own says that the arm has one itself.
	from, to time.Time
	own      bool
	// until is when the query's range ends: its versions are those seen before.
	until time.Time
}

// readArms reads both sides of a comparison; all are the queries of the request.
func readArms(r request, all []backend.DataQuery, refID string) (arms [2]arm, err error) {
	for i, side := range []struct {
		name string
		from *query.Arm
	}{
		{frames.Baseline, cmp.Or(r.Baseline, &query.Arm{Version: query.PreviousVersion})},
		{frames.Candidate, cmp.Or(r.Candidate, &query.Arm{Version: query.LatestVersion})},
	} {
		a := arm{name: side.name, version: side.from.Version, query: side.from.Query, pom: r.POM, matchers: r.Matchers, from: r.from, to: r.to, until: r.to}
		if a.query != "" {
			if err := a.readQuery(all, refID); err != nil {
				return arms, err
			}
		}
		if from := side.from.From; from != 0 {
			a.from, a.own = time.UnixMilli(from), true
		}
		if to := side.from.To; to != 0 {
			a.to, a.own = time.UnixMilli(to), true
		}
		if !a.from.Before(a.to) {
			return arms, fmt.Errorf("%s.to is %s, which is not after %s.from, %s", a.name, clock(a.to), a.name, clock(a.from))
		}
		if length := a.to.Sub(a.from); length > maxRange {
			return arms, fmt.Errorf("%s is %s long, at most %s: agents keep no more", a.name, days(length), days(maxRange))
		}
		arms[i] = a
	}
	for _, d := range []string{"version", "process"} {
		if slices.Contains(r.GroupBy, d) && arms[0].version != "" && arms[1].version != "" {
			return arms, fmt.Errorf("groupBy has %q, which two versions never have in common", d)
		}
	}
	return arms, nil
}

// readQuery makes an arm of another query of the same request.
func (a *arm) readQuery(all []backend.DataQuery, refID string) error {
	field := a.name + ".query"
	i := slices.IndexFunc(all, func(q backend.DataQuery) bool { return q.RefID == a.query })
	if i < 0 || a.query == refID {
		return fmt.Errorf("%s is %q, which is no other query that is asked together with this one", field, a.query)
	}
	var other query.Query
	if err := json.Unmarshal(all[i].JSON, &other); err != nil {
		return fmt.Errorf("read query %s, which is %s: %w", a.query, field, err)
	}
	if other.POM == "" || other.Kind == query.KindCompare {
		return fmt.Errorf("%s is %q, which is of kind %q and not about hits of a measurement point", field, a.query, other.Kind)
	}
	if err := checkMatchers(other.Matchers, heat.Dimensions); err != nil {
		return fmt.Errorf("query %s, which is %s: %w", a.query, field, err)
	}
	a.pom, a.matchers = other.POM, other.Matchers
	a.from, a.to, a.until, a.own = all[i].TimeRange.From, all[i].TimeRange.To, all[i].TimeRange.To, true
	return nil
}

// compare answers the kind compare: three frames for each series, and at least
// three. What can't be compared is said in the third, beside the heat of both.
//
//	who ran ─▶ versions of the arms ─▶ heat of both in narrow columns ─▶ plan of blocks
//	  ─▶ for each series of both: blocks ─▶ comparison ─▶ q over all of them ─▶ frames
func (d *Datasource) compare(ctx context.Context, r request, all []backend.DataQuery, refID string) (data.Frames, []failure, error) {
	arms, err := readArms(r, all, refID)
	if err != nil {
		return nil, nil, err
	}
	c := comparison{request: r, per: frames.Per(r.Per)}
	c.layColumns(arms)
	known, failures := d.whoRan(ctx, arms)
	if len(failures) == len(d.agents) {
		return nil, failures, nil
	}
	if name := cmp.Or(known.gauges...); name != "" {
		return nil, nil, fmt.Errorf("pom is %s, a gauge: only hits can be compared", name)
	}
	for i, a := range arms {
		side, silent, err := c.ask(ctx, d, a, known)
		if err != nil {
			return nil, nil, err
		}
		failures = unite(failures, silent)
		c.sides[i] = side
	}
	if len(failures) == len(d.agents) && c.refused == "" {
		return nil, failures, nil
	}
	failures = c.refuseSchemas(failures)
	result, err := c.frames()
	return result, failures, err
}

// unite puts together who failed in two rounds of asking; each agent is there once.
func unite(first, second []failure) []failure {
	for _, f := range second {
		if !slices.ContainsFunc(first, func(other failure) bool { return other.agent == f.agent }) {
			first = append(first, f)
		}
	}
	return first
}

// comparison is a query of kind compare while it is being answered.
type comparison struct {
	request
	per   frames.Per
	sides [2]side
	// column is how wide the columns are that agents are asked for: those that
	// are shown and the blocks are made of whole ones.
	column time.Duration
	// refused is why nothing at all can be compared.
	refused string
}

// side is one arm with its heat.
type side struct {
	arm
	unit string
	// series of the arm, by the key of their labels, in narrow columns.
	series map[string]heat.Series
	// of has what hits are counted against, by series or, under "", for all, by
	// the second at which the column starts; nil for the hits themselves.
	of map[string]map[int64]float64
	// asked are the releases that it is of; nil for all. versions are those of
	// them that have hits, and goVersions what they were built with.
	asked                versionsOf
	versions, goVersions []string
}

// layColumns chooses the widths of columns: the step that is shown, and what divides both it and blocks.
func (c *comparison) layColumns(arms [2]arm) {
	longest := max(arms[0].to.Sub(arms[0].from), arms[1].to.Sub(arms[1].from))
	if arms[0].own && arms[1].own {
		// The interval that Grafana suggests is that of the dashboard's range.
		c.step = step(time.Unix(0, 0), time.Unix(0, 0).Add(longest), 0, c.columns)
	}
	block := 10 * time.Second
	switch {
	case longest > 24*time.Hour:
		block = 5 * time.Minute
	case longest > 2*time.Hour:
		block = time.Minute
	}
	c.column = commonDivisor(c.step, block)
}

func commonDivisor(a, b time.Duration) time.Duration {
	for b != 0 {
		a, b = b, a%b
	}
	return a
}

// ask asks all agents for the heat of one arm.
func (c *comparison) ask(ctx context.Context, d *Datasource, a arm, known knownReleases) (side, []failure, error) {
	s := side{arm: a, series: map[string]heat.Series{}}
	// Younger columns are still being added to.
	a.to = minTime(a.to, time.Now().Add(-settled))
	s.from, s.to = aligned(a.from, a.to, c.column)
	s.to = floor(a.to, c.column)
	versions, err := known.resolve(a)
	if err != nil {
		c.refused = cmp.Or(c.refused, err.Error())
		return s, nil, nil
	}
	s.asked = versions
	if !s.from.Before(s.to) {
		return s, nil, nil
	}
	q := heatQuery{a.pom, versions.matchers(a.matchers), withDimensions(c.GroupBy, "service", "version"), c.column}
	merged, failures, err := d.askHeat(ctx, q, s.from, s.to, c.per == frames.PerSecond)
	if err != nil {
		return s, nil, err
	}
	if merged.unit == frames.UnitCount && c.per == "" {
		c.per = frames.PerSecond
		if merged, failures, err = d.askHeat(ctx, q, s.from, s.to, true); err != nil {
			return s, nil, err
		}
	}
	s.unit = merged.unit
	kept := keep(merged, versions)
	s.note(kept, known)
	s.series = bySeries(kept, c.GroupBy)
	switch c.per {
	case frames.PerSecond:
		s.of = map[string]map[int64]float64{"": watched(s.series, c.column)}
	case frames.PerRequest:
		var silent []failure
		s.of, silent, err = c.askRequests(ctx, d, s, q)
		failures = unite(failures, silent)
	}
	return s, failures, err
}

// keep keeps the series of the versions that an arm is of.
func keep(merged heatOf, versions versionsOf) heatOf {
	return heatOf{merged.unit, slices.DeleteFunc(merged.series, func(s heat.Series) bool {
		return !versions.has(s.Labels["service"], s.Labels["version"])
	})}
}

// note notes which versions have hits, and what they were built with.
func (s *side) note(kept heatOf, known knownReleases) {
	for _, one := range kept.series {
		if !slices.ContainsFunc(one.Columns, func(c heat.Column) bool { return len(c.Buckets) > 0 }) {
			continue
		}
		id := release{one.Labels["service"], one.Labels["version"]}
		if id.version != "" {
			s.versions = append(s.versions, id.version)
		}
		s.goVersions = append(s.goVersions, known.goVersions[id]...)
	}
	for _, list := range []*[]string{&s.versions, &s.goVersions} {
		slices.SortFunc(*list, naturally)
		*list = slices.Compact(*list)
	}
}

func withDimensions(dimensions []string, more ...string) []string {
	result := slices.Clone(dimensions)
	for _, d := range more {
		if !slices.Contains(result, d) {
			result = append(result, d)
		}
	}
	return result
}

// bySeries adds up series that are told apart by other dimensions than those.
func bySeries(of heatOf, groupBy []string) map[string]heat.Series {
	var parts []heatOf
	for _, s := range of.series {
		parts = append(parts, heatOf{of.unit, []heat.Series{{Labels: only(s.Labels, groupBy), Columns: s.Columns}}})
	}
	merged, _ := merge(parts) // of one unit
	result := map[string]heat.Series{}
	for _, s := range merged.series {
		result[labelKey(s.Labels)] = s
	}
	return result
}

func only(labels map[string]string, dimensions []string) map[string]string {
	kept := map[string]string{}
	for _, d := range dimensions {
		if v, has := labels[d]; has {
			kept[d] = v
		}
	}
	return kept
}

// watched returns the seconds of each column in which the arm was watched.
func watched(series map[string]heat.Series, column time.Duration) map[int64]float64 {
	seconds := map[int64]float64{}
	for _, s := range series {
		for _, c := range s.Columns {
			seconds[c.Start.Unix()] = column.Seconds()
		}
	}
	return seconds
}

// askRequests counts the requests of an arm: of each series where requests have
// its dimensions, and else of what they have of them.
func (c *comparison) askRequests(ctx context.Context, d *Datasource, s side, q heatQuery) (map[string]map[int64]float64, []failure, error) {
	q.pom = requests
	q.matchers = slices.DeleteFunc(slices.Clone(q.matchers), func(m query.Matcher) bool { return !slices.Contains(heat.GaugeDimensions, m.Dimension) })
	shared := slices.DeleteFunc(slices.Clone(c.GroupBy), func(d string) bool { return !slices.Contains(heat.GaugeDimensions, d) })
	q.groupBy = withDimensions(shared, "service", "version")
	merged, failures, err := d.askHeat(ctx, q, s.from, s.to, false)
	if err != nil {
		return nil, nil, err
	}
	versions := map[string]bool{}
	for _, v := range s.versions {
		versions[v] = true
	}
	merged.series = slices.DeleteFunc(merged.series, func(one heat.Series) bool { return len(versions) > 0 && !versions[one.Labels["version"]] })
	served := bySeries(merged, shared)
	of := map[string]map[int64]float64{}
	for key, one := range s.series {
		counted := map[int64]float64{}
		for _, column := range served[labelKey(only(one.Labels, shared))].Columns {
			counted[column.Start.Unix()] = float64(column.Histogram().Count())
		}
		of[key] = counted
	}
	return of, failures, nil
}

// counted returns what the hits of a series are counted against.
func (s side) counted(key string) map[int64]float64 {
	if all, ok := s.of[""]; ok {
		return all
	}
	return s.of[key]
}

// refuseSchemas makes a refusal of agents whose buckets are others than ours.
func (c *comparison) refuseSchemas(failures []failure) []failure {
	return slices.DeleteFunc(failures, func(f failure) bool {
		if !errors.Is(f, errSchema) {
			return false
		}
		c.refused = "schemas differ: " + f.Error()
		return true
	})
}

// extent is the time in which an arm has columns, inside of its window. Where
// seconds count, it is without the columns in which watching began and ended,
// of which nobody knows how many of their seconds were watched.
func (s side) extent(column time.Duration) difference.Span {
	var span difference.Span
	for _, one := range s.series {
		if n := len(one.Columns); n > 0 {
			first, end := one.Columns[0].Start, one.Columns[n-1].Start.Add(column)
			if span.From.IsZero() || first.Before(span.From) {
				span.From = first
			}
			if end.After(span.To) {
				span.To = end
			}
		}
	}
	if _, seconds := s.of[""]; seconds {
		if span.From.After(s.from) {
			span.From = span.From.Add(column)
		}
		if span.To.Before(s.to) {
			span.To = span.To.Add(-column)
		}
	}
	return span
}

// plan says how the arms are cut into blocks, or why they can't be compared.
func (c *comparison) plan() (difference.Plan, error) {
	b, k := c.sides[0], c.sides[1]
	window := difference.Span{From: b.from, To: b.to}.Overlap(difference.Span{From: k.from, To: k.to})
	switch {
	case c.refused != "":
		return difference.Plan{}, difference.Refusal(c.refused)
	case b.unit != k.unit && b.unit != "" && k.unit != "":
		return difference.Plan{}, difference.Refusal(fmt.Sprintf("units differ: %s is in %q, %s in %q", b.pom, b.unit, k.pom, k.unit))
	case b.pom == k.pom && window.Length() > 0 && !b.asked.apart(k.asked) && !matchersApart(b.matchers, k.matchers):
		return difference.Plan{}, difference.Refusal(fmt.Sprintf("the windows overlap by %s, and nothing else tells the sides apart: the same hits would be on both; choose other versions, or windows apart", difference.Spell(window.Length())))
	case c.per == frames.PerShare && b.unit == frames.UnitCount:
		return difference.Plan{}, difference.Refusal(fmt.Sprintf("hits of %s have no values, so each is the same share: compare per request or per second", b.pom))
	}
	if err := goVersionsAgree(b, k); err != nil {
		return difference.Plan{}, err
	}
	for _, s := range c.sides {
		if len(s.series) == 0 {
			return difference.Plan{}, difference.Refusal(fmt.Sprintf("no hits: the %s (%s) has none of %s between %s and %s", s.name, s.label(), s.pom, clock(s.from), clock(s.to)))
		}
	}
	return difference.NewPlan(b.extent(c.column), k.extent(c.column), c.column)
}

// matchersApart says whether no hit can pass both sets of matchers.
func matchersApart(a, b []query.Matcher) bool {
	for _, one := range a {
		for _, other := range b {
			common := func(v string) bool { return slices.Contains(other.Values, v) }
			if one.Dimension == other.Dimension && len(one.Values) > 0 && len(other.Values) > 0 && !slices.ContainsFunc(one.Values, common) {
				return true
			}
		}
	}
	return false
}

// goVersionsAgree refuses what Go's own change would make a difference of.
func goVersionsAgree(b, k side) error {
	if b.pom != sampledLatency && k.pom != sampledLatency {
		return nil
	}
	var before, since []string
	for _, v := range slices.Concat(b.goVersions, k.goVersions) {
		minor := 0
		if _, err := fmt.Sscanf(v[strings.Index(v, "go1.")+1:], "o1.%d", &minor); err != nil {
			continue
		}
		if minor < 26 {
			before = append(before, v)
		} else {
			since = append(since, v)
		}
	}
	if len(before) == 0 || len(since) == 0 {
		return nil
	}
	return difference.Refusal(fmt.Sprintf("Go versions differ: Go 1.26 changed what the runtime samples for %s (golang/go#79391), and it was %s on one side and %s on the other; compare %s.exact",
		sampledLatency, before[0], since[0], sampledLatency))
}

// label names a side for people.
func (s side) label() string {
	switch {
	case s.version != "" && len(s.versions) == 1:
		return s.versions[0]
	case s.version != "":
		return cmp.Or(strings.Join(s.versions, ", "), s.version)
	case s.query != "":
		return "query " + s.query
	}
	return clock(s.from) + " to " + clock(s.to)
}

func (s side) said(span difference.Span) frames.Side {
	return frames.Side{
		Label: s.label(), Version: strings.Join(s.versions, ", "), GoVersions: s.goVersions,
		From: span.From.UnixMilli(), To: span.To.UnixMilli(),
	}
}

// frames compares each series and makes the frames.
func (c *comparison) frames() (data.Frames, error) {
	b, k := &c.sides[0], &c.sides[1]
	c.per = cmp.Or(c.per, frames.PerShare)
	plan, refused := c.plan()
	if plan.Block == 0 {
		// Refused: said of all that there is.
		plan.Baseline, plan.Candidate = difference.Span{From: b.from, To: b.to}, difference.Span{From: k.from, To: k.to}
	}
	keys := slices.Sorted(maps.Keys(b.series))
	for key := range k.series {
		if _, both := b.series[key]; !both {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	if len(keys) == 0 {
		keys = []string{""}
	}
	if err := atMost("series", len(keys), maxCompared, "group by fewer dimensions or match fewer values"); err != nil {
		return nil, err
	}
	compared := make([]frames.Compared, len(keys))
	var results []*difference.Comparison
	for i, key := range keys {
		compared[i] = c.series(key, plan, refused)
		if compared[i].Result != nil {
			results = append(results, compared[i].Result)
		}
	}
	difference.Adjust(results)
	return c.draw(keys, compared)
}

// series compares one series.
func (c *comparison) series(key string, plan difference.Plan, refused error) frames.Compared {
	b, k := &c.sides[0], &c.sides[1]
	one := frames.Compared{
		Per: c.per, Plan: plan, Labels: b.series[key].Labels,
		Baseline: b.said(plan.Baseline), Candidate: k.said(plan.Candidate),
	}
	if one.Labels == nil {
		one.Labels = k.series[key].Labels
	}
	if refused == nil {
		valued := cmp.Or(b.unit, k.unit) != frames.UnitCount
		q := difference.Question{Plan: plan, Shares: c.per == frames.PerShare, Valued: valued}
		if !valued || b.unit == frames.UnitDuration || c.per != frames.PerShare {
			q.Drift = difference.LatencyDrift
		}
		one.Result, refused = q.Compare(
			plan.Cut(plan.Baseline, b.series[key].Columns, b.counted(key)),
			plan.Cut(plan.Candidate, k.series[key].Columns, k.counted(key)))
	}
	if refused != nil {
		one.Refused = refused.Error()
		one.Baseline.N, one.Candidate.N = hits(b.series[key]), hits(k.series[key])
	}
	return one
}

func hits(s heat.Series) (n uint64) {
	for _, c := range s.Columns {
		for _, count := range c.Counts {
			n += count
		}
	}
	return n
}

// draw makes the three frames of each series.
func (c *comparison) draw(keys []string, compared []frames.Compared) (data.Frames, error) {
	var result data.Frames
	cells := 0
	for i, key := range keys {
		for j := range c.sides {
			s := &c.sides[j]
			about := frames.Subject{POM: s.pom, Unit: s.unit, Step: c.step, Legend: c.Legend, Arm: s.name}
			if s.unit == "" {
				about.Unit = cmp.Or(c.sides[1-j].unit, frames.UnitDuration)
			}
			shown := heat.Series{Labels: compared[i].Labels, Columns: widened(s.series[key].Columns, c.step)}
			f, err := c.armFrame(about, shown)
			if err != nil {
				return nil, err
			}
			result = append(result, f)
			cells += cellsOf(shown)
		}
		k := &c.sides[1]
		step := c.differenceStep(compared[i])
		about := frames.Subject{POM: k.pom, Unit: cmp.Or(k.unit, c.sides[0].unit, frames.UnitDuration), Step: step, Legend: c.Legend}
		compared[i].Columns = widened(k.series[key].Columns, step)
		if of := k.counted(key); of != nil {
			compared[i].Of = map[int64]float64{}
			for second, n := range of {
				compared[i].Of[floor(time.Unix(second, 0), step).Unix()] += n
			}
		}
		f := frames.Difference(about, compared[i])
		result = append(result, f)
		cells += f.Rows()
		if err := atMost("cells", cells, maxCells, "ask for shorter windows, fewer data points or fewer series"); err != nil {
			return nil, err
		}
	}
	return result, nil
}

// armFrame makes the frame of one arm's heat.
func (c *comparison) armFrame(about frames.Subject, shown heat.Series) (*data.Frame, error) {
	if c.Compact {
		return frames.Compact(about, shown)
	}
	return frames.Heatmap(about, shown), nil
}

// leastColumnHits is how many hits a column of a difference has in the mean, at
// the least: a share of fewer says nothing.
const leastColumnHits = 200

// differenceStep is how wide columns of the difference are: as those of the
// heat where that leaves enough hits in each, and at most a block.
func (c *comparison) differenceStep(of frames.Compared) time.Duration {
	if of.Result == nil {
		return c.step
	}
	rate := float64(of.Result.Candidate.Count()) / of.Plan.Candidate.Length().Seconds()
	widest := c.step
	for _, s := range niceSteps {
		if s < c.step || s > max(c.step, of.Plan.Block) || s%c.column != 0 {
			continue
		}
		widest = s
		if rate*s.Seconds() >= leastColumnHits {
			break
		}
	}
	return widest
}

// widened adds columns up to wider ones.
func widened(columns []heat.Column, step time.Duration) []heat.Column {
	var wide []heat.Column
	var sum *heat.Histogram
	for _, c := range columns {
		start := floor(c.Start, step)
		if n := len(wide); n == 0 || !wide[n-1].Start.Equal(start) {
			sum = &heat.Histogram{}
			wide = append(wide, heat.Column{Start: start})
		}
		sum.Add(c.Histogram())
		wide[len(wide)-1] = heat.NewColumn(start, sum)
	}
	return wide
}
