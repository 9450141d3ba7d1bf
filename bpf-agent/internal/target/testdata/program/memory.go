package main

import (
	"runtime"
	"runtime/metrics"
)

// memory is what the runtime says of its memory.
type memory struct {
	runtime.MemStats
	Goroutines int
	// Assist is /cpu/classes/gc/mark/assist:cpu-seconds.
	Assist float64
}

func readMemory() *memory {
	m := &memory{}
	runtime.ReadMemStats(&m.MemStats)
	m.Goroutines = runtime.NumGoroutine()
	sample := []metrics.Sample{{Name: "/cpu/classes/gc/mark/assist:cpu-seconds"}}
	metrics.Read(sample)
	m.Assist = sample[0].Value.Float64()
	return m
}

// park starts n goroutines that stay, and as many that end: places for
// goroutines are then free.
func park(n int) {
	ready := make(chan struct{})
	for i := 0; i < n; i++ {
		go func() { ready <- struct{}{}; select {} }()
		go func() { ready <- struct{}{} }()
	}
	for i := 0; i < 2*n; i++ {
		<-ready
	}
}
