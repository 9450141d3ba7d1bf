// Churn is a program to watch: it allocates, so that there are garbage
// collections, and starts goroutines that hand work to each other. It says
// on each line how many collections there have been.
package main

import (
	"fmt"
	"runtime"
	"time"
)

var sink [][]byte

func allocate() {
	for range 200 {
		sink = append(sink, make([]byte, 16<<10))
	}
	if len(sink) > 2_000 {
		sink = nil
	}
}

//go:noinline
func courier(from <-chan int, to chan<- int) {
	for n := range from {
		to <- n + 1
	}
	close(to)
}

func main() {
	runtime.GOMAXPROCS(2)
	var stats runtime.MemStats
	for round := 0; ; round++ {
		first, last := make(chan int), make(chan int)
		from := first
		for range 8 {
			to := make(chan int)
			go courier(from, to)
			from = to
		}
		go courier(from, last)
		go func() {
			for n := range 50 {
				first <- n
			}
			close(first)
		}()
		for range last {
		}
		allocate()
		time.Sleep(10 * time.Millisecond)
		if round%10 == 0 {
			runtime.ReadMemStats(&stats)
			fmt.Println(stats.NumGC)
		}
	}
}
