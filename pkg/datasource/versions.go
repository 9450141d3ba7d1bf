package datasource

import (
	"context"
	"fmt"
	"slices"
	"time"

	"connectrpc.com/connect"
	"github.com/gotherm/gotherm/pkg/datasource/query"
	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
)

// release names what ran.
type release struct{ service, version string }

// knownReleases is what agents know of what ran, and when.
type knownReleases struct {
	// began is when each release was first seen, or its oldest process that runs began.
	began      map[release]time.Time
	goVersions map[release][]string
	// gauges are those of the points asked about that are none with hits.
	gauges []string
}

// whoRan asks all agents which releases they have seen, and whether the points
// of some arms have hits. Releases in the order in which their processes began:
// an agent that began after them has seen them all at once.
func (d *Datasource) whoRan(ctx context.Context, arms [2]arm) (knownReleases, []failure) {
	type seen struct {
		releases  []*pb.Release
		processes []*pb.Process
		gauges    []string
	}
	answers, failures := askAll(ctx, d.agents, func(ctx context.Context, a *agent) (s seen, err error) {
		for _, side := range arms {
			gauge, err := a.isGauge(ctx, side.pom)
			if err != nil {
				return s, err
			}
			if gauge {
				s.gauges = append(s.gauges, side.pom)
			}
		}
		answer, err := a.api.ListReleases(ctx, connect.NewRequest(&pb.ListReleasesRequest{}))
		if err != nil {
			return s, err
		}
		s.releases = answer.Msg.Releases
		if err := checkReleases(s.releases); err != nil {
			return s, err
		}
		s.processes, err = a.listProcesses(ctx)
		return s, err
	})
	known := knownReleases{map[release]time.Time{}, map[release][]string{}, nil}
	note := func(r release, at time.Time, goVersion string) {
		if first, there := known.began[r]; !there || at.Before(first) {
			known.began[r] = at
		}
		if goVersion != "" && !slices.Contains(known.goVersions[r], goVersion) {
			known.goVersions[r] = append(known.goVersions[r], goVersion)
		}
	}
	for _, a := range answers {
		known.gauges = append(known.gauges, a.value.gauges...)
		for _, r := range a.value.releases {
			note(release{r.Service, r.Version}, r.FirstSeen.AsTime(), r.GoVersion)
		}
		for _, p := range a.value.processes {
			r := release{p.Service, p.Version}
			// What the agents call no release, a version that is not known among them, becomes none here.
			if _, there := known.began[r]; there && p.Started.IsValid() {
				note(r, p.Started.AsTime(), p.GoVersion)
			}
		}
	}
	return known, failures
}

// versionsOf are the releases that an arm is of; nil stands for all.
type versionsOf []release

func (v versionsOf) has(service, version string) bool {
	return v == nil || slices.ContainsFunc(v, func(r release) bool {
		return (r.service == "" || r.service == service) && r.version == version
	})
}

// apart says whether no hit can be of both.
func (v versionsOf) apart(other versionsOf) bool {
	return v != nil && other != nil && !slices.ContainsFunc(v, func(r release) bool {
		return slices.ContainsFunc(other, func(o release) bool {
			return r.version == o.version && (r.service == o.service || r.service == "" || o.service == "")
		})
	})
}

// matchers returns matchers that keep the versions: with more values than one
// matcher may have, they keep too much, which [versionsOf.has] sorts out.
func (v versionsOf) matchers(also []query.Matcher) []query.Matcher {
	var values []string
	for _, r := range v {
		if !slices.Contains(values, r.version) {
			values = append(values, r.version)
		}
	}
	if len(values) == 0 || len(values) > maxValues || len(also) == maxMatchers {
		return also
	}
	return append(slices.Clone(also), query.Matcher{Dimension: "version", Values: values})
}

// resolve returns the releases that an arm is of. The last and the last but one
// are those of each service that the arm's matchers keep, up to the end of the
// query's range. An error says what there is none of.
func (k knownReleases) resolve(a arm) (versionsOf, error) {
	back := 0
	switch a.version {
	case "":
		return nil, nil
	case query.LatestVersion:
	case query.PreviousVersion:
		back = 1
	default:
		return versionsOf{{version: a.version}}, nil
	}
	byService := map[string][]release{}
	matchers := slices.DeleteFunc(matchersOf(a.matchers), func(m heat.Matcher) bool { return !slices.Contains(releaseDimensions, m.Dimension) })
	for r, began := range k.began {
		key := heat.Key{Service: r.service, Version: r.version}
		if key.Matches(matchers) && began.Before(a.until) {
			byService[r.service] = append(byService[r.service], r)
		}
	}
	var found versionsOf
	for _, all := range byService {
		if len(all) <= back {
			continue
		}
		slices.SortFunc(all, func(x, y release) int {
			if c := k.began[y].Compare(k.began[x]); c != 0 {
				return c
			}
			return naturally(y.version, x.version)
		})
		found = append(found, all[back])
	}
	switch {
	case found != nil:
		return found, nil
	case back == 0 || len(byService) == 0:
		return nil, fmt.Errorf("no release was seen before %s of what the matchers keep, so there is no version %s for the %s", clock(a.until), a.version, a.name)
	}
	for service, all := range byService {
		return nil, fmt.Errorf("only one release of %s was seen before %s, %s: there is nothing before it to be the %s; choose a window", service, clock(a.until), all[0].version, a.name)
	}
	return nil, nil
}
