package datasource

import "time"

// niceSteps are the widths that columns may have: each divides a day, so that
// columns begin at the same times every day, and panels agree on them.
var niceSteps = []time.Duration{
	1 * time.Second, 2 * time.Second, 5 * time.Second, 10 * time.Second, 15 * time.Second, 30 * time.Second,
	1 * time.Minute, 2 * time.Minute, 5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	1 * time.Hour, 2 * time.Hour, 3 * time.Hour, 6 * time.Hour, 12 * time.Hour, 24 * time.Hour,
}

// step returns the least nice width that is not under the interval that Grafana
// suggests and covers the range in at most so many columns. A day is the most.
//
//	      from                     to
//	|-------|-----|-----|-----|-----|-----|
//	start                               end    both are multiples of the step since 1970
func step(from, to time.Time, interval time.Duration, columns int) time.Duration {
	for _, s := range niceSteps {
		if s < interval {
			continue
		}
		start, end := aligned(from, to, s)
		if int64(end.Sub(start)/s) <= int64(columns) {
			return s
		}
	}
	return niceSteps[len(niceSteps)-1]
}

// aligned returns the range widened to multiples of the step since 1970.
func aligned(from, to time.Time, step time.Duration) (start, end time.Time) {
	start = floor(from, step)
	end = floor(to, step)
	if end.Before(to) {
		end = end.Add(step)
	}
	return start, end
}

// floor rounds down to a multiple of the step since 1970; time.Truncate counts from year 1.
func floor(t time.Time, step time.Duration) time.Time {
	seconds, width := t.Unix(), int64(step/time.Second)
	return time.Unix(seconds-((seconds%width)+width)%width, 0)
}
