package datasource

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"time"

	"github.com/gotherm/gotherm/pkg/frames"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/data"
	"github.com/grafana/grafana-plugin-sdk-go/live"
)

// A live query's frames name a channel each, and what comes over it continues
// the frame: the same fields, labels and units. A compact frame has no columns
// to append to, and so has another, plain one beside it for what comes: the panel
// shows the two as one. A channel is
//
//	ds/<uid of the data source>/heat/<hash of query and series>
//
// The hash stands for a query that passed all checks and is remembered here.
// One that is not known, since the process or the settings are new, is
// answered "not found": the panel asks its query again and gets a channel that is.
// Channels of single hits are in events.go.
const channelPrefix = "heat/"

// recent is how far back a new subscriber is given columns: enough for what was
// completed between its query and its subscription.
const recent = 20 * time.Second

// channel is what a live channel shows: one series of a query.
type channel struct {
	heatQuery
	attach bool
	about  frames.Subject
	// labels of the series; all says that it is the sum of all series instead.
	labels map[string]string
	all    bool
	// continues says that its frames go on where a compact frame ends.
	continues bool
	// statistic is what a channel of the kind series shows; heatmaps have none.
	statistic frames.Statistic
}

// canonical spells a query so that equal ones are spelt the same.
func (q heatQuery) canonical() string {
	// Strings, in the order in which they were asked for: can't fail.
	spelt, _ := json.Marshal([]any{q.pom, q.matchers, q.groupBy, q.step})
	return string(spelt)
}

func (c channel) path() string {
	return channelPrefix + hashed("%s %q %q %v %t %t %t", c.canonical(), c.about.Legend, c.statistic, labelKey(c.labels), c.all, c.attach, c.continues)
}

// hashed is the end of a path that stands for a text.
func hashed(format string, args ...any) string {
	hash := sha256.Sum256(fmt.Appendf(nil, format, args...))
	return base64.RawURLEncoding.EncodeToString(hash[:18])
}

// openChannel remembers the channel and names it in the frame that it continues.
func (d *Datasource) openChannel(from backend.PluginContext, f *data.Frame, c channel) {
	path := c.path()
	d.channels.Add(path, c)
	f.Meta.Channel = live.Channel{Scope: live.ScopeDatasource, Namespace: from.DataSourceInstanceSettings.UID, Path: path}.String()
}

// SubscribeStream lets in who asks for a channel that a query has handed out,
// and gives the columns that may have been completed since that query. For a
// series it gives none: a reader of time series wants its times to ascend.
func (d *Datasource) SubscribeStream(ctx context.Context, req *backend.SubscribeStreamRequest) (*backend.SubscribeStreamResponse, error) {
	if c, known := d.tails.Get(req.Path); known {
		return subscribeToEvents(c)
	}
	c, known := d.channels.Get(req.Path)
	if !known {
		return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusNotFound}, nil
	}
	series := heat.Series{Labels: c.labels}
	if c.isHeatmap() {
		end := floor(time.Now(), c.step)
		start := floor(end.Add(-max(recent, 2*c.step)), c.step)
		merged, _, err := d.askHeat(ctx, c.heatQuery, start, end, false)
		if err != nil {
			return nil, backend.DownstreamError(fmt.Errorf("subscribe to %s: %w", req.Path, err))
		}
		series = c.pick(merged)
	}
	initial, err := backend.NewInitialFrame(c.frame(series), data.IncludeAll)
	if err != nil {
		return nil, fmt.Errorf("subscribe to %s: %w", req.Path, err)
	}
	return &backend.SubscribeStreamResponse{Status: backend.SubscribeStreamStatusOK, InitialData: initial}, nil
}

// PublishStream refuses: channels are for reading.
func (d *Datasource) PublishStream(context.Context, *backend.PublishStreamRequest) (*backend.PublishStreamResponse, error) {
	return &backend.PublishStreamResponse{Status: backend.PublishStreamStatusPermissionDenied}, nil
}

// RunStream sends each new column of the channel's series as a frame, without
// rows when nothing was hit: so a reader can tell quiet from dead. Where a
// column comes again, the later replaces the earlier.
func (d *Datasource) RunStream(ctx context.Context, req *backend.RunStreamRequest, sender *backend.StreamSender) error {
	if c, known := d.tails.Get(req.Path); known {
		return d.runEvents(ctx, c, sender)
	}
	c, known := d.channels.Get(req.Path)
	if !known {
		return backend.DownstreamError(fmt.Errorf("run stream %s: no query of this process has handed it out: query again", req.Path))
	}
	columns, leave, err := d.feeds.watch(d.agents, c.heatQuery, c.attach)
	if err != nil {
		return fmt.Errorf("run stream %s: %w", req.Path, err)
	}
	defer leave()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case next, open := <-columns:
			if !open {
				return fmt.Errorf("run stream %s: it has ended: query again", req.Path)
			}
			series := c.pick(next.heat)
			if len(series.Columns) == 0 {
				series.Columns = []heat.Column{{Start: next.start}}
			}
			if err := sender.SendFrame(c.frame(series), data.IncludeAll); err != nil {
				return fmt.Errorf("run stream %s: %w", req.Path, err)
			}
		}
	}
}

// pick returns the channel's series of the heat of its query.
func (c channel) pick(merged heatOf) heat.Series {
	wanted := heat.Series{Labels: c.labels}
	key := labelKey(c.labels)
	byTime := map[int64]int{}
	for _, s := range merged.series {
		if !c.all && labelKey(s.Labels) != key {
			continue
		}
		for _, column := range s.Columns {
			at := column.Start.Unix()
			if i, there := byTime[at]; there {
				wanted.Columns[i] = addColumns(wanted.Columns[i], column)
				continue
			}
			byTime[at] = len(wanted.Columns)
			wanted.Columns = append(wanted.Columns, column)
		}
	}
	return wanted
}

func (c channel) isHeatmap() bool { return c.statistic.String() == "" }

// streamed is what the channel's frames are about.
func (c channel) streamed() frames.Subject {
	about := c.about
	if c.continues {
		about.Stream = c.path()
	}
	return about
}

// frame makes the frame of some columns, of the same schema as the query's.
func (c channel) frame(series heat.Series) *data.Frame {
	if c.isHeatmap() {
		return frames.HeatmapColumns(c.streamed(), series)
	}
	var end time.Time
	if n := len(series.Columns); n > 0 {
		end = series.Columns[n-1].Start.Add(c.step)
	}
	return frames.Series(c.about, c.statistic, series, end)
}
