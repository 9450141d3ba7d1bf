package instrument

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"
)

// StreamingProfiler is a profile that can be followed as it grows.
type StreamingProfiler interface {
	// Start begins to send chunks, each of whole bytes that can be read on their
	// own, and returns. It sends until ctx is done or Stop is called, then closes
	// ch. A receiver that is slow gets fewer chunks, and misses nothing: what
	// comes while a chunk waits is in the next. There is one stream at a time:
	// else it returns [ErrStreaming].
	Start(ctx context.Context, ch chan<- []byte) error
	// Stop ends the stream, and returns when ch is closed. Without one it does nothing.
	Stop()
}

// ErrStreaming is returned by Start when somebody follows the profile already.
var ErrStreaming = errors.New("the profile is being streamed already")

// chunkTimeout is how long a client may take for a chunk.
const chunkTimeout = 30 * time.Second

// StreamHandler writes the chunks of a profile as they come, until the client
// has had enough. A second client at the same time gets 409 (Conflict).
func StreamHandler(p StreamingProfiler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, cancel := context.WithCancel(r.Context())
		defer cancel()
		// Without a buffer: the profile waits for the client, not the chunks.
		chunks := make(chan []byte)
		if err := p.Start(ctx, chunks); err != nil {
			status := http.StatusInternalServerError
			if errors.Is(err, ErrStreaming) {
				status = http.StatusConflict
			}
			http.Error(w, fmt.Sprintf("stream profile: %v", err), status)
			return
		}
		defer func() {
			cancel()
			for range chunks {
				// until it is closed
			}
		}()
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		to := http.NewResponseController(w)
		if to.Flush() != nil { // the client knows that it began
			return
		}
		for chunk := range chunks {
			// Not every ResponseWriter can have a deadline; then the server's own counts.
			_ = to.SetWriteDeadline(time.Now().Add(chunkTimeout))
			if _, err := w.Write(chunk); err != nil {
				return
			}
			if err := to.Flush(); err != nil {
				return
			}
		}
	})
}

// streaming is the stream of a profile: one chunk each second.
type streaming struct {
	mu    sync.Mutex
	stop  context.CancelFunc // nil when there is none
	ended chan struct{}
}

// streamEvery is how often a chunk is sent.
const streamEvery = time.Second

// start sends what next returns until ctx is done or Stop is called.
func (s *streaming) start(ctx context.Context, ch chan<- []byte, next func() []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stop != nil {
		return ErrStreaming
	}
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	s.stop, s.ended = cancel, ended
	go func() {
		tick := time.NewTicker(streamEvery)
		defer tick.Stop()
		for send(ctx, tick, ch, next) {
		}
		cancel()
		s.mu.Lock()
		s.stop = nil
		s.mu.Unlock()
		close(ch)
		close(ended)
	}()
	return nil
}

func send(ctx context.Context, tick *time.Ticker, ch chan<- []byte, next func() []byte) bool {
	select {
	case <-ctx.Done():
		return false
	case <-tick.C:
	}
	select {
	case <-ctx.Done():
		return false
	case ch <- next():
		return true
	}
}

// Stop is of [StreamingProfiler].
func (s *streaming) Stop() {
	s.mu.Lock()
	stop, ended := s.stop, s.ended
	s.mu.Unlock()
	if stop != nil {
		stop()
		<-ended
	}
}
