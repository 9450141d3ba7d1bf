package server

import (
	"context"
	"errors"
	"strings"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/durationpb"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/bpf-agent/collect"
	"github.com/gotherm/gotherm/bpf-agent/probe"
	"github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/gotherm/gotherm/pkg/heat"
	"github.com/gotherm/gotherm/pkg/profile"
)

const (
	// maxProfiles is how many profiles a list may have.
	maxProfiles = 10_000
	// maxCollect is the longest CPU profile that one request may ask for, so that it is there within [maxTime].
	maxCollect = 20 * time.Second
	// maxCollecting is how many requests may ask processes for profiles at once.
	maxCollecting = 8
)

const profilesOff = "the agent collects no profiles: start it with --profiles auto, or with --profiles SERVICE=URL of where the service serves net/http/pprof"

// ListProfiles lists the profiles that are kept.
func (s *Server) ListProfiles(_ context.Context, req *connect.Request[gothermpb.ListProfilesRequest]) (*connect.Response[gothermpb.ListProfilesResponse], error) {
	who, err := matchers(probe.Point{Name: "profiles", Dimensions: heat.GaugeDimensions}, req.Msg.GetMatchers())
	if err != nil {
		return nil, err
	}
	from, to, err := spanOrAll(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	if s.Profiles == nil {
		return connect.NewResponse(&gothermpb.ListProfilesResponse{Off: profilesOff}), nil
	}
	answer := &gothermpb.ListProfilesResponse{}
	list := s.Profiles.Store().List(func(p collect.Profile) bool {
		key := heat.Key{Process: p.Process, Service: p.Service, Version: p.Version}
		return (req.Msg.GetType() == "" || p.Type == req.Msg.GetType()) && p.From.Before(to) && !p.To.Before(from) && key.Matches(who)
	})
	if len(list) > maxProfiles {
		return nil, tooMuch("the list has %d profiles, at most %d: ask for a shorter range, one type or fewer processes", len(list), maxProfiles)
	}
	for _, p := range list {
		answer.Profiles = append(answer.Profiles, aboutProfile(p))
	}
	for _, source := range s.Profiles.Sources() {
		if key := processKey(source.Process); key.Matches(who) {
			answer.Sources = append(answer.Sources, profileSource(key, source))
		}
	}
	return connect.NewResponse(answer), nil
}

func aboutProfile(p collect.Profile) *gothermpb.CollectedProfile {
	return &gothermpb.CollectedProfile{
		Id: p.ID, Process: p.Process, Service: valid(p.Service), Version: valid(p.Version), Type: valid(p.Type),
		Start: timestamppb.New(p.From), End: timestamppb.New(p.To), Bytes: uint64(p.Bytes),
	}
}

func profileSource(key heat.Key, from collect.Source) *gothermpb.ProfileSource {
	source := &gothermpb.ProfileSource{Process: key.Process, Service: valid(key.Service), Version: valid(key.Version), Url: from.Index}
	for _, kind := range from.Types {
		source.Types = append(source.Types, valid(kind))
	}
	if from.Refused != nil {
		source.Refused = valid(from.Refused.Error())
	}
	for kind, f := range from.Failing {
		source.Failing = append(source.Failing, &gothermpb.ProfileFailure{Type: valid(kind), Reason: valid(f.Reason), Retry: timestamppb.New(f.Retry)})
	}
	return source
}

// valid makes text fit to be sent: a process may call itself anything.
func valid(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// GetProfile returns a profile that is kept.
func (s *Server) GetProfile(_ context.Context, req *connect.Request[gothermpb.GetProfileRequest]) (*connect.Response[gothermpb.GetProfileResponse], error) {
	if s.Profiles == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New(profilesOff))
	}
	about, raw, err := s.Profiles.Store().Get(req.Msg.GetId())
	switch {
	case errors.Is(err, collect.ErrGone):
		return nil, connect.NewError(connect.CodeNotFound, err)
	case err != nil:
		return nil, connect.NewError(connect.CodeInternal, err)
	}
	return connect.NewResponse(&gothermpb.GetProfileResponse{About: aboutProfile(about), Profile: raw}), nil
}

// CollectProfile asks a process for a profile now. Of requests for the same
// process each waits for the one before.
func (s *Server) CollectProfile(ctx context.Context, req *connect.Request[gothermpb.CollectProfileRequest]) (*connect.Response[gothermpb.CollectProfileResponse], error) {
	if s.Profiles == nil {
		return nil, connect.NewError(connect.CodeFailedPrecondition, errors.New(profilesOff))
	}
	wanted := profile.Request{Type: req.Msg.GetType()}
	if wanted.Type == "" || len(wanted.Type) > maxValueBytes {
		return nil, invalid("type is %q, must be cpu, heap or another type that the process serves", brief(wanted.Type))
	}
	seconds, err := collectSeconds(req.Msg.GetDuration())
	switch {
	case err != nil:
		return nil, err
	case wanted.Type == profile.CPU:
		wanted.Seconds = seconds
	case req.Msg.GetDuration().AsDuration() != 0:
		return nil, invalid("duration is %s, which only cpu has", req.Msg.GetDuration().AsDuration())
	}
	leave, err := s.collecting.enter()
	if err != nil {
		return nil, err
	}
	defer leave()
	about, raw, err := s.Profiles.Collect(ctx, req.Msg.GetProcess(), wanted)
	if err != nil {
		return nil, notCollected(err)
	}
	return connect.NewResponse(&gothermpb.CollectProfileResponse{About: aboutProfile(about), Profile: raw}), nil
}

// collectSeconds reads how long a CPU profile takes.
func collectSeconds(asked *durationpb.Duration) (int, error) {
	if asked != nil {
		if err := asked.CheckValid(); err != nil {
			return 0, invalid("duration is not a duration: %w", err)
		}
	}
	switch d := asked.AsDuration(); {
	case d < 0 || d > maxCollect || d%time.Second != 0:
		return 0, invalid("duration is %s, must be whole seconds, at most %s", d, maxCollect)
	case d == 0:
		return int(collect.Usual.CPU / time.Second), nil
	default:
		return int(d / time.Second), nil
	}
}

// notCollected sorts why a process gave no profile.
func notCollected(err error) error {
	switch {
	case errors.As(err, new(*connect.Error)):
		return err
	case errors.Is(err, collect.ErrUnknown):
		return connect.NewError(connect.CodeNotFound, err)
	case errors.As(err, new(profile.Busy)):
		return connect.NewError(connect.CodeUnavailable, err)
	}
	return connect.NewError(connect.CodeFailedPrecondition, err)
}
