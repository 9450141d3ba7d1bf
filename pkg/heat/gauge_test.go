package heat

import (
	"fmt"
	"testing"
	"time"
)

func TestGaugeKeepsItsNewestHour(t *testing.T) {
	var g Gauges
	heap := GaugeKey{Name: "mem.heap_live", Process: "1-1", Service: "shop"}
	begin := time.Unix(1_700_000_003, 0)
	for i := range HeadColumns + 60 {
		g.Set(heap, begin.Add(time.Duration(i)*time.Second), float64(i))
	}
	end := begin.Add((HeadColumns + 60) * time.Second)
	series, err := g.Query("mem.heap_live", []Matcher{{"service", []string{"shop"}}}, begin, end, time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(series) != 1 || len(series[0].Points) != HeadColumns {
		t.Fatalf("%d series, the first of %d points, want 1 of %d", len(series), len(series[0].Points), HeadColumns)
	}
	for i, p := range series[0].Points {
		if p.N != 1 || p.Last != float64(i+60) || !p.Start.Equal(begin.Add(time.Duration(i+60)*time.Second)) {
			t.Fatalf("point %d is %+v", i, p)
		}
	}
	if last, at, ok := g.Last(heap); !ok || last != HeadColumns+59 || !at.Equal(end.Add(-time.Second)) {
		t.Errorf("the last is %v at %v", last, at)
	}
	g.Forget(end.Add(HeadColumns * time.Second))
	if _, _, ok := g.Last(heap); ok {
		t.Error("a gauge without a value for an hour was not forgotten")
	}
}

func TestGaugeSaysNothingOfSecondsWithoutAValue(t *testing.T) {
	var g Gauges
	k := GaugeKey{Name: "mem.heap_live", Process: "1-1"}
	begin := time.Unix(1_700_000_000, 0)
	g.Set(k, begin, 5)
	g.Set(k, begin.Add(3*time.Second), 7)
	g.Set(k, begin.Add(3*time.Second), 9)
	g.Set(k, begin.Add(time.Second), 100) // too late
	series, err := g.Query("mem.heap_live", nil, begin, begin.Add(10*time.Second), 2*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	want := []GaugePoint{
		{Start: begin, N: 1, Sum: 5, Min: 5, Max: 5, Last: 5},
		{Start: begin.Add(2 * time.Second), N: 1, Sum: 9, Min: 9, Max: 9, Last: 9},
	}
	if len(series) != 1 || len(series[0].Points) != len(want) {
		t.Fatalf("got %+v", series)
	}
	for i, p := range series[0].Points {
		if p != want[i] {
			t.Errorf("point %d is %+v, want %+v", i, p, want[i])
		}
	}
	if _, err := g.Query("mem.heap_live", []Matcher{{"node", nil}}, begin, begin.Add(time.Second), time.Second); err == nil {
		t.Error("a matcher of a dimension that gauges do not have is not refused")
	}
}

func TestGaugeForgetsAcrossALongGap(t *testing.T) {
	var g Gauges
	k := GaugeKey{Name: "mem.heap_live", Process: "1-1"}
	begin := time.Unix(1_700_000_000, 0)
	g.Set(k, begin, 5)
	later := begin.Add(3 * HeadColumns * time.Second)
	g.Set(k, later, 6)
	series, err := g.Query("mem.heap_live", nil, begin, later.Add(time.Second), time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if len(series) != 1 || len(series[0].Points) != 1 || series[0].Points[0].Last != 6 {
		t.Errorf("got %+v, want only the last value", series)
	}
}

func TestGaugesOfProcessesThatComeAndGoAreBounded(t *testing.T) {
	var g Gauges
	begin := time.Unix(1_700_000_000, 0)
	at := begin
	living := GaugeKey{Name: "mem.heap_live", Process: "alive"}
	for i := range 3000 {
		at = begin.Add(time.Duration(i) * time.Second)
		g.Set(living, at, float64(i))
		for name := range 20 {
			g.Set(GaugeKey{Name: fmt.Sprint(name), Process: fmt.Sprint(i)}, at, float64(i))
		}
		if i%60 == 0 {
			g.Forget(at)
		}
	}
	if most := quietGaugeBytes/gaugeKeyBytes + 2*60*20; len(g.runs) > most {
		t.Errorf("%d gauges are held, at most %d", len(g.runs), most)
	}
	if _, _, ok := g.Last(GaugeKey{Name: "3", Process: "2900"}); !ok {
		t.Error("the gauges of a process that has just ended are forgotten")
	}
	series, err := g.Query("mem.heap_live", nil, begin, at.Add(time.Second), time.Second)
	if err != nil || len(series) != 1 || len(series[0].Points) != 3000 {
		t.Errorf("the gauge of the process that lives does not have all its values: %v", err)
	}
}
