// Command longpause is a program whose garbage collector has to wait: one
// goroutine computes for a quarter of a second without a call, which a Go that
// may not preempt asynchronously can't stop. So run it with
// GODEBUG=asyncpreemptoff=1. Programs have such loops where signals are
// switched off, and in assembly.
package main

import (
	"runtime"
	"time"
)

func main() {
	loop := calibrate(250 * time.Millisecond)
	go func() {
		for {
			spin(loop)
			runtime.Gosched()
		}
	}()
	for {
		runtime.GC()
		time.Sleep(100 * time.Millisecond)
	}
}

// spin has no call and no preemption point.
//
//go:noinline
func spin(n uint64) (x uint64) {
	for i := range n {
		x ^= x<<13 ^ i
	}
	return x
}

// calibrate returns how many rounds take so long on this machine.
func calibrate(d time.Duration) uint64 {
	n := uint64(1 << 20)
	for {
		start := time.Now()
		spin(n)
		if took := time.Since(start); took > d/8 {
			return uint64(float64(n) * float64(d) / float64(took))
		}
		n *= 2
	}
}
