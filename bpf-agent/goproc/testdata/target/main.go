// Command target is a Go program to watch in tests. It prints "ready" once it
// runs, does what -mode says, obeys "exec PATH" on standard input, and ends
// when standard input does: no test leaves one behind.
package main

import (
	"bufio"
	"flag"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"time"
)

func main() {
	mode := flag.String("mode", "idle", "idle, allocating or pingpong")
	listen := flag.Bool("listen", false, "listen on a loopback port, and say which")
	flag.Parse()
	switch *mode {
	case "idle":
	case "allocating":
		go allocate()
	case "pingpong":
		go pingpong()
	default:
		fmt.Fprintf(os.Stderr, "no mode %q\n", *mode)
		os.Exit(2)
	}
	port := 0
	if *listen {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		port = l.Addr().(*net.TCPAddr).Port
	}
	fmt.Println("ready", port)
	orders := bufio.NewScanner(os.Stdin)
	for orders.Scan() {
		if path, ok := strings.CutPrefix(orders.Text(), "exec "); ok {
			err := syscall.Exec(path, []string{path}, os.Environ())
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
	}
}

var sink []byte

// allocate keeps the collector busy, and the machine usable.
func allocate() {
	for range time.Tick(time.Millisecond) {
		for i := 0; i < 64; i++ {
			sink = make([]byte, 4096)
		}
	}
}

// pingpong has two goroutines that wake each other.
func pingpong() {
	ping, pong := make(chan struct{}), make(chan struct{})
	go func() {
		for range ping {
			pong <- struct{}{}
		}
	}()
	for range time.Tick(100 * time.Microsecond) {
		ping <- struct{}{}
		<-pong
	}
}
