package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

const (
	// maxChannels limits the channels of one session.
	maxChannels = 100
	// rejoinPause is how long a session waits before it asks for a channel again that ended.
	rejoinPause = time.Second
	// heartbeat is how often a silent stream says that it lives.
	heartbeat = 15 * time.Second
)

// live is what Grafana Live is to a panel: it runs the plugin's streams for
// the pages that want them. A page has one stream of events for all of its
// channels, since a browser holds but six connections to a host:
//
//	page                              workbench                      plugin
//	 |  GET /api/live                    |                              |
//	 |  <- event: session {"id": ...}    |                              |
//	 |  PUT /api/live/ID {"channels":[]} |  SubscribeStream, RunStream  |
//	 |  <- event: frame {"channel": ...} |  <- packets                  |
//
// A channel whose stream ends, since the plugin died, is joined again.
type live struct {
	plugin *keeper
	source *source

	mu       sync.Mutex
	sessions map[string]*session
}

type session struct {
	ctx    context.Context
	events chan event

	mu       sync.Mutex
	channels map[string]context.CancelFunc
}

type event struct {
	name string
	data any
}

type frameEvent struct {
	Channel string          `json:"channel"`
	Frame   json.RawMessage `json:"frame"`
}

type gapEvent struct {
	Channel string `json:"channel"`
	Error   string `json:"error"`
}

func (l *live) stream(w http.ResponseWriter, r *http.Request) {
	// The wait for a page that reads slowly is the plugin's, by its stream's flow control.
	s := &session{ctx: r.Context(), events: make(chan event), channels: map[string]context.CancelFunc{}}
	id := rand.Text()
	l.mu.Lock()
	l.sessions[id] = s
	l.mu.Unlock()
	defer func() {
		l.mu.Lock()
		delete(l.sessions, id)
		l.mu.Unlock()
	}()
	w.Header().Set("Content-Type", "text/event-stream")
	out := http.NewResponseController(w)
	if writeEvent(w, out, event{"session", map[string]string{"id": id}}) != nil {
		return
	}
	alive := time.NewTicker(heartbeat)
	defer alive.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case e := <-s.events:
			if writeEvent(w, out, e) != nil {
				return
			}
		case <-alive.C:
			if _, err := fmt.Fprint(w, ":\n\n"); err != nil || out.Flush() != nil {
				return
			}
		}
	}
}

func writeEvent(w http.ResponseWriter, out *http.ResponseController, e event) error {
	data, err := json.Marshal(e.data)
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintf(w, "event: %s\ndata: %s\n\n", e.name, data); err != nil {
		return err
	}
	return out.Flush()
}

// subscribe makes the channels of a session those of the body: new ones are
// joined, and those that are not named any more are left.
func (l *live) subscribe(w http.ResponseWriter, r *http.Request) {
	var body struct {
		Channels []channel `json:"channels"`
	}
	if err := readJSON(w, r, &body); err != nil {
		refuse(w, statusOf(err), err)
		return
	}
	if n := len(body.Channels); n > maxChannels {
		refuse(w, http.StatusBadRequest, fmt.Errorf("channels has %d, must have at most %d", n, maxChannels))
		return
	}
	for i, c := range body.Channels {
		if _, err := c.path(); err != nil {
			refuse(w, http.StatusBadRequest, fmt.Errorf("channels[%d]: %w", i, err))
			return
		}
	}
	l.mu.Lock()
	s := l.sessions[r.PathValue("session")]
	l.mu.Unlock()
	if s == nil {
		refuse(w, http.StatusNotFound, errors.New("no such session: its stream has ended"))
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	wanted := map[string]bool{}
	for _, c := range body.Channels {
		wanted[c.ID] = true
		if s.channels[c.ID] == nil {
			ctx, leave := context.WithCancel(s.ctx)
			s.channels[c.ID] = leave
			go l.follow(ctx, s, c)
		}
	}
	for id, leave := range s.channels {
		if !wanted[id] {
			leave()
			delete(s.channels, id)
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

// channel is a Grafana Live channel of our data source, and the data that its
// frame came with for the plugin.
type channel struct {
	// ID such as "ds/gotherm/heat/...".
	ID   string          `json:"id"`
	Data json.RawMessage `json:"data,omitempty"`
}

// path returns what of the channel is the plugin's.
func (c channel) path() (string, error) {
	path, ours := strings.CutPrefix(c.ID, "ds/"+dataSourceUID+"/")
	if !ours || path == "" {
		return "", fmt.Errorf("id is %q, must begin with ds/%s/ and go on", c.ID, dataSourceUID)
	}
	return path, nil
}

// follow sends the packets of a channel to the session until ctx is done.
func (l *live) follow(ctx context.Context, s *session, c channel) {
	for {
		err := l.join(ctx, s, c)
		if err == nil {
			err = errors.New("the plugin ended the stream")
		}
		if !s.send(ctx, event{"gap", gapEvent{Channel: c.ID, Error: err.Error()}}) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(rejoinPause):
		}
	}
}

func (l *live) join(ctx context.Context, s *session, c channel) error {
	plugin, err := l.plugin.plugin()
	if err != nil {
		return err
	}
	path, err := c.path()
	if err != nil {
		return err
	}
	send := func(packet json.RawMessage) error {
		if !s.send(ctx, event{"frame", frameEvent{Channel: c.ID, Frame: packet}}) {
			return ctx.Err()
		}
		return nil
	}
	allowed, err := plugin.SubscribeStream(ctx, &backend.SubscribeStreamRequest{PluginContext: l.source.context(), Path: path, Data: c.Data})
	if err != nil {
		return fmt.Errorf("subscribe to %s: %w", c.ID, err)
	}
	if allowed.Status != backend.SubscribeStreamStatusOK {
		return fmt.Errorf("subscribe to %s: the plugin refused (%d)", c.ID, allowed.Status)
	}
	if allowed.InitialData != nil {
		if err := send(allowed.InitialData.Data()); err != nil {
			return err
		}
	}
	return plugin.RunStream(ctx, &backend.RunStreamRequest{PluginContext: l.source.context(), Path: path, Data: c.Data}, send)
}

// send gives an event to the page, and says whether it was taken before ctx was done.
func (s *session) send(ctx context.Context, e event) bool {
	select {
	case s.events <- e:
		return true
	case <-ctx.Done():
		return false
	}
}
