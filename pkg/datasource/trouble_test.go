package datasource

import (
	"context"
	"io"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/gotherm/gotherm/pkg/datasource/query"
	"github.com/grafana/grafana-plugin-sdk-go/backend"
)

// TestAShopInTroubleIsToldOf has the real shop be profiled by somebody else, be
// too slow to answer, and end while its profile is collected.
func TestAShopInTroubleIsToldOf(t *testing.T) {
	shop := openShop(t, "1.0.0")
	settings := shop.settings(t, "")
	settings.JSONData = []byte(strings.Replace(string(settings.JSONData), `"timeoutSeconds":10`, `"timeoutSeconds":2`, 1))
	d := openWith(t, settings)
	collect := func(ctx context.Context, kind string, seconds int) error {
		q := dataQuery(t, query.Query{Kind: query.KindTop, Profile: &query.Profile{Target: "shop", Type: kind, Seconds: seconds}}, lastTwoMinutes(time.Now()))
		answer, err := d.QueryData(ctx, &backend.QueryDataRequest{PluginContext: shopContext, Queries: []backend.DataQuery{q}})
		if err != nil {
			t.Fatal(err)
		}
		return answer.Responses["A"].Error
	}
	isTold := func(err error, says string) {
		t.Helper()
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("the error is %v, want it to say %q", err, says)
		}
	}

	// Whoever waits for less than the profile takes is told before it is begun.
	impatient, leave := context.WithTimeout(t.Context(), 4*time.Second)
	began := time.Now()
	isTold(collect(impatient, "cpu", 60), "profile.seconds is 60, at most 3")
	if time.Since(began) > 3*time.Second {
		t.Errorf("to be refused took %s", time.Since(began))
	}
	leave()

	// Somebody else takes a CPU profile.
	ctx, stop := context.WithCancel(t.Context())
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, shop.index+"profile?seconds=60", nil)
	if err != nil {
		t.Fatal(err)
	}
	elsewhere := make(chan error, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err == nil {
			_, err = io.Copy(io.Discard, answer.Body)
			_ = answer.Body.Close()
		}
		elsewhere <- err
	}()
	waitFor(t, "the shop to be profiled by somebody else", func() bool {
		err := collect(t.Context(), "cpu", 1)
		return err != nil && strings.Contains(err.Error(), "is being profiled already") && strings.Contains(err.Error(), "target shop")
	})
	if err := collect(t.Context(), "heap", 0); err != nil {
		t.Errorf("of a shop whose CPU is being profiled the heap is %v", err)
	}
	stop()
	<-elsewhere
	waitFor(t, "the shop to be free again", func() bool { return collect(t.Context(), "cpu", 1) == nil })

	// It stands still.
	if err := shop.Signal(syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	isTold(collect(t.Context(), "goroutine", 0), "did not answer in time")
	if err := shop.Signal(syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	waitFor(t, "the shop to answer again", func() bool { return collect(t.Context(), "mutex", 0) == nil })

	// It ends before its profile does.
	ending := make(chan error, 1)
	go func() { ending <- collect(t.Context(), "cpu", 20) }()
	waitFor(t, "the shop to be asked for a profile", func() bool {
		answer, err := http.Get(shop.index + "profile?seconds=1")
		if err != nil {
			return false
		}
		defer func() { _ = answer.Body.Close() }()
		return answer.StatusCode == http.StatusInternalServerError
	})
	began = time.Now()
	if err := shop.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	isTold(<-ending, "does not answer")
	if time.Since(began) > 10*time.Second {
		t.Errorf("that the shop has ended was known after %s", time.Since(began))
	}
	isTold(collect(t.Context(), "allocs", 0), "connection refused")
}
