package main

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// openShop builds the shop, runs it as a process of its own, and stops it when the test ends.
func openShop(t *testing.T) (url, metrics string) {
	t.Helper()
	binary := filepath.Join(t.TempDir(), "shop")
	if out, err := exec.Command("go", "build", "-o", binary, "..").CombinedOutput(); err != nil {
		t.Fatalf("build the shop: %v\n%s", err, out)
	}
	shop := exec.Command(binary, "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0")
	log, err := shop.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := shop.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for metrics == "" && lines.Scan() {
		for _, field := range strings.Fields(lines.Text()) {
			if value, ok := strings.CutPrefix(field, "url="); ok {
				url = value
			}
			if value, ok := strings.CutPrefix(field, "metrics="); ok {
				metrics = value
			}
		}
	}
	t.Cleanup(func() {
		if err := shop.Process.Signal(syscall.SIGTERM); err != nil {
			t.Error(err)
		}
		io.Copy(io.Discard, log)
		if err := shop.Wait(); err != nil {
			t.Errorf("the shop ended with %v", err)
		}
	})
	if url == "" || metrics == "" {
		t.Fatal("the shop did not say where it is")
	}
	return url, metrics
}

// shopCounts returns the value of each line of the shop's metrics.
func shopCounts(t *testing.T, metrics string) map[string]float64 {
	t.Helper()
	response, err := http.Get(metrics)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	values := map[string]float64{}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		text := lines.Text()
		var v float64
		if i := strings.LastIndexByte(text, ' '); i > 0 {
			if _, err := fmt.Sscan(text[i+1:], &v); err == nil {
				values[text[:i]] = v
			}
		}
	}
	return values
}

func TestWhatLoadCountsIsWhatTheShopCounts(t *testing.T) {
	url, metrics := openShop(t)
	everything, err := parseMix(defaultMix)
	if err != nil {
		t.Fatal(err)
	}
	var sent int64
	for name, p := range map[string]plan{
		"exactly 500 requests on 4 connections": {requests: 500, connections: 4},
		"200 requests a second for a second":    {rate: 200, duration: time.Second, connections: 8},
		"as fast as it goes for half a second":  {duration: 500 * time.Millisecond, connections: 2},
	} {
		p.url, p.mix = url, everything
		if err := p.validate(); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		r := p.send(context.Background())
		if r.errors != 0 {
			t.Errorf("%s: %d errors, first: %v", name, r.errors, r.firstError)
		}
		if p.requests > 0 && r.requests != p.requests {
			t.Errorf("%s: sent %d", name, r.requests)
		}
		if want := int64(p.rate * p.duration.Seconds()); p.rate > 0 && r.requests != want {
			t.Errorf("%s: sent %d, want %d: the schedule does not wait for the shop", name, r.requests, want)
		}
		if n := r.latencies.Count(); n != uint64(r.requests) {
			t.Errorf("%s: %d latencies of %d requests", name, n, r.requests)
		}
		sent += r.requests
	}
	// The shop counts the last stage after the answer has gone out.
	deadline := time.Now().Add(10 * time.Second)
	for {
		counts := shopCounts(t, metrics)
		accepted, responded := counts[`pipeline_requests_total{stage="accept"}`], counts[`pipeline_requests_total{stage="respond"}`]
		if accepted == float64(sent) && responded == float64(sent) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("load sent %d requests, the shop accepted %g and answered %g", sent, accepted, responded)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

func TestTheSameRunSendsTheSameRequests(t *testing.T) {
	url, metrics := openShop(t)
	m, err := parseMix("products=1,checkout=1")
	if err != nil {
		t.Fatal(err)
	}
	var before map[string]int64
	for _, connections := range []int{1, 7} {
		r := plan{url: url, requests: 300, connections: connections, mix: m}.send(context.Background())
		if r.requests != 300 || r.errors != 0 {
			t.Fatalf("%d connections: %d requests, %d errors", connections, r.requests, r.errors)
		}
		if before != nil && r.routes["checkout"] != before["checkout"] {
			t.Errorf("%d connections chose %v, one chose %v", connections, r.routes, before)
		}
		before = r.routes
	}
	paid := shopCounts(t, metrics)[`pipeline_requests_total{stage="reserve"}`]
	if paid != float64(2*before["checkout"]) {
		t.Errorf("the shop sold %g orders, load paid %d", paid, 2*before["checkout"])
	}
}

func TestAnErrorIsCountedAndSaid(t *testing.T) {
	url, _ := openShop(t)
	m, _ := parseMix("report=1")
	r := plan{url: url + "0", requests: 3, connections: 1, mix: m}.send(context.Background())
	if r.requests != 3 || r.errors != 3 || r.firstError == nil {
		t.Fatalf("a shop that is not there gives %d errors of %d requests, first %v", r.errors, r.requests, r.firstError)
	}
	var out bytes.Buffer
	r.print(&out)
	for _, want := range []string{"requests 3\n", "errors 3\n", "route_report 3\n", "first_error "} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the result lacks %q:\n%s", want, out.String())
		}
	}
}

func TestARunEndsWhenTheShopHasGone(t *testing.T) {
	url, _ := openShop(t)
	m, _ := parseMix("report=1")
	ctx, stop := context.WithTimeout(context.Background(), 6*patience)
	defer stop()
	r := plan{url: url + "0", connections: 2, mix: m}.send(ctx)
	if !r.gaveUp || ctx.Err() != nil {
		t.Errorf("after %s and %d errors the run ended with gaveUp %v, context %v", r.elapsed, r.errors, r.gaveUp, ctx.Err())
	}
	if most := 2 * int64(patience/pause) * 2; r.errors > most {
		t.Errorf("a shop that is away was asked %d times, want at most %d", r.errors, most)
	}
}

func TestABadPlanNamesTheFieldAndTheLimit(t *testing.T) {
	for text, p := range map[string]plan{
		"url is http://192.0.2.1:80, must be a loopback address": {url: "http://192.0.2.1:80", connections: 1},
		"url is http://shop:8090, must be a loopback address":    {url: "http://shop:8090", connections: 1},
		"url is https://127.0.0.1, must be http://address:port":  {url: "https://127.0.0.1", connections: 1},
		"rate is -1, must be 0 to 100000":                        {url: "http://127.0.0.1", connections: 1, rate: -1},
		"connections is 2000, must be 1 to 1024":                 {url: "http://127.0.0.1", connections: 2000},
		"requests is -1, must not be negative":                   {url: "http://127.0.0.1", connections: 1, requests: -1},
		"requests and for are both given":                        {url: "http://127.0.0.1", connections: 1, requests: 1, duration: 1},
	} {
		if err := p.validate(); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
	for text, mix := range map[string]string{
		`mix has "products", must be route=weight`:        "products",
		`mix has "cart=-1", must be route=weight`:         "cart=-1",
		`mix has route "tea", must be of`:                 "tea=1",
		`mix has route "cart" twice`:                      "cart=1,cart=2",
		`mix is "cart=0", must have a weight that is not`: "cart=0",
	} {
		if _, err := parseMix(mix); err == nil || !strings.Contains(err.Error(), text) {
			t.Errorf("got %v, want %q", err, text)
		}
	}
}
