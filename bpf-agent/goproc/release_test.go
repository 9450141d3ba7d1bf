package goproc

import (
	"fmt"
	"sync"
	"testing"
	"time"
)

func shop(id, version string) *Process {
	return &Process{ID: id, Identity: Identity{Service: "shop", Version: version}}
}

// v1 runs on two processes; v2 comes, v1 goes; and then all is rolled back.
func TestAReleaseIsTheFirstSightOfAVersion(t *testing.T) {
	start := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	at := func(minutes int) time.Time { return start.Add(time.Duration(minutes) * time.Minute) }
	l := NewLedger()
	for _, step := range []struct {
		minute   int
		observe  *Process
		end      *Process
		isNew    bool
		running1 int
	}{
		{0, shop("1-1", "v1"), nil, true, 1},
		{0, shop("1-1", "v1"), nil, false, 1}, // seen again
		{1, shop("2-2", "v1"), nil, false, 2},
		{2, &Process{ID: "9-9", Identity: Identity{Service: "till", Version: "v8"}}, nil, true, 2},
		{5, shop("3-3", "v2"), nil, true, 2},
		{6, nil, shop("1-1", "v1"), false, 1},
		{6, nil, shop("1-1", "v1"), false, 1}, // told again
		{7, nil, shop("5-5", "v1"), false, 1}, // never seen
		{8, shop("2-2", "v2"), nil, false, 0}, // by exec
		{9, shop("4-4", "v1"), nil, false, 1}, // rolled back
		{10, nil, shop("2-2", "v2"), false, 1},
		{11, nil, shop("3-3", "v2"), false, 1},
		{12, &Process{ID: "7-7"}, nil, false, 1}, // of no service
	} {
		if step.observe != nil {
			if got := l.Observe(step.observe, at(step.minute)); got != step.isNew {
				t.Errorf("minute %d: new %t, want %t", step.minute, got, step.isNew)
			}
		}
		if step.end != nil {
			l.Ended(step.end, at(step.minute))
		}
		if got := l.Releases()[0].Running; got != step.running1 {
			t.Errorf("minute %d: %d processes run v1, want %d", step.minute, got, step.running1)
		}
	}
	want := []Release{
		{Service: "shop", Version: "v1", FirstSeen: at(0), Running: 1},
		{Service: "till", Version: "v8", FirstSeen: at(2), Running: 1},
		{Service: "shop", Version: "v2", Previous: "v1", FirstSeen: at(5), LastSeen: at(11)},
	}
	got := l.Releases()
	if len(got) != len(want) {
		t.Fatalf("got %+v, want %+v", got, want)
	}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("release %d: got %+v, want %+v", i, got[i], want[i])
		}
	}
	got[0].Version = "changed"
	if l.Releases()[0].Version != "v1" {
		t.Error("Releases gives away the ledger's own")
	}
}

// A process that takes a new version with each start does not fill the memory,
// and does not push out what runs.
func TestALedgerIsBounded(t *testing.T) {
	var l Ledger
	now := time.Unix(0, 0)
	l.Observe(&Process{ID: "0-0", Identity: Identity{Service: "steady", Version: "v1"}}, now)
	for i := range maxReleases * 2 {
		p := shop("1-1", fmt.Sprint("v", i))
		l.Observe(p, now.Add(time.Duration(i)))
	}
	all := l.Releases()
	if len(all) != maxReleases || all[0].Service != "steady" || all[len(all)-1].Version != fmt.Sprint("v", maxReleases*2-1) {
		t.Errorf("%d releases, limit %d; from %+v to %+v", len(all), maxReleases, all[0], all[len(all)-1])
	}
}

// Many watchers at once lose no process (run with -race).
func TestALedgerIsSharedByManyWatchers(t *testing.T) {
	var l Ledger
	var watchers sync.WaitGroup
	for w := range 4 {
		watchers.Go(func() {
			for i := range 100 {
				p := shop(fmt.Sprint(w, "-", i), fmt.Sprint("v", i%5))
				l.Observe(p, time.Unix(int64(i), 0))
				if i%2 == 0 {
					l.Ended(p, time.Unix(int64(i+1), 0))
				}
				l.Releases()
			}
		})
	}
	watchers.Wait()
	running := 0
	for _, r := range l.Releases() {
		running += r.Running
	}
	if running != 200 {
		t.Errorf("%d processes run, want 200", running)
	}
}
