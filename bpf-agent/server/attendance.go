package server

import (
	"slices"
	"sync"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// attendance remembers who was watched, and when, for as long as the head
// remembers heat. It tells a second in which nothing was hit from one in which
// nobody looked, and which processes of /metrics are still worth a series.
type attendance struct {
	mu        sync.RWMutex
	processes map[string]*attended // by process id
}

// attended is one process.
type attended struct {
	key      heat.Key // its process, service and version; nothing else is set
	lastSeen time.Time
	ended    bool
	watched  map[string][]stay // by POM
}

// stay is a range of seconds, [from, to).
type stay struct{ from, to int64 }

// mark is what attendance is told of one process.
type mark struct {
	key     heat.Key
	watched []string // POMs
}

const (
	// absence is how long a mark may be missing before watching counts as
	// interrupted; marks come once a second.
	absence = 3
	// farewell is how long an ended process keeps its series in /metrics, so
	// that its last hits are scraped.
	farewell = 5 * time.Minute
	// maxEnded is how many ended processes are remembered, those that were seen
	// last; of others it is not known when nobody looked.
	maxEnded = 512
)

func newAttendance() *attendance { return &attendance{processes: map[string]*attended{}} }

// take records all processes there are at now.
func (a *attendance) take(now time.Time, marks []mark) {
	a.mu.Lock()
	defer a.mu.Unlock()
	second := now.Unix()
	for _, p := range a.processes {
		p.ended = true
	}
	for _, m := range marks {
		p := a.processes[m.key.Process]
		if p == nil {
			p = &attended{watched: map[string][]stay{}}
			a.processes[m.key.Process] = p
		}
		p.key, p.lastSeen, p.ended = m.key, now, false
		for _, pom := range m.watched {
			stays := p.watched[pom]
			if n := len(stays); n > 0 && second <= stays[n-1].to+absence {
				stays[n-1].to = max(stays[n-1].to, second+1)
			} else {
				stays = append(stays, stay{second, second + 1})
			}
			p.watched[pom] = stays
		}
	}
	forgotten := second - heat.HeadColumns
	var ended []string
	for id, p := range a.processes {
		for pom, stays := range p.watched {
			for len(stays) > 0 && stays[0].to < forgotten {
				stays = stays[1:]
			}
			p.watched[pom] = stays
		}
		if p.ended {
			ended = append(ended, id)
		}
	}
	slices.SortFunc(ended, func(x, y string) int { return a.processes[y].lastSeen.Compare(a.processes[x].lastSeen) })
	for i, id := range ended {
		if i >= maxEnded || a.processes[id].lastSeen.Unix() < forgotten {
			delete(a.processes, id)
		}
	}
}

// present says whether a process runs, or has run within the farewell.
func (a *attendance) present(process string, now time.Time) bool {
	a.mu.RLock()
	defer a.mu.RUnlock()
	p := a.processes[process]
	return p != nil && (!p.ended || now.Sub(p.lastSeen) < farewell)
}

// watchers returns the processes of a POM that pass the matchers, and when
// each was watched.
func (a *attendance) watchers(pom string, matchers []heat.Matcher) (all []watcher) {
	a.mu.RLock()
	defer a.mu.RUnlock()
	for _, p := range a.processes {
		if stays := p.watched[pom]; len(stays) > 0 && p.key.Matches(matchers) {
			all = append(all, watcher{p.key, append([]stay(nil), stays...)})
		}
	}
	return all
}

type watcher struct {
	key   heat.Key
	stays []stay
}

// fill marks the columns, of step seconds from first on, that a stay touches.
func (w watcher) fill(columns []bool, first, step int64) {
	for _, s := range w.stays {
		from, to := (s.from-first)/step, (s.to-1-first)/step
		if s.from < first {
			from = 0
		}
		if s.to <= first {
			continue
		}
		for i := from; i <= to && i < int64(len(columns)); i++ {
			columns[i] = true
		}
	}
}
