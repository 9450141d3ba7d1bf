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
	if len(all) != 2*exemplarsPerSlice {
		t.Fatalf("%d are kept of 2 times, want %d", len(all), 2*exemplarsPerSlice)
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
	later := begin.Add(exemplarSlices * exemplarSlice)
	e.Add(later, 1, func() Exemplar { return Exemplar{} })
	e.Add(begin, 1000, func() Exemplar { return Exemplar{} })
	all := e.In(begin, later.Add(time.Minute), func(*Exemplar) bool { return true })
	if len(all) != 1 || !all[0].Time.Equal(later) {
		t.Errorf("kept %+v", all)
	}
}
