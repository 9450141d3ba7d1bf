package main

import (
	"errors"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/gotherm/gotherm/workbench/pluginhost"
)

// keeper owns the plugin's process and starts it again when it dies. A process
// that dies at once is started again at most every few seconds.
type keeper struct {
	binary string
	log    *slog.Logger
	done   chan struct{}
	closed sync.WaitGroup

	mu      sync.Mutex
	client  *pluginhost.Client // nil while there is none
	started time.Time
	deaths  int
	failure error // why it could not be started again
}

const (
	// deathCheck is how often the keeper looks whether the process lives.
	deathCheck = 200 * time.Millisecond
	// restartPause is the least time between two starts.
	restartPause = 2 * time.Second
)

var errPluginDown = errors.New("the plugin's process died and is being started again: ask again in a moment")

// keep starts the binary; a first start that fails is an error.
func keep(binary string, log *slog.Logger) (*keeper, error) {
	client, err := pluginhost.Start(binary, os.Stderr)
	if err != nil {
		return nil, err
	}
	k := &keeper{binary: binary, log: log, client: client, started: time.Now(), done: make(chan struct{})}
	k.closed.Go(k.watch)
	return k, nil
}

func (k *keeper) watch() {
	tick := time.NewTicker(deathCheck)
	defer tick.Stop()
	for {
		select {
		case <-k.done:
			return
		case <-tick.C:
		}
		k.mu.Lock()
		client, started := k.client, k.started
		k.mu.Unlock()
		if client != nil {
			if !client.Exited() {
				continue
			}
			client.Close()
			k.mu.Lock()
			k.client = nil
			k.deaths++
			k.mu.Unlock()
			k.log.Warn("the plugin's process died; starting it again", "lived", time.Since(started).Round(time.Millisecond))
		}
		if time.Since(started) >= restartPause {
			k.restart()
		}
	}
}

func (k *keeper) restart() {
	client, err := pluginhost.Start(k.binary, os.Stderr)
	if err != nil {
		k.log.Error("the plugin's process cannot be started", "error", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.client, k.failure, k.started = client, err, time.Now()
}

// plugin returns the process that runs, or why none does.
func (k *keeper) plugin() (*pluginhost.Client, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	switch {
	case k.failure != nil:
		return nil, k.failure
	case k.client == nil || k.client.Exited():
		return nil, errPluginDown
	}
	return k.client, nil
}

// pluginState tells the page how the process does.
type pluginState struct {
	Running bool `json:"running"`
	// Deaths counts the times that it had to be started again.
	Deaths int `json:"deaths"`
	// Failure says why it does not run.
	Failure string `json:"failure,omitempty"`
}

func (k *keeper) state() pluginState {
	_, err := k.plugin()
	k.mu.Lock()
	defer k.mu.Unlock()
	s := pluginState{Running: err == nil, Deaths: k.deaths}
	if err != nil {
		s.Failure = err.Error()
	}
	return s
}

// close ends the process and the watch over it.
func (k *keeper) close() {
	close(k.done)
	k.closed.Wait()
	if k.client != nil {
		k.client.Close()
	}
}
