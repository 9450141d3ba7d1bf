package main

import (
	"net/http"
	"net/url"
	"os"
	"runtime"
	"strings"
	"syscall"
	"unsafe"
)

// swissMap is how a map of at most 8 keys begins since Go 1.24
// (src/internal/runtime/maps/map.go). Its group is 8 bytes of control, of which
// the highest bit is set where a slot is free, and the slots.
type swissMap struct {
	used  uint64
	seed  uintptr
	group *[8 + 8*headerSlot]byte
}

// headerSlot is what a slot of an http.Header takes: a string and a slice.
const headerSlot = 16 + 24

// kept are the groups that were moved: what they point to is alive.
var kept []*[8 + 8*headerSlot]byte

// untouched has the server serve another request, whose header is a map in new
// memory: its last slots lie in a page that nobody has written to or read.
func untouched(w http.ResponseWriter, r *http.Request) {
	if release < 24 {
		http.Error(w, "maps were different then", http.StatusNotImplemented)
		return
	}
	header := http.Header{"Traceparent": r.URL.Query()["parent"]}
	m := *(**swissMap)(unsafe.Pointer(&header))
	taken := 8 + headerSlot*int(m.used)
	page := os.Getpagesize()
	memory, err := syscall.Mmap(-1, 0, 2*page, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_ANON|syscall.MAP_PRIVATE)
	if err != nil {
		panic(err)
	}
	copy(memory[page-taken:page], m.group[:taken])
	kept = append(kept, m.group)
	m.group = (*[8 + 8*headerSlot]byte)(unsafe.Pointer(&memory[page-taken]))

	another := *r
	another.Header, another.URL = header, &url.URL{Path: "/items/7"}
	serverHandler()(r.Context().Value(http.ServerContextKey).(*http.Server), w, &another)
}

// serverHandler returns net/http.serverHandler.ServeHTTP, which has called the
// handler. Its receiver is a structure of a pointer to the server, which is
// handed over like that pointer.
func serverHandler() func(*http.Server, http.ResponseWriter, *http.Request) {
	callers := make([]uintptr, 32)
	frames := runtime.CallersFrames(callers[:runtime.Callers(0, callers)])
	for {
		frame, more := frames.Next()
		if strings.HasSuffix(frame.Function, "net/http.serverHandler.ServeHTTP") {
			code := &frame.Entry
			return *(*func(*http.Server, http.ResponseWriter, *http.Request))(unsafe.Pointer(&code))
		}
		if !more {
			panic("no serverHandler.ServeHTTP has called this")
		}
	}
}
