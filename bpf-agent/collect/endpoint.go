package collect

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/gotherm/gotherm/bpf-agent/goproc"
	"github.com/gotherm/gotherm/pkg/profile"
)

// Auto stands for looking for the endpoints of all processes that are watched.
const Auto = "auto"

// Endpoints says where processes serve net/http/pprof: [Auto], or SERVICE=URL
// for each service, or both.
type Endpoints struct {
	auto bool
	// of services, as index pages.
	of map[string]*url.URL
}

// ReadEndpoints reads what the flag says, once for each time it is there.
func ReadEndpoints(said []string) (Endpoints, error) {
	e := Endpoints{of: map[string]*url.URL{}}
	for _, one := range said {
		if one == Auto {
			e.auto = true
			continue
		}
		service, text, found := strings.Cut(one, "=")
		if !found || service == "" {
			return e, fmt.Errorf("profiles %q: must be %s, or SERVICE=URL such as shop=http://127.0.0.1:6060/debug/pprof/", one, Auto)
		}
		if e.of[service] != nil {
			return e, fmt.Errorf("profiles %q: service %s is there twice", one, service)
		}
		u, err := url.Parse(text)
		if err != nil {
			return e, fmt.Errorf("profiles %q: %w", one, err)
		}
		if u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" {
			return e, fmt.Errorf("profiles %q: %s is no URL of an index page, such as http://127.0.0.1:6060/debug/pprof/", one, text)
		}
		if strings.Trim(u.Path, "/") == "" {
			u.Path = indexPath
		}
		e.of[service] = u
	}
	return e, nil
}

const indexPath = "/debug/pprof/"

// Find returns the index page of a process among its sockets that listen on
// loopback, or on all addresses: the first that answers as net/http/pprof does.
func Find(ctx context.Context, pid int) (string, error) {
	return find(ctx, pid, map[netip.AddrPort]int{})
}

// maxAsked is how often a socket is asked that has never answered so: what is
// no HTTP server at all sees few odd requests.
const maxAsked = 3

// find is [Find] that counts how often each socket was asked in vain.
func find(ctx context.Context, pid int, asked map[netip.AddrPort]int) (string, error) {
	list, err := loopback(pid)
	if err != nil {
		return "", err
	}
	for _, at := range list {
		if asked[at] >= maxAsked {
			continue
		}
		asked[at]++
		index := "http://" + at.String() + indexPath
		target, err := profile.NewTarget(index, client)
		if err != nil {
			return "", err
		}
		ctx, cancel := context.WithTimeout(ctx, findWait)
		_, err = target.Index(ctx)
		cancel()
		if err == nil {
			asked[at] = 0
			return index, nil
		}
	}
	if len(list) == 0 {
		return "", fmt.Errorf("process %d listens on no address on loopback", pid)
	}
	return "", fmt.Errorf("process %d serves net/http/pprof on none of %v", pid, list)
}

// inOurNetwork says, as an error, whether the loopback of a process is another
// one than ours: what answers here on the port that it listens on there would be
// somebody else.
func inOurNetwork(pid int) error {
	ours, err := os.Stat("/proc/self/ns/net")
	if err != nil {
		return fmt.Errorf("look at our network namespace: %w", err)
	}
	its, err := os.Stat(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return fmt.Errorf("look at the network namespace of process %d: %w", pid, err)
	}
	if !os.SameFile(ours, its) {
		return fmt.Errorf("process %d is in another network namespace, with a loopback of its own: say with --profiles SERVICE=URL where it can be reached", pid)
	}
	return nil
}

// loopback lists where a process can be reached through loopback.
func loopback(pid int) (list []netip.AddrPort, err error) {
	if err := inOurNetwork(pid); err != nil {
		return nil, err
	}
	all, err := goproc.Listening(pid)
	if err != nil {
		return nil, err
	}
	for _, at := range all {
		switch at.Addr() {
		case netip.IPv4Unspecified():
			at = netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), at.Port())
		case netip.IPv6Unspecified():
			at = netip.AddrPortFrom(netip.IPv6Loopback(), at.Port())
		}
		if at.Addr().IsLoopback() {
			list = append(list, at)
		}
	}
	return list, nil
}

// findWait is how long a socket may take to answer.
const findWait = 2 * time.Second

// client asks no proxy, and leaves no connection open in a process.
var client = &http.Client{Transport: &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: 64 << 10}}

// belongs says whether a URL that was said of a service is where this process
// answers, of all processes of that service.
func belongs(index *url.URL, pid int, siblings []int) error {
	port, err := strconv.ParseUint(index.Port(), 10, 16)
	if err != nil {
		port = map[string]uint64{"http": 80, "https": 443}[index.Scheme]
	}
	if listens(pid, uint16(port)) || len(siblings) == 1 {
		return nil
	}
	return fmt.Errorf("%d processes of its service run, and this one is not seen to listen on port %d of %s", len(siblings), port, index.Redacted())
}

func listens(pid int, port uint16) bool {
	list, err := goproc.Listening(pid)
	return err == nil && slices.ContainsFunc(list, func(at netip.AddrPort) bool { return at.Port() == port })
}
