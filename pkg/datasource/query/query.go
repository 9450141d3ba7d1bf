// Package query is the data source's query model: the one definition from
// which the TypeScript types are generated (go tool mage generate).
package query

// Kind is what a query returns.
type Kind string

const (
	// KindHeatmap returns sparse heatmap-cells frames, one for each series.
	KindHeatmap Kind = "heatmap"
	// KindSeries returns statistics over time; alert rules can use it.
	KindSeries Kind = "series"
	// KindGrid returns the goroutine grid.
	KindGrid Kind = "grid"
	// KindReleases returns one annotation for each release.
	KindReleases Kind = "releases"
)

// Query is what a panel, an alert rule or Explore asks of the data source.
type Query struct {
	// Kind is what to return.
	Kind Kind `json:"kind" jsonschema:"enum=heatmap,enum=series,enum=grid,enum=releases"`
	// POM is the measurement point, such as "sched.latency". Not used by releases.
	POM string `json:"pom,omitempty"`
	// Matchers keep what has one of the values in each dimension.
	Matchers []Matcher `json:"matchers,omitempty"`
	// GroupBy lists the dimensions that tell series apart; all others are summed over.
	GroupBy []string `json:"groupBy,omitempty"`
	// Statistics are what a series query computes: "count", "rate" (hits per
	// second), "sum", "share" (of wall time, of a duration: 0.01 for 10 ms
	// in each second), "mean", "max", or a quantile as "p50", "p99.9".
	Statistics []string `json:"statistics,omitempty"`
	// Side of the goroutine grid: 256, 512 or 1024; 0 lets the agent choose.
	Side int `json:"side,omitempty" jsonschema:"enum=0,enum=256,enum=512,enum=1024"`
	// Attach asks the agents to watch a measurement point that is only watched on demand, while this query is being asked.
	Attach bool `json:"attach,omitempty"`
	// Live streams new columns as they are complete.
	Live bool `json:"live,omitempty"`
	// Legend names a series: text with {{dimension}} in it.
	Legend string `json:"legend,omitempty"`
}

// Matcher keeps what has one of the values in a dimension.
type Matcher struct {
	Dimension string   `json:"dimension"`
	Values    []string `json:"values"`
}

// Settings is the jsonData of a data source.
type Settings struct {
	Agents []Agent `json:"agents,omitempty"`
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
