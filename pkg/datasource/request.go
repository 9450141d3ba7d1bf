package datasource

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/gotherm/gotherm/pkg/frames"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// request is a query that has passed all checks.
type request struct {
	query.Query
	statistics []frames.Statistic
	from, to   time.Time
	// step is the width of a column; not used by grid, exemplars, events, processes and releases.
	step time.Duration
	// columns is how many there may be.
	columns int
}

// releaseDimensions are the dimensions that a release has.
var releaseDimensions = []string{"service", "version"}

// readRequest reads and checks one query. An error names the field.
func readRequest(q backend.DataQuery) (request, error) {
	var r request
	if err := json.Unmarshal(q.JSON, &r.Query); err != nil {
		return r, fmt.Errorf("read query: %w", err)
	}
	dimensions := heat.Dimensions
	switch r.Kind {
	case query.KindReleases:
		dimensions = releaseDimensions
	case query.KindProcesses, query.KindFlame, query.KindTop, query.KindProfileHeat, query.KindProfile:
		dimensions = attachDimensions
	case query.KindStages:
		dimensions = nil
	default:
		if !slices.Contains(query.Kinds, r.Kind) {
			return r, fmt.Errorf("kind is %q, must be one of %v", r.Kind, query.Kinds)
		}
		if r.POM == "" && !r.comparesQueries() {
			return r, fmt.Errorf("pom is empty: choose a measurement point such as sched.latency")
		}
	}
	if r.Profile != nil && r.Profile.Service != "" {
		// Matchers are of Pyroscope's labels, which are any.
		if err := checkSizes(r.Matchers); err != nil {
			return r, err
		}
	} else if err := checkMatchers(r.Matchers, dimensions); err != nil {
		return r, err
	}
	for i, d := range r.GroupBy {
		if !slices.Contains(heat.Dimensions, d) {
			return r, fmt.Errorf("groupBy has %q, must be of %s", d, strings.Join(heat.Dimensions, ", "))
		}
		if slices.Contains(r.GroupBy[:i], d) {
			return r, fmt.Errorf("groupBy has %q twice", d)
		}
	}
	if r.Kind == query.KindSpectrum {
		if !slices.Contains(heat.NumberDimensions, r.Y) {
			return r, fmt.Errorf("y is %q, must be a dimension whose values are numbers: %s", r.Y, strings.Join(heat.NumberDimensions, ", "))
		}
		if slices.Contains(r.GroupBy, r.Y) {
			return r, fmt.Errorf("groupBy has %q, which is y already", r.Y)
		}
	}
	if r.Kind == query.KindCell {
		if r.ValueMin < 0 {
			return r, fmt.Errorf("valueMin is %g, must not be under 0", r.ValueMin)
		}
		if r.ValueMax != 0 && r.ValueMax <= r.ValueMin {
			return r, fmt.Errorf("valueMax is %g, must be over valueMin, which is %g, or 0 for no bound", r.ValueMax, r.ValueMin)
		}
	}
	if !slices.Contains([]string{"", query.PerShare, query.PerRequest, query.PerSecond}, r.Per) {
		return r, fmt.Errorf("per is %q, must be %s, %s or %s", r.Per, query.PerShare, query.PerRequest, query.PerSecond)
	}
	if r.Side != 0 && r.Side != 256 && r.Side != 512 && r.Side != 1024 {
		return r, fmt.Errorf("side is %d, must be 256, 512 or 1024, or 0 to let the agent choose", r.Side)
	}
	if err := r.readStatistics(); err != nil {
		return r, err
	}
	return r, r.readRange(q)
}

// comparesQueries says whether both arms have their points from other queries.
func (r *request) comparesQueries() bool {
	return r.Kind == query.KindCompare && r.Baseline != nil && r.Baseline.Query != "" && r.Candidate != nil && r.Candidate.Query != ""
}

func (r *request) readStatistics() error {
	if r.Kind != query.KindSeries {
		return nil
	}
	if len(r.Statistics) == 0 {
		return fmt.Errorf("statistics is empty: choose some of count, rate, sum, share, mean, max and percentiles such as p99; of a gauge mean, max, min and last")
	}
	if err := atMost("statistics", len(r.Statistics), maxStatistics, "ask for the others in another query"); err != nil {
		return err
	}
	for i, name := range r.Statistics {
		s, err := frames.ParseStatistic(name)
		if err != nil {
			return fmt.Errorf("statistics[%d]: %w", i, err)
		}
		if slices.Contains(r.Statistics[:i], name) {
			return fmt.Errorf("statistics has %q twice", name)
		}
		r.statistics = append(r.statistics, s)
	}
	return nil
}

// statisticsSuit says, as an error that names the field, which statistic means nothing for what it is of.
func (r *request) statisticsSuit(about frames.Subject) error {
	for i, statistic := range r.statistics {
		if err := statistic.Suits(about); err != nil {
			return fmt.Errorf("statistics[%d]: %w", i, err)
		}
	}
	return nil
}

func (r *request) readRange(q backend.DataQuery) error {
	r.from, r.to = q.TimeRange.From, q.TimeRange.To
	if !r.from.Before(r.to) {
		return fmt.Errorf("time range ends at %s, which is not after its start %s", r.to.UTC().Format(time.RFC3339), r.from.UTC().Format(time.RFC3339))
	}
	if length := r.to.Sub(r.from); length > maxRange {
		return fmt.Errorf("time range is %s long, at most %s: agents keep no more", days(length), days(maxRange))
	}
	r.columns = int(q.MaxDataPoints)
	if r.columns <= 0 || r.columns > maxColumns {
		r.columns = maxColumns
	}
	r.step = step(r.from, r.to, q.Interval, r.columns)
	return nil
}

func checkMatchers(matchers []query.Matcher, dimensions []string) error {
	for i, m := range matchers {
		if !slices.Contains(dimensions, m.Dimension) {
			return fmt.Errorf("matchers[%d].dimension is %q, must be one of %s", i, m.Dimension, strings.Join(dimensions, ", "))
		}
	}
	return checkSizes(matchers)
}

// checkSizes holds matchers to the limits of how many there may be.
func checkSizes(matchers []query.Matcher) error {
	if err := atMost("matchers", len(matchers), maxMatchers, "give one matcher per dimension all its values"); err != nil {
		return err
	}
	for i, m := range matchers {
		if err := atMost(fmt.Sprintf("matchers[%d].values (%s)", i, m.Dimension), len(m.Values), maxValues, "match a coarser dimension"); err != nil {
			return err
		}
	}
	return nil
}

// days writes a duration as days where it is that long.
func days(d time.Duration) string {
	if d < 48*time.Hour {
		return d.String()
	}
	return fmt.Sprintf("%.4gd", d.Hours()/24)
}

// onTheWire returns matchers as the API takes them. One without values keeps everything.
func onTheWire(matchers []query.Matcher) []*pb.Matcher {
	var result []*pb.Matcher
	for _, m := range matchers {
		if len(m.Values) > 0 {
			result = append(result, &pb.Matcher{Dimension: m.Dimension, Values: m.Values})
		}
	}
	return result
}
