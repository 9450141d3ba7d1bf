package profile_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"runtime/trace"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
)

// served is this process as a target: what net/http/pprof serves of it.
func served(t *testing.T) *profile.Target {
	t.Helper()
	return serving(t, pprof.Profile, pprof.Trace)
}

func serving(t *testing.T, profiles, traces http.HandlerFunc) *profile.Target {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", profiles)
	mux.HandleFunc("/debug/pprof/trace", traces)
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	target, err := profile.NewTarget(server.URL+"/debug/pprof/", server.Client())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(target.Close)
	return target
}

// burn keeps a CPU busy for as long as the test runs.
func burn(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for ctx.Err() == nil {
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
}

func TestATraceHasTheSamplesOfTheProfileWithinIt(t *testing.T) {
	burn(t)
	var report *stages.Report
	traced, err := served(t).Trace(t.Context(), profile.TraceRequest{Seconds: 1}, profile.Usual.Packed, func(r io.Reader) (err error) {
		report, err = stages.Fuse(r, stages.DefaultLimits())
		return err
	})
	if err != nil || traced.Refused != nil {
		t.Fatal(err, traced.Refused)
	}
	cpu, err := profile.Parse(bytes.NewReader(traced.CPU), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := report.Check(cpu)
	if err != nil {
		t.Fatal(err)
	}
	if report.Total.Samples == 0 || stages.Agreement(matches) != 1 {
		t.Errorf("trace and profile: %v, want the same samples", matches)
	}
	if took := traced.To.Sub(traced.From); took < 2*time.Second || report.Length < time.Second {
		t.Errorf("it took %s, the trace is of %s", took, report.Length)
	}
}

func TestASecondTraceIsBusy(t *testing.T) {
	if err := trace.Start(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer trace.Stop()
	_, err := served(t).Trace(t.Context(), profile.TraceRequest{Seconds: 1}, profile.Usual.Packed, func(io.Reader) error { return nil })
	var busy profile.Busy
	if !errors.As(err, &busy) {
		t.Errorf("error is %v, want busy", err)
	}
}

func TestAnothersTraceIsWaitedFor(t *testing.T) {
	if err := trace.Start(io.Discard); err != nil {
		t.Fatal(err)
	}
	var ends sync.Once
	defer ends.Do(trace.Stop)
	refused := 0
	target := serving(t, pprof.Profile, func(w http.ResponseWriter, r *http.Request) {
		pprof.Trace(w, r)
		ends.Do(func() { trace.Stop(); refused++ })
	})
	traced, err := target.Trace(t.Context(), profile.TraceRequest{Seconds: 1, Patience: time.Minute}, profile.Usual.Packed, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err != nil || traced.Refused != nil || refused != 1 {
		t.Errorf("after %d refusals: %+v, %v", refused, traced, err)
	}
}

func TestATraceIsHadWhileAnotherTakesTheProfile(t *testing.T) {
	if err := runtimepprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer runtimepprof.StopCPUProfile()
	traced, err := served(t).Trace(t.Context(), profile.TraceRequest{Seconds: 1}, profile.Usual.Packed, func(r io.Reader) error {
		_, err := stages.Fuse(r, stages.DefaultLimits())
		return err
	})
	var busy profile.Busy
	if err != nil || !errors.As(traced.Refused, &busy) {
		t.Errorf("error %v, of the profile %v, want none and busy", err, traced)
	}
}

func TestATraceBeginsAgainWhenAnotherHasTakenItsProfile(t *testing.T) {
	burn(t)
	if err := runtimepprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	var ends sync.Once
	defer ends.Do(runtimepprof.StopCPUProfile)
	var profiles, traces atomic.Int32
	target := serving(t, func(w http.ResponseWriter, r *http.Request) {
		profiles.Add(1)
		pprof.Profile(w, r)
		ends.Do(runtimepprof.StopCPUProfile)
	}, func(w http.ResponseWriter, r *http.Request) {
		traces.Add(1)
		pprof.Trace(w, r)
	})
	var report *stages.Report
	traced, err := target.Trace(t.Context(), profile.TraceRequest{Seconds: 1, Patience: time.Minute}, profile.Usual.Packed, func(r io.Reader) (err error) {
		report, err = stages.Fuse(r, stages.DefaultLimits())
		return err
	})
	if err != nil || traced.Refused != nil {
		t.Fatal(err, traced.Refused)
	}
	if profiles.Load() != 2 || traces.Load() != 2 {
		t.Errorf("asked for %d profiles and %d traces, want the one that was refused and one more", profiles.Load(), traces.Load())
	}
	cpu, err := profile.Parse(bytes.NewReader(traced.CPU), profile.Usual)
	if err != nil {
		t.Fatal(err)
	}
	matches, err := report.Check(cpu)
	if err != nil || report.Total.Samples == 0 || stages.Agreement(matches) < 0.95 {
		t.Errorf("it has %d samples: %v, %v", report.Total.Samples, matches, err)
	}
}

func TestATraceThatNobodyWaitsForEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := served(t).Trace(ctx, profile.TraceRequest{Seconds: 60}, profile.Usual.Packed, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error is %v", err)
	}
}
