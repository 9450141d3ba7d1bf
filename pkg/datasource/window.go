package datasource

import (
	"context"
	"net/url"
	"slices"
	"strings"
	"time"

	"connectrpc.com/connect"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/profile"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// window is a time in which a process was profiled: what leads from a profile to the heat of the same.
type window struct {
	process  string
	from, to time.Time
	// flow says that the profile is of what happened in it: not of what there is, nor of all since the start.
	flow bool
}

// processesOf lists the processes of windows, at most as many as a matcher may have values.
func processesOf(windows []window) []string {
	var processes []string
	for _, w := range windows {
		processes = append(processes, w.process)
	}
	slices.Sort(processes)
	processes = slices.Compact(processes)
	if len(processes) > maxValues {
		return nil
	}
	return processes
}

// watchedAs returns the processes that a target is, as far as agents know: those
// that they have found to serve profiles at its URL. An address on loopback is
// the same one only to an agent that is on loopback too.
func (d *Datasource) watchedAs(ctx context.Context, t *target) (processes []string) {
	now := time.Now()
	answers, _ := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (*pb.ListProfilesResponse, error) {
		// Of no profile, but of all sources.
		answer, err := a.api.ListProfiles(ctx, connect.NewRequest(&pb.ListProfilesRequest{
			Type: profile.CPU, Start: timestamppb.New(now), End: timestamppb.New(now.Add(time.Second)),
		}))
		if err != nil {
			return nil, err
		}
		return answer.Msg, nil
	})
	at, err := url.Parse(t.url)
	if err != nil {
		return nil
	}
	for _, a := range answers {
		from, err := url.Parse(a.agent.url)
		if err != nil || isLoopback(at.Hostname()) && !isLoopback(from.Hostname()) {
			continue
		}
		for _, s := range a.value.Sources {
			if s.Url != "" && sameIndex(t.url, s.Url) {
				processes = append(processes, s.Process)
			}
		}
	}
	return processes
}

// sameIndex says whether two URLs are of one index page.
func sameIndex(a, b string) bool {
	index := func(text string) string {
		u, err := url.Parse(text)
		if err != nil {
			return text
		}
		host, port := u.Hostname(), u.Port()
		if host == "localhost" {
			host = "127.0.0.1"
		}
		if port == "" {
			port = map[string]string{"http": "80", "https": "443"}[u.Scheme]
		}
		return u.Scheme + " " + host + " " + port + " " + strings.TrimRight(u.Path, "/")
	}
	return index(a) == index(b)
}
