// Package frames makes Grafana data frames of heat, gauges, the goroutine grid,
// exemplars, processes and releases: one framer per kind, each in its own file
// with its golden file in testdata. Durations are nanoseconds on the way in and
// seconds on the way out, since that is the unit Grafana's axes and alert rules
// read best. Bytes stay bytes.
package frames

import (
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// PanelID is the panel that Explore draws heat with.
const PanelID = "gotherm-heatmap-panel"

// Units of measurement points, as agents spell them.
const (
	UnitDuration = "ns"
	UnitBytes    = "By"
	// UnitCount is of points whose hits are counted, and of gauges that are numbers or ratios.
	UnitCount = "1"
)

// Units are all that a measurement point may have.
var Units = []string{UnitDuration, UnitBytes, UnitCount}

// Subject is what frames of heat are about.
type Subject struct {
	POM string
	// Unit of the measurement point: one of [Units].
	Unit string
	// Gauge says that it is measured once a second, and not by hits.
	Gauge bool
	// Step is the width of a column.
	Step time.Duration
	// Legend names a series: text with {{dimension}}, {{pom}} or {{statistic}} in it.
	// Empty gives names such as p99{node="0"}.
	Legend string
	// Arm is the side of a comparison that it is of, [Baseline] or [Candidate]; empty outside of one.
	Arm string
	// Stream names the stream that the heat of compact frames goes on in, and
	// that this is about: see [Compact]. Bounds of its plain frames are exact.
	Stream string
}

// isDuration says whether values are nanoseconds.
func (s Subject) isDuration() bool { return s.Unit == UnitDuration }

// countsHits says that a hit has no value, and so that there is nothing but their number.
func (s Subject) countsHits() bool { return !s.Gauge && s.Unit == UnitCount }

// scaled converts a value in the measurement point's unit to what frames show.
func (s Subject) scaled(v float64) float64 {
	if s.isDuration() {
		return v / 1e9
	}
	return v
}

// valueUnit is Grafana's name for the unit of scaled values.
func (s Subject) valueUnit() string {
	switch s.Unit {
	case UnitDuration:
		return "s"
	case UnitBytes:
		return "bytes"
	}
	if s.Gauge {
		// It may be a ratio or a number: a panel knows, and what is said here would be taken first.
		return ""
	}
	return "short"
}

// Custom is meta.custom of frames of heat: what a panel wants to say about them.
type Custom struct {
	POM string `json:"pom"`
	// StepMS is the width of a column in milliseconds.
	StepMS int64 `json:"stepMs"`
	// Arm of a comparison; absent outside of one.
	Arm string `json:"arm,omitempty"`
	// Stream is the same in a compact frame and in the plain one that goes on where it ends.
	Stream string `json:"stream,omitempty"`
}

func (s Subject) custom() Custom {
	return Custom{POM: s.POM, StepMS: s.Step.Milliseconds(), Arm: s.Arm, Stream: s.Stream}
}

var placeholder = regexp.MustCompile(`\{\{\s*([a-zA-Z0-9_.]+)\s*\}\}`)

// nameless stands for a dimension that is not known, in legends.
const nameless = "(none)"

// name returns what a series is called in legends, and which side of a
// comparison it is. A placeholder for what the series has not is dropped.
func (s Subject) name(kind string, labels data.Labels) string {
	name := s.seriesName(kind, labels)
	if s.Arm != "" {
		name += " (" + s.Arm + ")"
	}
	return name
}

func (s Subject) seriesName(kind string, labels data.Labels) string {
	if s.Legend != "" {
		return strings.TrimSpace(placeholder.ReplaceAllStringFunc(s.Legend, func(match string) string {
			key := placeholder.FindStringSubmatch(match)[1]
			if key == "pom" {
				return s.POM
			}
			if value, has := labels[key]; has && value == "" {
				return nameless
			}
			return labels[key]
		}))
	}
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(labels)) {
		if key != statisticLabel {
			parts = append(parts, key+"="+strconv.Quote(labels[key]))
		}
	}
	if len(parts) == 0 {
		return kind
	}
	return kind + "{" + strings.Join(parts, ", ") + "}"
}

// interval is what a time field says of the distance of its values, in milliseconds.
func (s Subject) interval() *data.FieldConfig {
	return &data.FieldConfig{Interval: float64(s.Step.Milliseconds())}
}

// typeVersion 0.1 is the first of Grafana's data plane contract. Alerting
// trusts no frame without one.
var typeVersion = data.FrameTypeVersion{0, 1}
