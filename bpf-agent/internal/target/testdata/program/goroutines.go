package main

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"runtime/debug"
	"strings"
	"sync"
	"time"
)

// churn collects garbage all the time, while goroutines become runnable in the
// ways that there are: n times, one asks another to allocate, waits for it, and
// yields.
func churn(n int) {
	const pairs = 8
	before := debug.SetGCPercent(20)
	var all sync.WaitGroup
	for i := 0; i < pairs; i++ {
		all.Add(1)
		go func() {
			defer all.Done()
			ask, answer := make(chan int), make(chan []byte)
			go allocate(ask, answer)
			for left := n / pairs; left > 0; left-- {
				ask <- 16 << 10
				<-answer
				runtime.Gosched()
			}
			close(ask)
		}()
	}
	all.Wait()
	debug.SetGCPercent(before)
}

func allocate(ask <-chan int, answer chan<- []byte) {
	for size := range ask {
		answer <- make([]byte, size)
	}
}

// identify starts n goroutines of two functions, and has the runtime say who
// they are while they wait.
func identify(n int) map[uint64]string {
	var all, waiting sync.WaitGroup
	end := make(chan struct{})
	all.Add(n)
	waiting.Add(n)
	for i := 0; i < n; i += 2 {
		go func() {
			defer all.Done()
			waiting.Done()
			<-end
		}()
		go func() {
			defer all.Done()
			waiting.Done()
			<-end
			runtime.Gosched()
		}()
	}
	waiting.Wait()
	who := startFunctions()
	close(end)
	all.Wait()
	return who
}

// startFunctions reads the stacks of all goroutines: the function at the bottom
// of each is the one that it began with.
func startFunctions() map[uint64]string {
	dump := make([]byte, 1<<20)
	for {
		if n := runtime.Stack(dump, true); n < len(dump) {
			dump = dump[:n]
			break
		}
		dump = make([]byte, 2*len(dump))
	}
	who := map[uint64]string{}
	for _, stack := range bytes.Split(dump, []byte("\n\n")) {
		var id uint64
		var bottom string
		for i, line := range strings.Split(string(stack), "\n") {
			switch {
			case i == 0:
				fmt.Sscanf(line, "goroutine %d ", &id)
			case strings.HasPrefix(line, "created by "), strings.HasPrefix(line, "\t"):
			default:
				if end := strings.LastIndexByte(line, '('); end > 0 {
					bottom = line[:end]
				}
			}
		}
		who[id] = bottom
	}
	return who
}

// nap has n goroutines sleep for 20 ms, each of which then waits for the
// network, for the others' lock, and for its turn to end.
func nap(n int) {
	const duration = 20 * time.Millisecond
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer listener.Close()
	go echo(listener)
	var all sync.WaitGroup
	var turn sync.Mutex
	end := make(chan struct{})
	all.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			defer all.Done()
			time.Sleep(duration)
			c, err := net.Dial("tcp", listener.Addr().String())
			if err != nil {
				panic(err)
			}
			defer c.Close()
			if _, err := c.Write([]byte{1}); err != nil {
				panic(err)
			}
			if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
				panic(err)
			}
			turn.Lock()
			time.Sleep(time.Millisecond)
			turn.Unlock()
			<-end
		}()
	}
	time.Sleep(10 * duration)
	close(end)
	all.Wait()
}

// echo answers each connection after a while, so that the other end waits.
func echo(l net.Listener) {
	for {
		c, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			defer c.Close()
			time.Sleep(5 * time.Millisecond)
			io.CopyN(c, c, 1)
		}()
	}
}
