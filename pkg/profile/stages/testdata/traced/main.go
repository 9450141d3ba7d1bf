// The program whose traces are beside it, one of each release of Go, made in a
// folder of its own:
//
//	go mod init traced
//	for minor in 22.12 23.12 24.13 25.14 26.11 27.4; do
//		GOTOOLCHAIN=go1.$minor go build -trimpath && ./traced go1.${minor%.*}.trace
//	done
package main

import (
	"context"
	"os"
	"runtime/trace"
)

var allocated []byte

// A stage with an attribute, in which a goroutine is started that allocates.
func main() {
	f, err := os.Create(os.Args[1])
	if err != nil {
		panic(err)
	}
	defer f.Close()
	if err := trace.Start(f); err != nil {
		panic(err)
	}
	defer trace.Stop()
	ctx := context.Background()
	stage := trace.StartRegion(ctx, "map")
	defer stage.End()
	trace.Log(ctx, "stage.partition", "3")
	done := make(chan bool)
	go func() {
		allocated = make([]byte, 64<<10)
		close(done)
	}()
	<-done
}
