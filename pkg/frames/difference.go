package frames

import (
	"math"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/heat/difference"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// TypeHeatDifference is the frame type of differences.
const TypeHeatDifference data.FrameType = "heat-difference"

// The sides of a comparison. The baseline is always on the left, and named.
const (
	Baseline  = "baseline"
	Candidate = "candidate"
)

// Per is what a difference is of.
type Per string

const (
	PerShare   Per = "share"
	PerRequest Per = "request"
	PerSecond  Per = "second"
)

// unit is Grafana's name for the unit of a difference.
func (p Per) unit() string {
	switch p {
	case PerShare:
		return "percentunit"
	case PerSecond:
		return "cps"
	}
	return "short"
}

// Compared is what is known of one series in both arms.
type Compared struct {
	Per    Per
	Labels map[string]string
	// Baseline and Candidate without N, Blocks and figures of values, which are those of Result.
	Baseline, Candidate Side
	// Columns are the candidate's, of the width of the subject's step, and Of is
	// what the hits of each are counted against; nil for the hits themselves.
	Columns []heat.Column
	Of      map[int64]float64
	// Plan and Result are of the comparison, and adjusted; Result is nil where it was refused.
	Plan   difference.Plan
	Result *difference.Comparison
	// Refused is why there is no difference.
	Refused string
}

// Side is what is said of one arm.
type Side struct {
	// Label names it: the version, the refId of the query, or the window.
	Label string `json:"label"`
	// Version is what ran, with commas between several.
	Version    string   `json:"version"`
	GoVersions []string `json:"goVersions"`
	// From and To are the time that was compared, in milliseconds since 1970.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// N counts the hits, in Blocks blocks of time.
	N      uint64 `json:"n"`
	Blocks int    `json:"blocks"`
	// Figures of the values, in the unit of the frame; absent without hits, and for points that count hits.
	P50 *float64 `json:"p50,omitempty"`
	P99 *float64 `json:"p99,omitempty"`
	Max *float64 `json:"max,omitempty"`
}

// Comparison is meta.custom.comparison.
type Comparison struct {
	POM string `json:"pom"`
	// Unit is Grafana's name for the unit of values.
	Unit      string `json:"unit"`
	Per       Per    `json:"per"`
	Baseline  Side   `json:"baseline"`
	Candidate Side   `json:"candidate"`
	// Distance of the values, as ln: see [difference.Comparison].
	Distance  float64 `json:"distance"`
	DistanceP float64 `json:"distanceP"`
	// SignificantCells of all Cells that were tested: a cell is a bucket in a segment of the candidate's time.
	SignificantCells int `json:"significantCells"`
	Cells            int `json:"cells"`
	// BlockSeconds is how long a block is; Paired says that blocks of the same time stand against each other.
	BlockSeconds int  `json:"blockSeconds"`
	Paired       bool `json:"paired"`
	// Level that q is held against.
	Level float64 `json:"level"`
	// Words say what changed, or that nothing was found.
	Words string `json:"words"`
	// Refused is why there is no difference; there are no rows then.
	Refused string `json:"refused,omitempty"`
}

// differenceCustom is meta.custom of a difference.
type differenceCustom struct {
	Custom
	Comparison Comparison `json:"comparison"`
}

// Difference makes the frame of the difference of two arms: candidate less baseline.
//
//	0 xMax         time     end of a column of the candidate; its width is config.interval, in ms
//	1 yMin         float64  exclusive lower bound of the bucket; 0 for the lowest
//	2 yMax         float64  inclusive upper bound of the bucket; +Inf for the highest
//	3 difference   float64  candidate less baseline
//	4 q            float64  of the bucket in the column's segment of time; 1 where hits are too few for a test
//	5 significant  bool     whether the segment differs, in the direction of this cell
//	6 baseline     float64  the mean over the baseline's blocks
//	7 candidate    float64  of this column
//
// Cells are ordered by column, then by bucket; those that are zero on both sides
// are not listed. meta.custom.comparison is a [Comparison].
func Difference(about Subject, c Compared) *data.Frame {
	xMax, yMin, yMax := []time.Time{}, []float64{}, []float64{}
	apart, qs, baseline, candidate := []float64{}, []float64{}, []float64{}, []float64{}
	significant := []bool{}
	for _, column := range c.cells() {
		s := c.Result.In(column.Start)
		if s == nil {
			continue
		}
		h := column.Histogram()
		of := float64(h.Count())
		if c.Of != nil {
			of = c.Of[column.Start.Unix()]
		}
		if of == 0 {
			continue
		}
		for bucket, n := range h.Counts {
			if n == 0 && s.Baseline[bucket] == 0 {
				continue
			}
			lower, upper := about.exactBounds(bucket)
			now := float64(n) / of
			d, q := now-s.Baseline[bucket], s.Q[bucket]
			if math.IsNaN(q) {
				q = 1
			}
			xMax, yMin, yMax = append(xMax, column.Start.Add(about.Step).UTC()), append(yMin, lower), append(yMax, upper)
			apart, qs, baseline, candidate = append(apart, d), append(qs, q), append(baseline, s.Baseline[bucket]), append(candidate, now)
			significant = append(significant, s.Significant[bucket] && d > 0 == (s.Candidate[bucket] > s.Baseline[bucket]))
		}
	}
	name := about.name(about.POM, c.Labels)
	value := &data.FieldConfig{Unit: about.valueUnit()}
	per := &data.FieldConfig{Unit: c.Per.unit()}
	f := data.NewFrame(name,
		data.NewField("xMax", nil, xMax).SetConfig(about.interval()),
		data.NewField("yMin", nil, yMin).SetConfig(value),
		data.NewField("yMax", nil, yMax).SetConfig(value),
		data.NewField("difference", c.Labels, apart).SetConfig(&data.FieldConfig{Unit: c.Per.unit(), DisplayNameFromDS: name}),
		data.NewField("q", nil, qs).SetConfig(&data.FieldConfig{Unit: "none"}),
		data.NewField("significant", nil, significant),
		data.NewField("baseline", nil, baseline).SetConfig(per),
		data.NewField("candidate", nil, candidate).SetConfig(per),
	).SetMeta(&data.FrameMeta{
		Type:                           TypeHeatDifference,
		TypeVersion:                    typeVersion,
		Custom:                         differenceCustom{about.custom(), c.comparison(about)},
		PreferredVisualizationPluginID: PanelID,
	})
	if c.Refused != "" {
		f.AppendNotices(data.Notice{Severity: data.NoticeSeverityWarning, Text: "Not compared: " + c.Refused})
	}
	return f
}

func (c Compared) cells() []heat.Column {
	if c.Result == nil {
		return nil
	}
	return c.Columns
}

func (c Compared) comparison(about Subject) Comparison {
	said := Comparison{
		POM: about.POM, Unit: about.valueUnit(), Per: c.Per, Level: difference.Level,
		Baseline: c.Baseline, Candidate: c.Candidate, Refused: c.Refused, DistanceP: 1,
		BlockSeconds: int(c.Plan.Block / time.Second), Paired: c.Plan.Paired,
	}
	for _, side := range []*Side{&said.Baseline, &said.Candidate} {
		// Null is no list.
		side.GoVersions = append([]string{}, side.GoVersions...)
	}
	if c.Result == nil {
		said.Words = "Not compared: " + c.Refused + "."
		return said
	}
	said.Baseline.figures(about, &c.Result.Baseline, c.Result.BaselineBlocks)
	said.Candidate.figures(about, &c.Result.Candidate, c.Result.CandidateBlocks)
	said.Distance, said.DistanceP = c.Result.Distance, c.Result.P
	said.Cells, said.SignificantCells = c.Result.Tests()
	said.Words = c.words(about)
	return said
}

func (s *Side) figures(about Subject, h *heat.Histogram, blocks int) {
	s.N, s.Blocks = h.Count(), blocks
	if about.countsHits() || s.N == 0 {
		return
	}
	p50, p99, most := about.scaled(h.Quantile(0.5)), about.scaled(h.Quantile(0.99)), about.scaled(float64(h.Max))
	s.P50, s.P99, s.Max = &p50, &p99, &most
}
