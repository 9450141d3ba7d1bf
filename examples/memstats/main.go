// Memstats is a program that publishes its own runtime.MemStats to the gotherm
// agent, and prints once a second what the agent has counted about it, as JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"io/fs"
	"log"
	"os"
	"os/signal"
	"runtime"
	"time"

	"github.com/gotherm/gotherm/pkg/instrument/memstats"
)

// line is what is printed.
type line struct {
	NumGC        uint32
	PauseTotalNs uint64
	Points       []memstats.Point
}

var sink [64][]byte

func main() {
	dir := flag.String("pin", "/sys/fs/bpf/gotherm", "directory that the agent was given as --memstats-pin")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	out := json.NewEncoder(os.Stdout)
	var p *memstats.Publisher
	for i := 0; ctx.Err() == nil; i++ {
		sink[i%len(sink)] = make([]byte, 1<<20)
		if i%5 == 0 {
			runtime.GC()
		}
		time.Sleep(200 * time.Millisecond)
		if p == nil {
			var err error
			if p, err = memstats.Open(*dir); errors.Is(err, fs.ErrNotExist) {
				continue // nobody watches yet
			} else if err != nil {
				log.Fatal(err)
			}
			defer p.Close()
		}
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		if err := p.PublishStats(&m); err != nil {
			log.Fatal(err)
		}
		points, _, err := p.Seen()
		if errors.Is(err, memstats.ErrEmpty) {
			continue
		} else if err != nil {
			log.Fatal(err)
		}
		if err := out.Encode(line{m.NumGC, m.PauseTotalNs, points}); err != nil {
			log.Fatal(err)
		}
	}
}
