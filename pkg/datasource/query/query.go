// Package query is the data source's query model: the one definition from
// which the TypeScript types are generated (go tool mage generate).
package query

// Kind is what a query returns.
type Kind string

const (
	// KindHeatmap returns sparse heatmap-cells frames, one for each series. Of
	// a gauge it returns one heatmap-rows frame with a row for each process.
	KindHeatmap Kind = "heatmap"
	// KindSeries returns statistics over time; alert rules can use it.
	KindSeries Kind = "series"
	// KindGrid returns the goroutine grid.
	KindGrid Kind = "grid"
	// KindSpectrum returns hits by value and by the dimension Y, added up over
	// the time range: heatmap-cells frames whose x axis is no time.
	KindSpectrum Kind = "spectrum"
	// KindExemplars returns a table of the greatest hits and what is known of each.
	KindExemplars Kind = "exemplars"
	// KindEvents returns single hits as they happen, live, or those of the next
	// second; each says how many hits it stands for.
	KindEvents Kind = "events"
	// KindProcesses returns a table of the processes that the agents see now, and what watching costs them.
	KindProcesses Kind = "processes"
	// KindReleases returns one annotation for each release.
	KindReleases Kind = "releases"
	// KindCompare returns the difference of two arms, candidate less baseline:
	// for each series the heat of both, and which cells differ.
	KindCompare Kind = "compare"
	// KindCell returns what is in a cell of heat, the query's range by a range of
	// values: a table of hits for each dimension, goroutines, and exemplars.
	KindCell Kind = "cell"
	// KindFlame returns a profile as a flame graph, which the core panel draws;
	// with a base, the difference of two.
	KindFlame Kind = "flame"
	// KindTop returns the functions of a profile, those with the most first.
	KindTop Kind = "top"
	// KindProfileHeat returns functions, or values of a label, by time, of profiles that have been collected.
	KindProfileHeat Kind = "profile-heat"
	// KindProfile returns a profile as it is, for go tool pprof.
	KindProfile Kind = "profile"
	// KindStages returns which stage of a program used what.
	KindStages Kind = "stages"
)

// Kinds are all that are answered, in the order of display.
var Kinds = []Kind{KindHeatmap, KindSeries, KindSpectrum, KindGrid, KindExemplars, KindEvents, KindProcesses, KindReleases, KindCompare, KindCell, KindFlame, KindTop, KindProfileHeat, KindProfile, KindStages}

// Query is what a panel, an alert rule or Explore asks of the data source.
type Query struct {
	// Kind is what to return.
	Kind Kind `json:"kind" jsonschema:"enum=heatmap,enum=series,enum=spectrum,enum=grid,enum=exemplars,enum=events,enum=processes,enum=releases,enum=compare,enum=cell,enum=flame,enum=top,enum=profile-heat,enum=profile,enum=stages"`
	// POM is the measurement point or gauge, such as "sched.latency". Not used by
	// releases and processes, nor by compare where both arms are queries.
	POM string `json:"pom,omitempty"`
	// Matchers keep what has one of the values in each dimension.
	Matchers []Matcher `json:"matchers,omitempty"`
	// GroupBy lists the dimensions that tell series apart; all others are summed
	// over. Events are not summed: each has a field of these. Not used by gauges, which have a series for each process.
	GroupBy []string `json:"groupBy,omitempty"`
	// Statistics are what a series query computes: "count", "rate" (hits per
	// second), "sum", "share" (sum per second: of a duration its share of wall
	// time, 0.01 for 10 ms in each second), "mean", "max", or a quantile as
	// "p50", "p99.9". Of a gauge: "mean", "max", "min", "last".
	Statistics []string `json:"statistics,omitempty"`
	// Y is the dimension that a spectrum's rows are: one whose values are numbers, such as "depth".
	Y string `json:"y,omitempty"`
	// ValueMin and ValueMax bound the values of a cell, in the unit that frames
	// show: seconds or bytes. Buckets that lie between them are in it; 0 is no bound.
	ValueMin float64 `json:"valueMin,omitempty"`
	ValueMax float64 `json:"valueMax,omitempty"`
	// Side of the goroutine grid: 256, 512 or 1024; 0 lets the agent choose.
	Side int `json:"side,omitempty" jsonschema:"enum=0,enum=256,enum=512,enum=1024"`
	// Attach asks the agents to watch a measurement point that is only watched on demand, while this query is being asked.
	Attach bool `json:"attach,omitempty"`
	// Live streams new columns as they are complete, and events as they happen.
	Live bool `json:"live,omitempty"`
	// Compact asks for heat in frames that take a fraction of the bytes, which our
	// panel reads. The data source's front end says so when the panel that asks is ours.
	Compact bool `json:"compact,omitempty"`
	// Legend names a series: text with {{dimension}} in it.
	Legend   string `json:"legend,omitempty"`
	Baseline *Arm   `json:"baseline,omitempty"`

	Candidate *Arm `json:"candidate,omitempty"`
	// Per is what a difference is of: the share of all hits, hits per request (of
	// http.request, in the same arm), or hits per second. Empty is share, but second for
	// points that count hits.
	Per string `json:"per,omitempty" jsonschema:"enum=,enum=share,enum=request,enum=second"`

	Profile *Profile `json:"profile,omitempty"`
}

