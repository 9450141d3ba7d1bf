package ingest

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/heat"
)

// Exemplars returns the exemplars of a point that keep says, of [from, to), in
// no order.
func (i *Ingest) Exemplars(pom string, from, to time.Time, keep func(*heat.Exemplar) bool) ([]heat.Exemplar, error) {
	point, err := probe.PointNumber(pom)
	if err != nil {
		return nil, err
	}
	if probe.Catalogue[point].Extra == nil {
		return nil, fmt.Errorf("measurement point %q has no exemplars: its events carry only a value", pom)
	}
	var found []heat.Exemplar
	i.exemplars.Range(func(key, kept any) bool {
		if key.(gridKey).pom == pom {
			found = append(found, kept.(*heat.Exemplars).In(from, to, keep)...)
		}
		return true
	})
	return found, nil
}

const (
	// exemplarMemory is how long the exemplars of a process that is gone are
	// kept: as long as heat.Exemplars remember.
	exemplarMemory = 30 * time.Minute
	// goneExemplars is how many of processes that are gone are kept in all,
	// those that were hit last.
	goneExemplars = 8192
)

// forgetExemplars forgets those of processes that are gone.
func (i *Ingest) forgetExemplars(now time.Time, alive map[*goproc.Process]bool) {
	type gone struct {
		key    gridKey
		newest time.Time
		kept   int
	}
	var all []gone
	i.exemplars.Range(func(key, kept any) bool {
		if x := kept.(*heat.Exemplars); !alive[key.(gridKey).process] {
			all = append(all, gone{key.(gridKey), x.Newest(), x.Kept()})
		}
		return true
	})
	slices.SortFunc(all, func(a, b gone) int { return b.newest.Compare(a.newest) })
	held := 0
	for _, g := range all {
		held += cmp.Or(g.kept, 1)
		if held > goneExemplars || now.Sub(g.newest) > exemplarMemory {
			i.exemplars.Delete(g.key)
		}
	}
}
