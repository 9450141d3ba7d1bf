package datasource

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"connectrpc.com/connect"
	"github.com/cenkalti/backoff/v5"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"google.golang.org/protobuf/types/known/durationpb"
)

const (
	// lateAfter is how long a column waits for the agents that have not sent theirs.
	lateAfter = 2 * time.Second
	// remembered is how many columns a feed can still correct when an agent
	// that was away sends what is missing.
	remembered = 120
)

// feed merges the streams of all agents for one query, and gives each column to
// everyone who watches it, whichever series they want of it. It lives while
// somebody does:
//
//	agent A ── WatchHeat ──┐
//	agent B ── WatchHeat ──┼─▶ columns being merged ──▶ watchers: one per series and panel
//	agent C    (away)    ╌╌┘
//
// A column is given out when every agent that is connected has sent it, or
// lateAfter after the first has. When another agent's part comes still later,
// the column is given out again, whole: the later replaces the earlier. An
// agent that comes back is first asked for the columns it was away for, so
// nothing that an agent has counted is missing in the end.
//
// Columns from before the feed began have been shown by queries already, with
// what all agents said. Those wait for all, however late: less would replace more.
type feed struct {
	query heatQuery
	began time.Time
	parts chan part
	done  context.CancelFunc

	mu       sync.Mutex
	watchers map[chan mergedColumn]struct{}
}

// part is one agent's share of one column; or, with up or down, news of its connection.
type part struct {
	agent int
	start time.Time
	heat  heatOf
	news  connection
}

type connection uint8

const (
	column connection = iota
	up
	down
	// unknown is an agent that was called and has not answered yet.
	unknown
)

// mergedColumn is one column of all series.
type mergedColumn struct {
	start time.Time
	heat  heatOf
}

// feeds holds the feeds that somebody watches, by their query.
type feeds struct {
	mu     sync.Mutex
	byKey  map[string]*feed
	closed bool
}

func newFeeds() *feeds { return &feeds{byKey: map[string]*feed{}} }

// watch joins the feed of the query, and starts it for the first. The columns
// end when the feed does, or when the watcher is too slow to take them. The
// watcher must call leave.
func (f *feeds) watch(agents []*agent, q heatQuery, attach bool) (columns <-chan mergedColumn, leave func(), err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil, nil, fmt.Errorf("the data source's settings have changed: query again")
	}
	key := fmt.Sprintf("%q %v", q.canonical(), attach)
	one := f.byKey[key]
	if one == nil {
		ctx, cancel := context.WithCancel(context.Background())
		one = &feed{query: q, began: floor(time.Now(), q.step), parts: make(chan part), done: cancel, watchers: map[chan mergedColumn]struct{}{}}
		f.byKey[key] = one
		for i, a := range agents {
			go one.follow(ctx, i, a)
			if attach {
				go a.keepAttached(ctx, q)
			}
		}
		go one.merge(ctx, len(agents))
	}
	// Room for a burst after an agent was away; beyond it the watcher has to query again anyway.
	watcher := make(chan mergedColumn, 2*remembered)
	one.mu.Lock()
	one.watchers[watcher] = struct{}{}
	one.mu.Unlock()
	leave = func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		one.mu.Lock()
		defer one.mu.Unlock()
		if _, there := one.watchers[watcher]; there {
			delete(one.watchers, watcher)
			close(watcher)
		}
		if len(one.watchers) == 0 && f.byKey[key] == one {
			one.done()
			delete(f.byKey, key)
		}
	}
	return watcher, leave, nil
}

// close ends all feeds.
func (f *feeds) close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for key, one := range f.byKey {
		one.done()
		one.mu.Lock()
		for w := range one.watchers {
			delete(one.watchers, w)
			close(w)
		}
		one.mu.Unlock()
		delete(f.byKey, key)
	}
}

// give hands a column to all watchers. One whose room is full is dropped
// rather than waited for.
func (f *feed) give(c mergedColumn) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		select {
		case w <- c:
		default:
			delete(f.watchers, w)
			close(w)
		}
	}
}

// follow keeps a stream from one agent open, with pauses that grow while it is away.
func (f *feed) follow(ctx context.Context, index int, a *agent) {
	pause := backoff.NewExponentialBackOff()
	pause.MaxInterval = 30 * time.Second
	// The first column that this agent has not sent yet.
	next := floor(time.Now().Add(-settled), f.query.step)
	for ctx.Err() == nil {
		f.receive(ctx, index, a, &next, pause.Reset)
		f.pass(ctx, part{agent: index, news: down})
		select {
		case <-ctx.Done():
		case <-time.After(pause.NextBackOff()):
		}
	}
}

