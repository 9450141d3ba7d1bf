package ingest

import (
	"fmt"
	"time"

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
