package server

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

// v1 runs from noon until a minute past, v2 from half a minute past on: a rollout.
func TestReleasesAreThoseThatRanInTheRange(t *testing.T) {
	s := newServer(t)
	run := func(id, version string, second int) *goproc.Process {
		p := &goproc.Process{ID: id, Identity: goproc.Identity{Service: "shop", Version: version}}
		s.Ledger.Observe(p, noon.Add(time.Duration(second)*time.Second))
		return p
	}
	first := run("7-70", "v1", 0)
	run("8-80", "v2", 30)
	s.Ledger.Ended(first, noon.Add(time.Minute))
	url := loopback(t, s)
	for _, c := range []struct {
		from, to int
		want     []string
	}{
		{-60, 0, nil},
		{-60, 10, []string{"v1"}},
		{40, 50, []string{"v1", "v2"}},
		{70, 80, []string{"v2"}},
	} {
		at := func(second int) string { return noon.Add(time.Duration(second) * time.Second).Format(time.RFC3339) }
		_, answer := post(t, url, "ListReleases", fmt.Sprintf(`{"start":%q,"end":%q}`, at(c.from), at(c.to)))
		releases, _ := answer["releases"].([]any)
		var got []string
		for _, r := range releases {
			got = append(got, r.(map[string]any)["version"].(string))
		}
		if !reflect.DeepEqual(got, c.want) {
			t.Errorf("from %d s to %d s past noon: %v ran, want %v", c.from, c.to, got, c.want)
		}
	}
}
