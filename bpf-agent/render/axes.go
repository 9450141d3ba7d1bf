package render

import (
	"math"
	"time"

	"github.com/gotherm/gotherm/pkg/heat"
)

// On the logarithmic value axis all buckets are equally high, so bucket i lies
// between the places i and i+1; the two outermost, which have no bound on one
// side, are as high as their neighbours.

// placeOf tells where a value over 0 lies on the value axis, in buckets.
func placeOf(value float64) float64 { return 8*math.Log2(value/1e9) - heat.FirstExponent + 1 }

// valueTicks returns the values to label between two places: 1, 2 and 5 of each
// decade where at most that many labels have room, else powers of ten.
func valueTicks(low, high float64, most int) []float64 {
	// What has no bound is written nowhere: it would not be true.
	low, high = max(low, 1), min(high, heat.Overflow)
	for _, try := range []struct {
		mantissas []float64
		every     int
	}{{[]float64{1, 2, 5}, 1}, {[]float64{1}, 1}, {[]float64{1}, 3}} {
		var ticks []float64
		for exponent := 0; exponent < 12; exponent += try.every {
			for _, m := range try.mantissas {
				value := m * math.Pow10(exponent)
				if place := placeOf(value); place >= low && place <= high {
					ticks = append(ticks, value)
				}
			}
		}
		if len(ticks) <= most {
			return ticks
		}
	}
	return nil
}

var timeSteps = []time.Duration{
	time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// timeTicks returns the times to label where at most that many labels have
// room, and how they are written. The range is at most some days.
func timeTicks(from, to time.Time, most int) (ticks []time.Time, format string) {
	step := timeSteps[len(timeSteps)-1]
	for _, s := range timeSteps {
		if to.Sub(from) <= time.Duration(most)*s {
			step = s
			break
		}
	}
	format = "15:04"
	switch {
	case step < time.Minute:
		format = "15:04:05"
	case step >= 24*time.Hour:
		format = "01-02"
	case to.Sub(from) > 24*time.Hour:
		format = "01-02 15:04"
	}
	for t := from.Truncate(step); !t.After(to); t = t.Add(step) {
		if !t.Before(from) {
			ticks = append(ticks, t)
		}
	}
	return ticks, format
}
