package ingest

import (
	"fmt"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
)

// How soon what starts is watched.

// watchFile watches all processes that run a file, from their start on.
func watchFile(t testing.TB, path string) *agent {
	t.Helper()
	return watchSelection(t, probe.Options{}, goproc.Selection{Globs: []string{path}})
}

// Scans are half a second apart: of processes that live for a fifth of one,
// they miss more than half. The kernel tells of each.
func TestShortLivedProcessesAreSeen(t *testing.T) {
	path := target.Build(t, "")
	a := watchFile(t, path)
	const lives = 10
	for i := range lives {
		program := target.Start(t, path, "OTEL_SERVICE_NAME=mayfly", fmt.Sprintf("OTEL_RESOURCE_ATTRIBUTES=service.version=v%d", i))
		program.Ask("collect 3")
		time.Sleep(200 * time.Millisecond)
		program.Stop()
	}
	seen := len(a.ledger.Releases())
	// On a busy machine one may have ended before its turn to be looked at.
	if seen < lives-2 {
		t.Errorf("%d of %d processes were seen", seen, lives)
	}
}
