package main

import (
	"runtime"
	"runtime/debug"
	"sync"
	"syscall"
	"time"
)

type node struct{ next [8]*node }

var (
	heldNodes []*node
	nodeSinks [64]*node
)

// assisted is work whose collections have much to mark, while goroutines
// allocate faster than the collector likes: they have to help it.
type assisted struct {
	workers sync.WaitGroup
	stop    chan struct{}
}

func startAssisted() *assisted {
	if heldNodes == nil {
		heldNodes = make([]*node, 400_000)
		for i := range heldNodes {
			heldNodes[i] = &node{}
			heldNodes[i].next[i%8] = heldNodes[i/2]
		}
	}
	a := &assisted{stop: make(chan struct{})}
	for w := 0; w < 4; w++ {
		w := w
		a.workers.Add(1)
		go func() { assistant(&a.workers, w, a.stop) }()
	}
	return a
}

func (a *assisted) end() {
	close(a.stop)
	a.workers.Wait()
}

// assist ends after n more collections.
func assist(n int) {
	var before, now debug.GCStats
	debug.ReadGCStats(&before)
	work := startAssisted()
	for {
		debug.ReadGCStats(&now)
		if now.NumGC-before.NumGC >= int64(n) {
			break
		}
		time.Sleep(time.Millisecond)
	}
	work.end()
	runtime.GC()
}

func assistant(workers *sync.WaitGroup, w int, stop chan struct{}) {
	defer workers.Done()
	for i := w; ; i++ {
		if i%256 == 0 {
			select {
			case <-stop:
				return
			default:
			}
		}
		nodeSinks[i%len(nodeSinks)] = &node{}
	}
}

var (
	pointerSink  [64]*[6]*int
	byteSink     [64]*[100]byte
	variableSink [64][]byte
	tinySink     [64]*int64
	largeSink    [4][]byte
)

// allocationsPerRound is how many objects a round of allocateObjects has, of all kinds.
const allocationsPerRound = 5

// allocateObjects has one goroutine allocate n rounds of objects, and nothing else.
func allocateObjects(n int) {
	done := make(chan struct{})
	go func() {
		for i := 0; i < n; i++ {
			pointerSink[i%64] = new([6]*int)
			byteSink[i%64] = new([100]byte)
			variableSink[i%64] = make([]byte, 200+i%1000)
			tinySink[i%64] = new(int64)
			largeSink[i%4] = make([]byte, 40<<10)
		}
		close(done)
	}()
	<-done
}

// mergeable maps n pages that are all alike, and lets the kernel merge them.
func mergeable(n int) error {
	const page = 4096
	memory, err := syscall.Mmap(-1, 0, n*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		return err
	}
	for i := range memory {
		memory[i] = byte(i%page) | 1
	}
	const mergeable = 12 // MADV_MERGEABLE
	return syscall.Madvise(memory, mergeable)
}