// Profile is what flame, top, profile-heat, profile and stages are of: it says
// of which program, of what, and which part of it. With a base they are the
// difference, profile less base; what the base leaves out is as in the profile.
type Profile struct {
	// Target is the name of a configured target; empty where Process or Service is set.
	Target string `json:"target,omitempty"`
	// Process is a process that an agent collects profiles of, as the dimension
	// process names it. With none of the three, it is all processes that the query's matchers keep.
	Process string `json:"process,omitempty"`
	// Service is one whose profiles Pyroscope keeps, as its label service_name
	// has it. The query's matchers are of its other labels then.
	Service string `json:"service,omitempty"`
	// Type is what is profiled: cpu, heap, allocs, goroutine, mutex, block,
	// threadcreate, goroutineleak, or the name of one of the program's own; of a
	// service also a type of Pyroscope's, such as process_cpu:cpu:nanoseconds:cpu:nanoseconds. Empty is cpu.
	Type string `json:"type,omitempty"`
	// SampleType is which of the profile's values are meant, such as
	// inuse_space; empty is the one that the profile says is usual.
	SampleType string `json:"sampleType,omitempty"`
	// Seconds to collect for, of cpu and of an execution trace; 0 is 10. A
	// profile that has been collected already is as long as it is.
	Seconds int `json:"seconds,omitempty"`
	// Function is a regular expression: samples with such a function in their stack are kept.
	Function string `json:"function,omitempty"`
	// Label keeps samples that have this label: key=value, the value a regular expression.
	Label string `json:"label,omitempty"`
	// GroupBy is what the rows of profile-heat are: "function", which is also
	// what nothing stands for, or "label:KEY".
	GroupBy string `json:"groupBy,omitempty"`
	// From and To are a window of its own, in milliseconds since 1970; 0 stands for the query's range.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`

	Base *Profile `json:"base,omitempty"`
}

// Arm is one side of a comparison, baseline or candidate: all that is set must
// hold. With nothing set it is all of the query's range; a query without a
// baseline has the version "(previous)" for one, and without a candidate "(latest)".
type Arm struct {
	// Version of the service; "(latest)" and "(previous)" are the last and the last but one that were first seen in the query's range or before it.
	Version string `json:"version,omitempty"`
	// From and To are a window of its own, in milliseconds since 1970; 0 stands for the query's range.
	From int64 `json:"from,omitempty"`
	To   int64 `json:"to,omitempty"`
	// Query is the refId of another query of the same request, whose pom, matchers and range it has.
	Query string `json:"query,omitempty"`
}

// Versions that stand for whatever is last, and last but one.
const (
	LatestVersion   = "(latest)"
	PreviousVersion = "(previous)"
)

// What a difference may be of.
const (
	PerShare   = "share"
	PerRequest = "request"
	PerSecond  = "second"
)

// Matcher keeps what has one of the values in a dimension.
type Matcher struct {
	Dimension string   `json:"dimension"`
	Values    []string `json:"values"`
}

// Settings is the jsonData of a data source.
type Settings struct {
	Agents []Agent `json:"agents,omitempty"`
	// Targets are programs that serve net/http/pprof.
	Targets []Target `json:"targets,omitempty"`
	// Pyroscope keeps profiles of services; absent for none.
	Pyroscope *Pyroscope `json:"pyroscope,omitempty"`
	// TimeoutSeconds limits one request to one agent; 0 means 10.
	TimeoutSeconds int `json:"timeoutSeconds,omitempty"`
}

// Agent is one gotherm-agent to query. Its bearer token, when it has one, is the secret "token.<name>".
type Agent struct {
	// Name tells agents apart in notices and health.
	Name string `json:"name"`
	// URL such as http://127.0.0.1:7117 or https://host:7117.
	URL string `json:"url"`
	// CA is a PEM certificate that the agent's TLS certificate is checked against, when it is not a public one.
	CA string `json:"ca,omitempty"`
}

// Target is a program that serves net/http/pprof. The value of a header is the secret "header.<name of the target>.<header>".
type Target struct {
	// Name is what queries call it.
	Name string `json:"name"`
	// URL of the index page, such as http://127.0.0.1:6060/debug/pprof/.
	URL string `json:"url"`
	// CA is a PEM certificate that the target's TLS certificate is checked against, when it is not a public one.
	CA string `json:"ca,omitempty"`
	// Headers are the names of those that are sent with each request, such as Authorization.
	Headers []string `json:"headers,omitempty"`
}

// Pyroscope is a Pyroscope server. The value of a header is the secret "pyroscope.<header>".
type Pyroscope struct {
	// URL such as http://127.0.0.1:4040.
	URL string `json:"url"`
	// CA is a PEM certificate that the server's TLS certificate is checked against, when it is not a public one.
	CA string `json:"ca,omitempty"`
	// Headers are the names of those that are sent with each request: Authorization, or X-Scope-OrgID, which names a tenant.
	Headers []string `json:"headers,omitempty"`
}
