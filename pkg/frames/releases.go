package frames

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"
	"time"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// Release is a version of a service that agents saw.
type Release struct {
	*pb.Release
	// Agents are the names of those that saw it.
	Agents []string
}

// Releases makes the annotation frame of releases: one line at the time at which
// each version was first seen, ordered by that time.
//
//	time     time    when its first process was seen
//	title    string  "shop v1.4.2"
//	text     string  revision, Go version and what ran before
//	tags     string  "release,service:shop,version:v1.4.2"; Grafana splits it at the commas
//	service, version, revision, previous  string  the same, for tables and links
//	data     JSON    [About], for a panel: of all that a frame may say of an
//	                 annotation, Grafana hands panels only what is above and this.
//
// It has no timeEnd: all panels would be shaded for as long as a version ran.
func Releases(releases []Release) *data.Frame {
	releases = slices.SortedFunc(slices.Values(releases), func(a, b Release) int {
		return cmp.Or(a.FirstSeen.AsTime().Compare(b.FirstSeen.AsTime()), cmp.Compare(a.Service, b.Service), cmp.Compare(a.Version, b.Version))
	})
	n := len(releases)
	at := make([]time.Time, n)
	title, text, tags := make([]string, n), make([]string, n), make([]string, n)
	service, version, revision, previous := make([]string, n), make([]string, n), make([]string, n), make([]string, n)
	about := make([]json.RawMessage, n)
	for i, r := range releases {
		at[i] = r.FirstSeen.AsTime()
		title[i] = r.Service + " " + r.Version
		text[i] = releaseText(r)
		tags[i] = strings.Join([]string{"release", tag("service", r.Service), tag("version", r.Version)}, ",")
		service[i], version[i], revision[i], previous[i] = r.Service, r.Version, r.Revision, r.Previous
		about[i] = aboutRelease(r)
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
		data.NewField("data", nil, about),
	).SetMeta(&data.FrameMeta{DataTopic: data.DataTopicAnnotations})
}

// About is what a version strip shows of a release.
type About struct {
	Service   string `json:"service"`
	Version   string `json:"version"`
	Revision  string `json:"revision,omitempty"`
	GoVersion string `json:"goVersion,omitempty"`
	// LastSeen is when its last process ended, in ms since 1970; absent while one runs.
	LastSeen int64    `json:"lastSeen,omitempty"`
	Agents   []string `json:"agents"`
}

func aboutRelease(r Release) json.RawMessage {
	a := About{Service: r.Service, Version: r.Version, Revision: r.Revision, GoVersion: r.GoVersion, Agents: r.Agents}
	if r.LastSeen != nil {
		a.LastSeen = r.LastSeen.AsTime().UnixMilli()
	}
	text, err := json.Marshal(a)
	if err != nil {
		panic(err) // Strings and numbers only.
	}
	return text
}

func releaseText(r Release) string {
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
func MergeReleases(seen []Release) []Release {
	type identity struct{ service, version string }
	merged := map[identity]int{}
	var result []Release
	for _, r := range seen {
		id := identity{r.Service, r.Version}
		at, known := merged[id]
		if !known {
			merged[id] = len(result)
			result = append(result, Release{Agents: slices.Clone(r.Agents), Release: &pb.Release{
				Service: r.Service, Version: r.Version, Revision: r.Revision, Modified: r.Modified,
				GoVersion: r.GoVersion, FirstSeen: r.FirstSeen, LastSeen: r.LastSeen, Previous: r.Previous,
			}})
			continue
		}
		m := &result[at]
		for _, agent := range r.Agents {
			if !slices.Contains(m.Agents, agent) {
				m.Agents = append(m.Agents, agent)
			}
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