// receive opens a stream and passes on what it brings until it ends. Why it
// ended is said by the next query, as a notice.
func (f *feed) receive(ctx context.Context, index int, a *agent, next *time.Time, alive func()) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	// The timeout is for the beginning of the answer only: columns may be far between.
	silence := time.AfterFunc(a.timeout, cancel)
	stream, err := a.api.WatchHeat(ctx, connect.NewRequest(&pb.WatchHeatRequest{
		Pom: f.query.pom, Matchers: onTheWire(f.query.matchers), GroupBy: f.query.groupBy, Step: durationpb.New(f.query.step),
	}))
	if err != nil {
		return
	}
	defer func() { _ = stream.Close() }()
	stream.ResponseHeader() // waits for it
	silence.Stop()
	f.pass(ctx, part{agent: index, news: up})
	for first := true; stream.Receive(); first = false {
		said := stream.Msg()
		start := said.ColumnStart.AsTime()
		end := start.Add(f.query.step)
		series, err := readSeries(said.Series, said.Unit, start, end, f.query.step)
		if err != nil {
			return
		}
		if first {
			alive()
			f.catchUp(ctx, index, a, *next, start)
		}
		if !start.Before(*next) {
			f.pass(ctx, part{agent: index, start: start, heat: heatOf{said.Unit, series}})
			*next = end
		}
	}
}

// catchUp asks for the columns from the one that is missing up to the first that the stream brought.
func (f *feed) catchUp(ctx context.Context, index int, a *agent, from, to time.Time) {
	if oldest := to.Add(-remembered * f.query.step); from.Before(oldest) {
		from = oldest
	}
	if !from.Before(to) {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, a.timeout)
	defer cancel()
	missed, err := a.queryHeat(ctx, f.query, from, to)
	if err != nil {
		return // the columns are there for the next query
	}
	for at := from; at.Before(to); at = at.Add(f.query.step) {
		f.pass(ctx, part{agent: index, start: at, heat: heatOf{missed.unit, columnsAt(missed.series, at)}})
	}
}

// columnsAt returns the series cut down to the column of one time.
func columnsAt(series []heat.Series, at time.Time) []heat.Series {
	var result []heat.Series
	for _, s := range series {
		for _, c := range s.Columns {
			if c.Start.Equal(at) {
				result = append(result, heat.Series{Labels: s.Labels, Columns: []heat.Column{c}})
			}
		}
	}
	return result
}

func (f *feed) pass(ctx context.Context, p part) {
	select {
	case f.parts <- p:
	case <-ctx.Done():
	}
}

// pending is a column that agents have begun to send.
type pending struct {
	parts map[int]heatOf
	// due is when it is given out with what there is; zero for never.
	due   time.Time
	given bool
}

// merge puts the agents' parts together and gives the columns out.
func (f *feed) merge(ctx context.Context, agents int) {
	connections := make([]connection, agents)
	for i := range connections {
		connections[i] = unknown
	}
	columns := map[int64]*pending{}
	tick := time.NewTicker(lateAfter / 4)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			f.giveAll(columns, func(c *pending) bool { return !c.due.IsZero() && now.After(c.due) })
		case p := <-f.parts:
			if p.news == column {
				f.add(columns, connections, p)
				continue
			}
			connections[p.agent] = p.news
			f.giveAll(columns, func(c *pending) bool { return complete(c, connections) })
		}
	}
}

func (f *feed) add(columns map[int64]*pending, connections []connection, p part) {
	at := p.start.Unix()
	c := columns[at]
	if c == nil {
		c = &pending{parts: map[int]heatOf{}}
		if !p.start.Before(f.began) {
			c.due = time.Now().Add(lateAfter)
		}
		columns[at] = c
		forget(columns)
	}
	if _, known := c.parts[p.agent]; known {
		return
	}
	c.parts[p.agent] = p.heat
	if late := c.given && len(p.heat.series) > 0; late || !c.given && complete(c, connections) {
		f.giveOut(at, c)
	}
}

// complete says whether all agents have sent the column but those that are away.
func complete(c *pending, connections []connection) bool {
	for agent, state := range connections {
		if _, sent := c.parts[agent]; !sent && state != down {
			return false
		}
	}
	return true
}

// giveAll gives out, in the order of time, the columns that have not been and are ready.
func (f *feed) giveAll(columns map[int64]*pending, ready func(*pending) bool) {
	for _, at := range slices.Sorted(maps.Keys(columns)) {
		if c := columns[at]; !c.given && ready(c) {
			f.giveOut(at, c)
		}
	}
}

func (f *feed) giveOut(at int64, c *pending) {
	c.given = true
	parts := make([]heatOf, 0, len(c.parts))
	for _, p := range c.parts {
		parts = append(parts, p)
	}
	merged, err := merge(parts)
	if err != nil {
		return // agents that disagree on the unit: the next query says so
	}
	f.give(mergedColumn{time.Unix(at, 0), merged})
}

// forget drops the oldest column when there are too many.
func forget(columns map[int64]*pending) {
	if len(columns) <= 2*remembered {
		return
	}
	delete(columns, slices.Min(slices.Collect(maps.Keys(columns))))
}
