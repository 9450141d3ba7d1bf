package server

import (
	"context"

	"connectrpc.com/connect"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/gotherm/gotherm/pkg/gothermpb"
)

// ListReleases lists each version of each service that ran in the range, be it
// that it was first seen before; without a start or an end, from or to whenever.
func (s *Server) ListReleases(_ context.Context, req *connect.Request[gothermpb.ListReleasesRequest]) (*connect.Response[gothermpb.ListReleasesResponse], error) {
	from, to, err := spanOrAll(req.Msg.GetStart(), req.Msg.GetEnd())
	if err != nil {
		return nil, err
	}
	answer := &gothermpb.ListReleasesResponse{}
	for _, r := range s.Ledger.Releases() {
		if req.Msg.GetService() != "" && req.Msg.GetService() != r.Service {
			continue
		}
		if hasEnded := !r.LastSeen.IsZero(); !r.FirstSeen.Before(to) || hasEnded && r.LastSeen.Before(from) {
			continue
		}
		release := &gothermpb.Release{
			Service:   r.Service,
			Version:   r.Version,
			Revision:  r.Revision,
			Modified:  r.Modified,
			GoVersion: r.GoVersion,
			FirstSeen: timestamppb.New(r.FirstSeen),
			Previous:  r.Previous,
		}
		if !r.LastSeen.IsZero() {
			release.LastSeen = timestamppb.New(r.LastSeen)
		}
		answer.Releases = append(answer.Releases, release)
	}
	return connect.NewResponse(answer), nil
}
