package datasource

import (
	"fmt"
	"time"
)

// Limits. Whoever is over one is told the field, what was found and the limit.
const (
	// maxRange is the longest time range: agents keep no more.
	maxRange = 7 * 24 * time.Hour
	// maxColumns is how many columns a query may have when Grafana asks for more, or does not say.
	maxColumns = 2000
	// maxSeries is how many series one query may return.
	maxSeries = 200
	// maxCompared is how many series one comparison may have.
	maxCompared = 50
	// maxCells is how many cells the frames of one query may have together.
	maxCells = 500_000
	// maxExemplars is how many exemplars one query returns: the greatest.
	maxExemplars = 100
	// maxEvents is how many single hits a second a query gets, of all agents
	// together, and maxEventStreams how many streams of them one data source has.
	maxEvents       = 2000
	maxEventStreams = 8
	// parallelCalls is how many of the questions about a cell one agent is asked at once.
	parallelCalls = 4
	// maxPoints is how many points the series frames of one query may have together.
	maxPoints = 200_000
	// maxStatistics is how many statistics one query may ask for.
	maxStatistics = 16
	// maxMatchers and maxValues are how many matchers a query may have, and values each.
	maxMatchers, maxValues = 16, 100
	// maxAgents is how many agents a data source may have.
	maxAgents = 100
	// maxTargets is how many targets a data source may have, and maxHeaders how many headers each.
	maxTargets, maxHeaders = 100, 16
	// defaultProfileSeconds and maxProfileSeconds are how long a CPU profile is collected when the query does not say, and at most.
	defaultProfileSeconds, maxProfileSeconds = 10, 60
	// maxCollectSeconds is the same of a process whose agent is asked.
	maxCollectSeconds = 20
	// maxCollected is how many profiles that agents keep one query may be of, and maxRows how many rows their heat has: those with the most.
	maxCollected, maxRows = 1000, 40
	// maxStoredColumns is how many columns heat of functions has that Pyroscope
	// keeps: each is a request. storedStep is how wide one is at least: profiles
	// come every 15 seconds or more seldom, and a column should have some.
	maxStoredColumns, storedStep = 60, time.Minute
	// freshProfile is how long a profile that was collected is shown to whoever asks for the same.
	freshProfile = 10 * time.Second
	// maxCollections is how many different profiles of one target may be under way or fresh.
	maxCollections = 16
	// maxStaged is how many times that a program's stages were collected are remembered, and maxPrograms of how many processes.
	maxStaged, maxPrograms = 120, 20
	// maxBars is how many bars a flame graph has before the narrowest are folded.
	maxBars = 50_000
	// maxFunctions is how many functions a table has: those with the most.
	maxFunctions = 20_000
	// maxTimeout is the longest that one request to one agent may take.
	maxTimeout = 60 * time.Second
	// maxAnswer is how many bytes one answer of an agent may have.
	maxAnswer = 64 << 20
	// maxList is how many bytes one list of Pyroscope's may have: of services, types and series.
	maxList = 8 << 20
	// maxChannels is how many live channels one data source remembers; the one
	// that was longest out of use is forgotten first.
	maxChannels = 1000
)

// atMost is the error for a count over its limit.
func atMost(field string, found, limit int, remedy string) error {
	if found <= limit {
		return nil
	}
	return fmt.Errorf("%s: %d found, at most %d: %s", field, found, limit, remedy)
}
