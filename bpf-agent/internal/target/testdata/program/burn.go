package main

import (
	"context"
	"runtime"
	"runtime/pprof"
	"sync"
	"syscall"
	"time"
	"unsafe"
)

// burn takes n milliseconds of CPU without a label, two times that with the
// label part=two, four times with part=four, in a goroutine that inherits it,
// and once with a label whose key comes after those of trace and span ids. Each
// is held to the clock of its thread.
func burn(n int) {
	unit := time.Duration(n) * time.Millisecond
	var all sync.WaitGroup
	start := func(f func(context.Context), labels ...string) {
		all.Add(1)
		go func() {
			defer all.Done()
			pprof.Do(context.Background(), pprof.Labels(labels...), f)
		}()
	}
	all.Add(1)
	go func() {
		defer all.Done()
		spin(unit)
	}()
	start(func(context.Context) { spin(2 * unit) }, "part", "two")
	child.burn = func() {
		defer all.Done()
		spin(4 * unit)
	}
	start(func(context.Context) {
		all.Add(1)
		go burnChild()
	}, "part", "four")
	start(func(context.Context) { spin(unit) }, "user", "me", "trace_id", "4bf92f3577b34da6", "spanID", "00f067aa0ba902b7", "parent_span_id", "1")
	all.Wait()
}

// child is what burnChild does: a go statement with arguments would start a
// function that the compiler makes up, by another name in each release.
var child struct{ burn func() }

func burnChild() { child.burn() }

// spin computes until its thread has taken d of CPU more.
func spin(d time.Duration) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	x := uint64(1)
	for end := threadCPU() + d; threadCPU() < end; {
		for i := 0; i < 20_000; i++ {
			x = x*6364136223846793005 + 1442695040888963407
		}
	}
	if x == 0 {
		panic("it was never zero")
	}
}

// threadCPU is what the calling thread has taken of CPUs: clock_gettime(2).
func threadCPU() time.Duration {
	const clockThreadCPU = 3
	var t syscall.Timespec
	if _, _, err := syscall.RawSyscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&t)), 0); err != 0 {
		panic(err)
	}
	return time.Duration(t.Nano())
}
