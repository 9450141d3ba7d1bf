// Package datasource is the data source's back end: it asks the configured
// agents, merges what they say and hands it to package frames; and it collects
// the profiles that configured targets serve, and those that Pyroscope keeps. One file per
// handler: querydata.go, checkhealth.go, resources.go, stream.go.
package datasource

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
	"github.com/grafana/grafana-plugin-sdk-go/backend/instancemgmt"
	"github.com/grafana/grafana-plugin-sdk-go/backend/resource/httpadapter"
	lru "github.com/hashicorp/golang-lru/v2"
)

// Datasource is one configured data source. The SDK makes a new one when its
// settings change, and disposes of the old.
type Datasource struct {
	backend.CallResourceHandler
	agents  []*agent
	targets []*target
	// pyroscope is nil where none is configured.
	pyroscope *pyroscope
	// broken says what is wrong with the settings; every handler answers with it.
	broken error
	// channels are the live channels that queries have handed out, by path.
	channels *lru.Cache[string, channel]
	feeds    *feeds
	// tails are those of single hits.
	tails        *lru.Cache[string, eventsChannel]
	eventStreams atomic.Int32
	// programs are processes whose stages were asked for, by their names.
	programs *lru.Cache[string, *program]
	// disposed is done when the data source is.
	disposed context.Context
	dispose  context.CancelFunc
}

// New makes a data source of its settings. Settings that are wrong do not fail
// it: the health check and the queries say what is wrong with them.
func New(ctx context.Context, from backend.DataSourceInstanceSettings) (instancemgmt.Instance, error) {
	channels, err := lru.New[string, channel](maxChannels)
	if err != nil {
		return nil, fmt.Errorf("make data source: %w", err)
	}
	tails, err := lru.New[string, eventsChannel](maxChannels)
	if err != nil {
		return nil, fmt.Errorf("make data source: %w", err)
	}
	programs, err := lru.New[string, *program](maxPrograms)
	if err != nil {
		return nil, fmt.Errorf("make data source: %w", err)
	}
	d := &Datasource{channels: channels, feeds: newFeeds(), tails: tails, programs: programs}
	// It outlives the request that it is made for.
	d.disposed, d.dispose = context.WithCancel(context.WithoutCancel(ctx))
	d.CallResourceHandler = httpadapter.New(d.resources())
	configured, err := readSettings(from)
	if err != nil {
		d.broken = err
		return d, nil
	}
	for _, s := range configured.agents {
		a, err := newAgent(s, configured.timeout)
		if err != nil {
			d.broken = fmt.Errorf("agent %s: %w", s.name, err)
			return d, nil
		}
		d.agents = append(d.agents, a)
	}
	for _, s := range configured.targets {
		t, err := newTarget(s, configured.timeout)
		if err != nil {
			d.broken = fmt.Errorf("target %s: %w", s.name, err)
			return d, nil
		}
		d.targets = append(d.targets, t)
	}
	if s := configured.pyroscope; s != nil {
		if d.pyroscope, err = newPyroscope(*s, configured.timeout); err != nil {
			d.broken = fmt.Errorf("pyroscope: %w", err)
		}
	}
	return d, nil
}

// Dispose ends the streams and closes the connections.
func (d *Datasource) Dispose() {
	d.dispose()
	d.feeds.close()
	for _, a := range d.agents {
		a.close()
	}
	for _, t := range d.targets {
		t.close()
	}
	if d.pyroscope != nil {
		d.pyroscope.close()
	}
}
