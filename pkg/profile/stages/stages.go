// Package stages says which stage of a program used what, from its execution
// trace: CPU time, allocation, collections, goroutines, and how long stages
// took. A stage is a region of package runtime/trace, which
// pkg/instrument.Stage begins; the innermost counts.
//
//	trace ─▶ events ─▶ whose goroutine, in which stage ─▶ accounts ─▶ Report
//	CPU profile of the same time ─▶ its labels, to check the trace against
//
// A goroutine is in the stage in which it was started, until it begins one
// itself: as pprof labels are inherited. Goroutines of the runtime are in none.
//
// It is pure: readers in, values out.
package stages

import (
	"time"
)

// Limits bound what a trace may take of memory and time. An error says which was exceeded.
type Limits struct {
	// Bytes of the trace, and of a generation in it, about a second of the
	// program's time, which is in memory as a whole.
	Bytes, Generation int64
	// Of a generation: batches, bytes of the tables of stacks and strings, and
	// bytes of CPU samples. The trace's reader makes much more of them in memory.
	Batches         int
	Tables, Samples int64
	// Goroutines that live at once, and tasks and regions that are open at once.
	Goroutines, Open int
	// Stages and, of all stages, partitions.
	Stages, Partitions int
	// Length is of time.
	Length time.Duration
}

// DefaultLimits are for traces that come over a network.
func DefaultLimits() Limits {
	return Limits{
		Bytes: 512 << 20, Generation: 64 << 20, Batches: 100_000, Tables: 32 << 20, Samples: 8 << 20,
		Goroutines: 250_000, Open: 1_000_000, Stages: 1000, Partitions: 10_000, Length: 24 * time.Hour,
	}
}

// Outside is the name of the stage of what is in none.
const Outside = ""

// Usage is what was used.
type Usage struct {
	// Samples of the CPU, which are in a trace when a CPU profile is taken at the
	// same time. That a goroutine ran is not that it had a CPU: nothing is made of it.
	Samples uint64 `json:"samples"`
	// Allocated bytes of the heap: by how much each message of the runtime about
	// the heap's size is more than all before it since the last collection. The
	// runtime sends one when a goroutine takes a span of memory, so little is missed.
	Allocated uint64 `json:"allocated"`
	// Collections that a goroutine began, for its allocation was one too many.
	Collections uint64 `json:"collections"`
}

// Add adds v to u.
func (u *Usage) Add(v Usage) {
	u.Samples += v.Samples
	u.Allocated += v.Allocated
	u.Collections += v.Collections
}

// Durations are of the times that a stage was run, from begin to end within the
// trace. Quantiles are at most 5 % off.
type Durations struct {
	N     uint64        `json:"n"`
	P50   time.Duration `json:"p50_ns"`
	P99   time.Duration `json:"p99_ns"`
	Total time.Duration `json:"total_ns"`
}

// Stage is what one stage did.
type Stage struct {
	Name string `json:"stage"`
	Usage
	// Goroutines that were in it.
	Goroutines uint64 `json:"goroutines"`
	Durations
	// Columns are its usage over time, see [Report.Width].
	Columns []Usage `json:"columns"`
	// Partitions are the values of its attributes, the longest first.
	Partitions []Partition `json:"partitions,omitempty"`
}

// Partition is what a stage did with one value of its attributes.
type Partition struct {
	// Name is the attributes, as in "partition=3".
	Name string `json:"partition"`
	Usage
	Durations
	// Times says how many times as long it took as the median of the stage's partitions.
	Times float64 `json:"times_the_median"`
	// Outlier is one of at least three that took at least three times as long as the median.
	Outlier bool `json:"outlier,omitempty"`
}

// Report is what a trace says.
type Report struct {
	// Began is when the trace did; zero where it does not say, before Go 1.25.
	Began  time.Time     `json:"began,omitzero"`
	Length time.Duration `json:"length_ns"`
	Events uint64        `json:"events"`
	// Width of a column; the last may be cut off.
	Width time.Duration `json:"width_ns"`
	// Period is the CPU time that a sample stands for.
	Period time.Duration `json:"period_ns"`
	Total  Usage         `json:"total"`
	// Columns is the usage of all stages over time.
	Columns []Usage `json:"columns"`
	// Stages in order of CPU time, then of allocation; [Outside] is the last.
	Stages []Stage `json:"stages"`
}

// CPUShare is which share of the CPU time of all was used, 0 to 1; false where there is no sample.
func (r *Report) CPUShare(of, all Usage) (float64, bool) {
	if all.Samples == 0 {
		return 0, false
	}
	return float64(of.Samples) / float64(all.Samples), true
}

// PerSecond is n over the length of the trace.
func (r *Report) PerSecond(n uint64) float64 {
	if r.Length <= 0 {
		return 0
	}
	return float64(n) / r.Length.Seconds()
}
