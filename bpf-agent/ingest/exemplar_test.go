package ingest

import (
	"testing"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/heat"
)

func TestExemplarsOfProcessesThatAreGoneAreBounded(t *testing.T) {
	i := &Ingest{}
	begin := time.Unix(1_800_000_000, 0)
	living := &goproc.Process{}
	alive := map[*goproc.Process]bool{living: true}
	add := func(p *goproc.Process, at time.Time) {
		kept, _ := i.exemplars.LoadOrStore(gridKey{"gc.stw", p}, &heat.Exemplars{})
		for v := range uint64(10) {
			kept.(*heat.Exemplars).Add(at, v, func() heat.Exemplar { return heat.Exemplar{} })
		}
	}
	add(living, begin)
	const processes = goneExemplars/4 + 1000
	var last *goproc.Process
	now := begin
	for n := range processes {
		last = &goproc.Process{}
		now = begin.Add(time.Duration(n) * 100 * time.Millisecond)
		add(last, now)
	}
	i.forgetExemplars(now, alive)
	held := 0
	i.exemplars.Range(func(key, kept any) bool {
		if !alive[key.(gridKey).process] {
			held += kept.(*heat.Exemplars).Kept()
		}
		return true
	})
	if held > goneExemplars || held < goneExemplars/2 {
		t.Errorf("%d exemplars of processes that are gone are kept, at most %d", held, goneExemplars)
	}
	for _, p := range []*goproc.Process{last, living} {
		if _, kept := i.exemplars.Load(gridKey{"gc.stw", p}); !kept {
			t.Error("those of the last process, or of one that lives, are forgotten")
		}
	}
	i.forgetExemplars(now.Add(exemplarMemory+time.Minute), alive)
	count := 0
	i.exemplars.Range(func(any, any) bool { count++; return true })
	if count != 1 {
		t.Errorf("after half an hour those of %d processes are kept, want the living one", count)
	}
}
