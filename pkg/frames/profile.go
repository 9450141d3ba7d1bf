package frames

import (
	"time"

	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Profile is what frames of a profile are about.
type Profile struct {
	// Of is the target or the process.
	Of string
	// Processes are those it is of, where that is known, in order.
	Processes []string
	// Kind is what was profiled, such as cpu, and Type what its values are.
	Kind string
	Type profile.Type
	// From and To are what it covers, as far as that is known.
	From, To time.Time
	// Requests are those that the processes answered meanwhile; nil where that is not known, or there were none.
	Requests *Requests
	// Difference says that it is one, so values have two sides.
	Difference bool
}

// Requests are those that were answered while a program was profiled.
type Requests struct {
	Count uint64 `json:"count"`
	// Seconds are those in which they were counted, of all that were profiled; of several processes, added up.
	Seconds int `json:"seconds"`
	Of      int `json:"of"`
}

// each is a part of a profile for one request: as if the seconds in which none were counted had been like the others.
func (r Requests) each(v int64) float64 {
	return float64(v) / float64(r.Count) * float64(r.Seconds) / float64(r.Of)
}

// ProfileCustom is meta.custom of frames of a profile.
type ProfileCustom struct {
	// Of is the target or the process.
	Of string `json:"of"`
	// Processes are those it is of, where that is known: as the dimension process names them.
	Processes []string `json:"processes,omitempty"`
	// Profile is what was profiled, such as cpu, and SampleType what values are, such as cpu or inuse_space.
	Profile    string `json:"profile"`
	SampleType string `json:"sampleType"`
	// From and To are what it covers, in milliseconds since 1970.
	From int64 `json:"from"`
	To   int64 `json:"to"`
	// Requests are those that the processes answered meanwhile, where there were any.
	Requests *Requests `json:"requests,omitempty"`
	// Total is what shares are of: of a difference, that of the base.
	Total int64 `json:"total"`
}

func (p Profile) custom(total int64) ProfileCustom {
	return ProfileCustom{
		Of: p.Of, Processes: p.Processes, Requests: p.Requests, Profile: p.Kind, SampleType: p.Type.Name,
		From: p.From.UnixMilli(), To: p.To.UnixMilli(), Total: total,
	}
}

// grafanaUnits are Grafana's names for units of profiles. The flame graph panel
// knows ns, bytes and short; of others it shows the number and the unit.
var grafanaUnits = map[string]string{
	"nanoseconds": "ns", "microseconds": "µs", "milliseconds": "ms", "seconds": "s",
	"bytes": "bytes", "byte": "bytes", "count": "short", "": "short",
}

// unit is of the values, which are as the profile has them.
func (p Profile) unit() *data.FieldConfig {
	unit, known := grafanaUnits[p.Type.Unit]
	if !known {
		unit = "suffix: " + p.Type.Unit
	}
	return &data.FieldConfig{Unit: unit}
}
