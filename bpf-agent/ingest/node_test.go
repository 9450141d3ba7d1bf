package ingest

import (
	"path/filepath"
	"testing"

	"github.com/gotherm/gotherm/bpf-agent/internal/target"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// Where there are several NUMA nodes, each has pauses of its own: those in which
// the world waited for a P on it. Together they are all pauses.
func TestPausesAreSplitByNode(t *testing.T) {
	nodes, err := filepath.Glob("/sys/devices/system/node/node[0-9]*")
	if err != nil {
		t.Fatal(err)
	}
	if len(nodes) < 2 {
		t.Skipf("cannot run here: this machine has %d NUMA node; internal/vm makes one with two", len(nodes))
	}
	program := target.Start(t, target.Build(t, ""))
	a := watch(t, probe.Options{}, program.PID())
	program.Ask("collect 100")
	program.Freeze()
	defer program.Thaw()
	a.flush()
	all, sum := a.total("gc.stw").Count(), uint64(0)
	for _, dir := range nodes {
		node := filepath.Base(dir)[len("node"):]
		n := a.total("gc.stw", heat.Matcher{Dimension: "node", Values: []string{node}}).Count()
		t.Logf("node %s: %d of %d pauses", node, n, all)
		if n == 0 {
			t.Errorf("no pause on node %s", node)
		}
		sum += n
	}
	if sum != all || all < 200 {
		t.Errorf("%d pauses on all nodes together, %d in all, there were 200 or more", sum, all)
	}
}
