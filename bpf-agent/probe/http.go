package probe

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/gotherm/gotherm/bpf-agent/bpf"
	"github.com/gotherm/gotherm/bpf-agent/goproc"
)

const (
	serveHTTP  = "net/http.serverHandler.ServeHTTP"
	newTCPConn = "net.newTCPConn"
)

// The end is attached before the begin, what tells more of a request in
// between: nothing that is seen to begin is not seen to end.
var requestProbes = []Probe{
	{Function: "net/http.(*connReader).abortPendingRead", Kind: goproc.SitePush, Program: bpf.KernelProgHttpEnd, Also: lastDefers},
	{Program: bpf.KernelProgTcpSending, Optional: true},
	{Function: "runtime/pprof.runtime_setProfLabel", Kind: goproc.SitePush, Program: bpf.KernelProgHttpLabelled, Optional: true},
	{Function: serveHTTP, Kind: goproc.SitePush, Program: bpf.KernelProgHttpBegin},
}

// lastDefers are what runHandler of an HTTP/2 server does last: its first
// defer, which the compiler wraps into a function. The server is package
// net/http's, which has a package of its own for it since Go 1.27, or the one
// of golang.org/x that replaces it.
func lastDefers(b *goproc.Binary) []string {
	wrapper := "runHandler.deferwrap1"
	if b.Minor < 22 {
		wrapper = "runHandler.func2" // after the function that is deferred next
	}
	return []string{
		"net/http.(*http2serverConn)." + wrapper,
		"net/http/internal/http2.(*serverConn)." + wrapper,
		"golang.org/x/net/http2.(*serverConn)." + wrapper,
	}
}

// linked fails with errIdle when a program does not have a function.
func linked(b *goproc.Binary, function, does string) error {
	if b.Functions != nil {
		if _, has := b.Functions.Lookup(function); has {
			return nil
		}
	}
	return fmt.Errorf("the program does not %s: %s: %w", does, function, errIdle)
}

func needsRequest(b *goproc.Binary) error {
	if err := linked(b, serveHTTP, "serve HTTP with net/http"); err != nil {
		return err
	}
	if b.Offsets.GGoid == 0 {
		return fmt.Errorf("offset of g.goid is not known")
	}
	_, err := servingOf(b)
	return err
}

func needsAccept(b *goproc.Binary) error {
	if err := linked(b, newTCPConn, "speak TCP with package net"); err != nil {
		return err
	}
	_, err := sysfd(b)
	return err
}

// sysfd is the offset of the file descriptor in a net.netFD.
func sysfd(b *goproc.Binary) (uint32, error) {
	pfd, err := b.Field("net.netFD", "pfd")
	if err != nil {
		return 0, err
	}
	fd, err := b.Field("internal/poll.FD", "Sysfd")
	return pfd + fd, err
}

// How the programs tell patterns and maps apart: http.bpf.c and headers.h.
const (
	patternString, patternPointer = 1, 2
	mapSwiss, mapBuckets          = 1, 2
)

// servingOf says where a binary has the parts of a request. What may be missing
// is left 0, and then not told.
func servingOf(b *goproc.Binary) (s bpf.KernelServing, err error) {
	field := func(of, name string) uint32 {
		offset, e := b.Field(of, name)
		if err == nil {
			err = e
		}
		return offset
	}
	s.RequestMethod = field("net/http.Request", "Method")
	s.RequestUrl = field("net/http.Request", "URL")
	s.RequestHeader = field("net/http.Request", "Header")
	s.UrlPath = field("net/url.URL", "Path")
	// ServeMux has patterns since Go 1.22, and shows them since Go 1.23.
	switch {
	case b.Minor >= 23:
		s.RequestPattern, s.PatternKnown = field("net/http.Request", "Pattern"), patternString
	case b.Minor == 22:
		s.RequestPattern, s.PatternStr, s.PatternKnown = field("net/http.Request", "pat"), field("net/http.pattern", "str"), patternPointer
	}
	if err != nil {
		return s, err
	}
	s.Headers = mapLayout(b)
	return s, nil
}

// mapLayout says how maps lie in the memory of a binary: Go 1.24 brought
// others. Experiments that change them are not known.
func mapLayout(b *goproc.Binary) (layout bpf.KernelMapLayout) {
	if strings.Contains(b.GoVersion, "mapsplitgroup") {
		return layout
	}
	offsets := func(of string, names ...string) (found []uint32) {
		for _, name := range names {
			if offset, err := b.Field(of, name); err == nil {
				found = append(found, offset)
			}
		}
		return found
	}
	if at := offsets("runtime.hmap", "B", "buckets", "oldbuckets"); len(at) == 3 && at[0] == 9 && at[1] == 16 && at[2] == 24 {
		layout.Kind = mapBuckets
		return layout
	}
	const maps = "internal/runtime/maps."
	whole, table, groups := offsets(maps+"Map", "dirPtr", "dirLen"), offsets(maps+"table", "groups"), offsets(maps+"groupsReference", "data", "lengthMask")
	// The programs read what lies side by side at once.
	if len(whole) == 2 && whole[0] == 16 && whole[1] == 24 && len(table) == 1 && len(groups) == 2 && groups[0] == 0 && groups[1] == 8 {
		layout.Kind = mapSwiss
		layout.TableGroups = table[0]
	}
	return layout
}

// serving is what all of these points need to know of a process.
var serving = family{
	admit: func(k *Kernel, s *Slot) error {
		at, err := servingOf(s.Process.Binary)
		if err != nil {
			at = bpf.KernelServing{} // nothing asks: needsRequest
		}
		if fd, err := sysfd(s.Process.Binary); err == nil {
			at.NetfdSysfd = fd
		}
		s.serving = at
		return k.put(bpf.KernelMapServings, s, &s.serving)
	},
	clear: func(k *Kernel, s *Slot) error {
		zero := uint32(0)
		return k.put(bpf.KernelMapPathRoutes, s, &zero)
	},
}

// Requests and sends that began when their points were last wanted must not be
// ended now.
var (
	requests = family{
		points: 1 << bpf.KernelPointHTTP_REQUEST,
		first: func(k *Kernel, s *Slot) (err error) {
			if s.serving.RequestsSince, err = monotonic(); err != nil {
				return err
			}
			return k.put(bpf.KernelMapServings, s, &s.serving)
		},
		clear: func(k *Kernel, s *Slot) error { return k.forgetRequests(s) },
	}
	sends = family{
		points: 1 << bpf.KernelPointTCP_SEND,
		first: func(k *Kernel, s *Slot) (err error) {
			if s.serving.SendsSince, err = monotonic(); err != nil {
				return err
			}
			return k.put(bpf.KernelMapServings, s, &s.serving)
		},
	}
)

// monotonic is the clock that bpf_ktime_get_ns reads.
func monotonic() (uint64, error) {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		return 0, fmt.Errorf("read the monotonic clock: %w", err)
	}
	return uint64(now.Nano()), nil
}

// forgetRequests deletes the requests that the process of a slot was serving
// when it ended.
func (k *Kernel) forgetRequests(s *Slot) error {
	open := k.collection.Maps[bpf.KernelMapRequests]
	var gone []uint64
	var key uint64
	var value bpf.KernelRequest
	for all := open.Iterate(); all.Next(&key, &value); {
		if key>>56 == uint64(s.Number) {
			gone = append(gone, key)
		}
	}
	for _, key := range gone {
		if err := open.Delete(key); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return fmt.Errorf("delete requests of slot %d: %w", s.Number, err)
		}
	}
	return nil
}
