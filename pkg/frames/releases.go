package frames

import (
	"cmp"
	"slices"
	"strings"
	"time"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Releases makes the annotation frame of releases: one line at the time at which
// each version was first seen, ordered by that time.
//
//	time     time    when its first process was seen
//	title    string  "shop v1.4.2"
//	text     string  revision, Go version and what ran before
//	tags     string  "release,service:shop,version:v1.4.2"; Grafana splits it at the commas
//	service, version, revision, previous  string  the same, for tables and links
func Releases(releases []*pb.Release) *data.Frame {
	releases = slices.SortedFunc(slices.Values(releases), func(a, b *pb.Release) int {
		return cmp.Or(a.FirstSeen.AsTime().Compare(b.FirstSeen.AsTime()), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Version, b.Version))
	})
	n := len(releases)
	at := make([]time.Time, n)
	title, text, tags := make([]string, n), make([]string, n), make([]string, n)
	service, version, revision, previous := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	for i, r := range releases {
		at[i] = r.FirstSeen.AsTime()
		title[i] = r.Service + " " + r.Version
		text[i] = releaseText(r)
		tags[i] = strings.Join([]string{"release", tag("service", r.Service), tag("version", r.Version)}, ",")
		service[i], version[i], revision[i], previous[i] = r.Service, r.Version, r.Revision, r.Previous
	}
	return data.NewFrame("releases",
		data.NewField("time", nil, at),
		data.NewField("title", nil, title),
		data.NewField("text", nil, text),
		data.NewField("tags", nil, tags),
		data.NewField("service", nil, service),
		data.NewField("version", nil, version),
		data.NewField("revision", nil, revision),
		data.NewField("previous", nil, previous),
	).SetMeta(&data.FrameMeta{DataTopic: data.DataTopicAnnotations})
}

func releaseText(r *pb.Release) string {
	var said []string
	if r.Revision != "" {
		revision := "revision " + r.Revision[:min(len(r.Revision), 12)]
		if r.Modified {
			revision += " with local changes"
		}
		said = append(said, revision)
	}
	if r.GoVersion != "" {
		said = append(said, r.GoVersion)
	}
	if r.Previous != "" {
		said = append(said, "before: "+r.Previous)
	}
	return strings.Join(said, ", ")
}

// tag keeps a tag in one piece where Grafana splits tags at commas.
func tag(key, value string) string { return key + ":" + strings.ReplaceAll(value, ",", "_") }

// MergeReleases makes one of the releases that several agents saw of the same
// service and version: first seen when the first saw it, and running while any
// sees it run.
func MergeReleases(seen []*pb.Release) []*pb.Release {
	type identity struct{ service, version string }
	merged := map[identity]*pb.Release{}
	var result []*pb.Release
	for _, r := range seen {
		id := identity{r.Service, r.Version}
		m := merged[id]
		if m == nil {
			m = &pb.Release{
				Service: r.Service, Version: r.Version, Revision: r.Revision, Modified: r.Modified,
				GoVersion: r.GoVersion, FirstSeen: r.FirstSeen, LastSeen: r.LastSeen, Previous: r.Previous,
			}
			merged[id] = m
			result = append(result, m)
			continue
		}
		if r.FirstSeen.AsTime().Before(m.FirstSeen.AsTime()) {
			m.FirstSeen, m.Previous = r.FirstSeen, r.Previous
		}
		if r.LastSeen == nil || m.LastSeen == nil {
			m.LastSeen = nil
		} else if r.LastSeen.AsTime().After(m.LastSeen.AsTime()) {
			m.LastSeen = r.LastSeen
		}
		m.Modified = m.Modified || r.Modified
	}
	return result
}
