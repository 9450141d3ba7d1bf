package heat

import (
	"testing"
	"time"
)

func TestTheGreatestHitsOfEachTimeAreKept(t *testing.T) {
	var e Exemplars
	begin := time.Unix(1_700_000_000, 0)
	made := 0
	for second := range 20 {
		for v := range uint64(100) {
			at := begin.Add(time.Duration(second) * time.Second)
			e.Add(at, 100-v, func() Exemplar { made++; return Exemplar{Key: Key{POM: "http.request"}} })
		}
	}
	all := e.In(begin, begin.Add(20*time.Second), func(*Exemplar) bool { return true })
	if len(all) != 2*exemplarsPerTime {
		t.Fatalf("%d are kept of 2 times, want %d", len(all), 2*exemplarsPerTime)
	}
	for i, x := range all {
		if x.Value < 100 || i > 0 && x.Time.Before(all[i-1].Time) {
			t.Errorf("kept %d at %s", x.Value, x.Time)
		}
	}
	if made > 2*100 {
		t.Errorf("%d exemplars were made", made)
	}
	if got := e.In(begin, begin.Add(20*time.Second), func(x *Exemplar) bool { return x.Value > 1000 }); len(got) != 0 {
		t.Errorf("found %d that were not asked for", len(got))
	}
}

func TestExemplarsOfATimeThatIsForgottenAreNotTaken(t *testing.T) {
	var e Exemplars
	begin := time.Unix(1_700_000_000, 0)
	later := begin.Add(exemplarMemory * time.Second)
	e.Add(later, 1, func() Exemplar { return Exemplar{} })
	e.Add(begin, 1000, func() Exemplar { return Exemplar{} })
	all := e.In(begin, later.Add(time.Minute), func(*Exemplar) bool { return true })
	if len(all) != 1 || !all[0].Time.Equal(later) {
		t.Errorf("kept %+v", all)
	}
}

func TestOlderExemplarsAreTheGreatestOfTheirMinute(t *testing.T) {
	var e Exemplars
	begin := time.Unix(1_700_000_040, 0) // a whole minute
	hours := 2
	for second := range hours * 3600 {
		at := begin.Add(time.Duration(second) * time.Second)
		// The greatest of a minute come in its middle.
		e.Add(at, uint64(1000-max(second%60-30, 30-second%60)), func() Exemplar { return Exemplar{Key: Key{POM: "http.request"}} })
	}
	const most = exemplarsPerTime * ((exemplarFine+exemplarMinute)/exemplarTen + (exemplarMemory-exemplarFine)/exemplarMinute + 1)
	if n := e.Kept(); n > most {
		t.Errorf("%d are kept, at most %d", n, most)
	}
	end := begin.Add(time.Duration(hours) * time.Hour)
	minute := end.Add(-20 * time.Minute)
	old := e.In(minute, minute.Add(time.Minute), func(*Exemplar) bool { return true })
	if len(old) != exemplarsPerTime {
		t.Fatalf("%d are kept of a minute, want %d", len(old), exemplarsPerTime)
	}
	for _, x := range old {
		if x.Value < 998 {
			t.Errorf("kept %d of a minute whose greatest are 1000, 999, 999 and 998", x.Value)
		}
	}
	if got := e.In(begin, end.Add(-exemplarMemory*time.Second), func(*Exemplar) bool { return true }); len(got) != 0 {
		t.Errorf("%d are kept of what is long ago", len(got))
	}
	if got := e.In(end.Add(-time.Minute), end, func(*Exemplar) bool { return true }); len(got) != 6*exemplarsPerTime {
		t.Errorf("%d are kept of the last minute, want %d", len(got), 6*exemplarsPerTime)
	}
}
