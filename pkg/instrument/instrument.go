// Package instrument lets a Go program say more of itself than its runtime does.
//
//	Stage                which part of a job burns CPU and memory
//	Middleware           which route, and which trace, a request's goroutine serves
//	Register, Profiles   profiles of its own, beside those of runtime/pprof
//	StreamHandler        a profile as it grows
//	RPCLatency, Lifetime two such profiles
//
// It needs nothing but the standard library. What it adds is read by any tool
// that reads pprof and execution traces, and by gotherm's agent, which reads
// the labels of goroutines from outside.
package instrument

// The labels that are set. Of a goroutine's labels the agent makes the first, in
// the order of keys, a dimension, and leaves out trace ids.
const (
	LabelRoute   = "route"
	LabelStage   = "stage"
	LabelTraceID = "trace_id"
)
