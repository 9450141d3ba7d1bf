package profile_test

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/pprof"
	runtimepprof "runtime/pprof"
	"runtime/trace"
	"strings"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/profile"
	"github.com/gotherm/gotherm/pkg/profile/stages"
)

// served is this process as a target: what net/http/pprof serves of it.
func served(t *testing.T) *profile.Target {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/debug/pprof/", pprof.Index)
	mux.HandleFunc("/debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("/debug/pprof/trace", pprof.Trace)
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
	traced, err := served(t).Trace(t.Context(), 1, profile.Usual, func(r io.Reader) (err error) {
		report, err = stages.Fuse(r, stages.DefaultLimits())
		return err
	})
	if err != nil || traced.CPUError != nil {
		t.Fatal(err, traced.CPUError)
	}
	matches, err := report.Check(traced.CPU.Profile)
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
	_, err := served(t).Trace(t.Context(), 1, profile.Usual, func(io.Reader) error { return nil })
	var busy profile.Busy
	if !errors.As(err, &busy) {
		t.Errorf("error is %v, want busy", err)
	}
}

func TestATraceIsHadWhileAnotherTakesTheProfile(t *testing.T) {
	if err := runtimepprof.StartCPUProfile(io.Discard); err != nil {
		t.Fatal(err)
	}
	defer runtimepprof.StopCPUProfile()
	traced, err := served(t).Trace(t.Context(), 1, profile.Usual, func(r io.Reader) error {
		_, err := stages.Fuse(r, stages.DefaultLimits())
		return err
	})
	var busy profile.Busy
	if err != nil || !errors.As(traced.CPUError, &busy) {
		t.Errorf("error %v, of the profile %v, want none and busy", err, traced)
	}
}

func TestATraceThatNobodyWaitsForEnds(t *testing.T) {
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	_, err := served(t).Trace(ctx, 60, profile.Usual, func(r io.Reader) error {
		_, err := io.Copy(io.Discard, r)
		return err
	})
	if err == nil || !strings.Contains(err.Error(), "did not answer in time") {
		t.Errorf("error is %v", err)
	}
}
