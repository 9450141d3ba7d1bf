package query

// Answers of the resource calls, all of them GET. Wherever some agents failed,
// what the others say is answered, and notices say who failed and why; where all
// did, the answer is HTTP 502 with {"error": text}. Bad parameters are HTTP 400
// with the same.
//
//	agents                                          AgentsAnswer
//	processes                                       ProcessesAnswer
//	points                                          PointsAnswer
//	dimensions?pom=                                 ValuesAnswer, in the order of display
//	values?dimension=[&pom=][&matchers=][&from=&to=]   ValuesAnswer, ascending
//	targets                                         ValuesAnswer, in the order of the settings
//	services[?from=&to=]                            ValuesAnswer, ascending: those whose profiles Pyroscope keeps
//	profiles?target=                                ProfilesAnswer
//	profiles?service=[&from=&to=]                   ProfilesAnswer, ascending
//
// For values, pom may be left out for the dimensions process, service and
// version: then, and for a gauge, they are those of the processes that the
// agents see. matchers is JSON, as in a Query. from and to are milliseconds since 1970; without them it
// is the last hour.

// ValuesAnswer lists dimensions, or values of one.
type ValuesAnswer struct {
	Values  []string `json:"values"`
	Notices []string `json:"notices,omitempty"`
}

// ProfilesAnswer lists the profiles that a target serves, or that Pyroscope keeps of a service.
type ProfilesAnswer struct {
	Profiles []ProfileType `json:"profiles"`
}

// ProfileType is one profile that can be asked for.
type ProfileType struct {
	// Type is its name in a query.
	Type string `json:"type"`
	// Count is how many records it has now; 0 where nobody says.
	Count int64 `json:"count"`
	// Timed says that it is collected for a number of seconds.
	Timed bool `json:"timed"`
}

// PointsAnswer is the catalogue of measurement points, of all agents together.
type PointsAnswer struct {
	Points  []Point  `json:"points"`
	Notices []string `json:"notices,omitempty"`
}

// Point is a measurement point.
type Point struct {
	Name string `json:"name"`
	// Unit is "ns" for durations, "By" for bytes and "1" for counts and ratios.
	Unit       string   `json:"unit" jsonschema:"enum=ns,enum=By,enum=1"`
	Tier       string   `json:"tier"`
	Help       string   `json:"help"`
	Dimensions []string `json:"dimensions"`
	// Numbers are those of the dimensions whose values are numbers: what can be y of a spectrum.
	Numbers []string `json:"numbers"`
	// OnDemand is watched only while a query with attach asks for it.
	OnDemand bool `json:"onDemand"`
	// Gauge is measured once a second, and not by hits: it has heatmap and series only.
	Gauge bool `json:"gauge"`
	// Goroutines says that there is a grid of it.
	Goroutines bool `json:"goroutines"`
	// Exemplars says that there are exemplars of it.
	Exemplars bool `json:"exemplars"`
}

// ProcessesAnswer lists the Go processes that the agents see.
type ProcessesAnswer struct {
	Processes []Process `json:"processes"`
	Notices   []string  `json:"notices,omitempty"`
}

// Process is a Go process on the host of an agent.
type Process struct {
	Agent      string `json:"agent"`
	Hostname   string `json:"hostname"`
	ID         string `json:"id"`
	PID        uint32 `json:"pid"`
	Executable string `json:"executable"`
	Service    string `json:"service"`
	Version    string `json:"version"`
	Revision   string `json:"revision"`
	GoVersion  string `json:"goVersion"`
	// Container and Unit, of systemd, are the innermost that it runs in; empty for none.
	Container string `json:"container,omitempty"`
	Unit      string `json:"unit,omitempty"`
	// Refused is why it is not watched; empty when it is.
	Refused string         `json:"refused,omitempty"`
	Points  []ProcessPoint `json:"points"`
	// Cost is what watching costs it; absent when it is not watched.
	Cost *Cost `json:"cost,omitempty"`
}

// Cost is what watching costs a process, over the last seconds.
type Cost struct {
	// Ratio of the CPU time that the process uses, and what it may be: 0.01 is 1 %.
	Ratio  float64 `json:"ratio"`
	Budget float64 `json:"budget"`
	// CPUs that the process uses, 1.5 for one and a half.
	CPUs float64 `json:"cpus"`
	// Heat says how finely it is watched.
	Heat string `json:"heat" jsonschema:"enum=cold,enum=warm,enum=hot,enum="`
}

// ProcessPoint is how a measurement point is with one process.
type ProcessPoint struct {
	POM    string `json:"pom"`
	State  string `json:"state" jsonschema:"enum=attached,enum=firing,enum=available,enum=refused,enum=shed,enum=unknown"`
	Reason string `json:"reason,omitempty"`
	Hits   uint64 `json:"hits"`
}

// AgentsAnswer says how each agent is. The health check has it as its details.
type AgentsAnswer struct {
	Agents []AgentState `json:"agents"`
}

// AgentState is how one agent is, in the order of the settings.
type AgentState struct {
	Name string `json:"name"`
	URL  string `json:"url"`
	// Error is why it does not answer; everything below is empty then.
	Error            string `json:"error,omitempty"`
	Version          string `json:"version,omitempty"`
	Hostname         string `json:"hostname,omitempty"`
	Kernel           string `json:"kernel,omitempty"`
	Architecture     string `json:"architecture,omitempty"`
	NUMANodes        uint32 `json:"numaNodes,omitempty"`
	CPUs             uint32 `json:"cpus,omitempty"`
	ProcessesWatched uint32 `json:"processesWatched"`
	ProcessesRefused uint32 `json:"processesRefused"`
	// PointsFiring counts pairs of a process and a measurement point that has been seen to fire in it.
	PointsFiring int `json:"pointsFiring"`
	// Shed lists the points that were detached to hold the cost of watching, by process, with their reasons.
	Shed       []string     `json:"shed,omitempty"`
	Accounting []Accounting `json:"accounting,omitempty"`
}

// Accounting of one measurement point: carried + counted = hits.
type Accounting struct {
	POM     string `json:"pom"`
	Hits    uint64 `json:"hits"`
	Carried uint64 `json:"carried"`
	Counted uint64 `json:"counted"`
	// Coarse are those of the counted whose finer dimensions were given up.
	Coarse uint64 `json:"coarse"`
}
