package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// openShop serves a shop over real HTTP until the test ends.
func openShop(t *testing.T) (s *shop, url string) {
	t.Helper()
	s = newShop()
	server := httptest.NewServer(s.handler())
	t.Cleanup(func() {
		server.Close()
		s.close()
	})
	return s, server.URL
}

// ask returns the status and the answer, decoded into value when there is one.
func ask(t *testing.T, method, url, body string, value any) int {
	t.Helper()
	r, err := http.NewRequest(method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	if value != nil {
		if err := json.Unmarshal(text, value); err != nil {
			t.Fatalf("%s %s: %s: %v", method, url, text, err)
		}
	}
	return response.StatusCode
}

// counts returns how many requests have completed each stage.
func (s *shop) counts(t *testing.T) map[string]int {
	t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int{}
	for _, f := range families {
		if f.GetName() == "pipeline_requests_total" {
			for _, m := range f.GetMetric() {
				counts[m.GetLabel()[0].GetValue()] = int(m.GetCounter().GetValue())
			}
		}
	}
	return counts
}

func TestACustomerBrowsesSearchesFillsACartAndPays(t *testing.T) {
	s, url := openShop(t)

	var page []Product
	if code := ask(t, "GET", url+"/products?page=2", "", &page); code != 200 || len(page) != pageSize || page[0].SKU != "tea-0040" {
		t.Fatalf("page 2 is %d with %d products, first %+v", code, len(page), page[0])
	}
	var tea Product
	if code := ask(t, "GET", url+"/products/tea-0007", "", &tea); code != 200 || tea != s.products[7] {
		t.Errorf("tea-0007 is %d %+v, want %+v", code, tea, s.products[7])
	}
	var hits []Hit
	if code := ask(t, "GET", url+"/search?q=smoke+pine", "", &hits); code != 200 || len(hits) != searchLimit {
		t.Fatalf("search is %d with %d hits, want %d", code, len(hits), searchLimit)
	}
	for i, h := range hits {
		if !strings.Contains(h.Snippet, "[smoke") && !strings.Contains(h.Snippet, "[pine") {
			t.Errorf("hit %s has neither word: %s", h.SKU, h.Snippet)
		}
		if i > 0 && h.Score > hits[i-1].Score {
			t.Errorf("hit %d scores %g, after one of %g", i, h.Score, hits[i-1].Score)
		}
	}

	order := `{"lines":[{"sku":"tea-0001","quantity":1},{"sku":"tea-0002","quantity":10},{"sku":"tea-0003","quantity":50}]}`
	ten, fifty := s.products[2].Cents*10, s.products[3].Cents*50
	want := s.products[1].Cents + ten - ten/20 + fifty - fifty/10
	var priced []PricedLine
	if code := ask(t, "POST", url+"/cart", order, &priced); code != 200 || len(priced) != 3 {
		t.Fatalf("cart is %d with %d lines, want 3", code, len(priced))
	}
	if got := priced[0].Cents + priced[1].Cents + priced[2].Cents; got != want || priced[2].SKU != "tea-0003" || !priced[2].InStock {
		t.Errorf("the cart costs %d cents, want %d: %+v", got, want, priced)
	}
	var receipt, again Receipt
	if code := ask(t, "POST", url+"/checkout", order, &receipt); code != 200 || receipt.Cents != want {
		t.Errorf("checkout is %d, %d cents, want %d", code, receipt.Cents, want)
	}
	if ask(t, "POST", url+"/checkout", order, &again); again != receipt {
		t.Errorf("the same order has receipts %+v and %+v", receipt, again)
	}
	var r Report
	if code := ask(t, "GET", url+"/report", "", &r); code != 200 || len(r.Best) != best || r.Best[0].SKU != "tea-0003" || r.Best[0].Pieces != 100 {
		t.Errorf("report is %d %+v, want tea-0003 first with 100 pieces", code, r)
	}
	var v map[string]string
	if ask(t, "GET", url+"/version", "", &v); v["version"] != version {
		t.Errorf("version is %v, want %s", v, version)
	}
}

func TestEveryStageIsCountedOnce(t *testing.T) {
	s, url := openShop(t)
	good := `{"lines":[{"sku":"tea-0001","quantity":2}]}`
	var asked, valid, reserved, priced int
	for _, c := range []struct {
		method, path, body       string
		code                     int
		valid, reserved, pricing bool
	}{
		{"GET", "/products", "", 200, true, false, false},
		{"GET", "/products?page=60", "", 400, false, false, false},
		{"GET", "/products/tea-9999", "", 404, false, false, false},
		{"GET", "/search?q=honey", "", 200, true, false, false},
		{"GET", "/search", "", 400, false, false, false},
		{"POST", "/cart", good, 200, true, false, true},
		{"POST", "/cart", `{"lines":[]}`, 400, false, false, false},
		{"POST", "/cart", `{"line":1}`, 400, false, false, false},
		{"POST", "/checkout", good, 200, true, true, true},
		{"POST", "/checkout", `{"lines":[{"sku":"tea-0001","quantity":101}]}`, 400, false, false, false},
		{"POST", "/checkout", `{"lines":[` + strings.Repeat(`{"sku":"tea-0002","quantity":100},`, 4) + `{"sku":"tea-0002","quantity":1}]}`, 409, true, false, false},
		{"GET", "/report", "", 200, true, false, false},
	} {
		var answer json.RawMessage
		if code := ask(t, c.method, url+c.path, c.body, &answer); code != c.code {
			t.Errorf("%s %s %s is %d, want %d: %s", c.method, c.path, c.body, code, c.code, answer)
		}
		asked++
		for stage, passed := range map[*int]bool{&valid: c.valid, &reserved: c.reserved, &priced: c.pricing} {
			if passed {
				*stage++
			}
		}
	}
	want := map[string]int{stageAccept: asked, stageValidate: valid, stageReserve: reserved, stagePrice: priced, stageRespond: asked}
	eventually(t, func() error {
		if got := s.counts(t); !reflect.DeepEqual(got, want) {
			return fmt.Errorf("stages are %v, want %v", got, want)
		}
		return nil
	})
}

func TestStockIsNeitherLostNorSoldTwice(t *testing.T) {
	s, url := openShop(t)
	const customers, orders, quantity = 8, 25, 7
	var wg sync.WaitGroup
	var sold atomic.Int64
	for range customers {
		wg.Go(func() {
			for range orders {
				response, err := http.Post(url+"/checkout", "application/json", strings.NewReader(fmt.Sprintf(`{"lines":[{"sku":"tea-0005","quantity":%d}]}`, quantity)))
				if err != nil {
					t.Error(err)
					return
				}
				response.Body.Close()
				if response.StatusCode == 200 {
					sold.Add(quantity)
				}
			}
		})
	}
	wg.Wait()
	// A delivery fills the shelf before it is empty, so nobody is turned away.
	if got := s.stock.sales()["tea-0005"]; got != customers*orders*quantity || got != sold.Load() {
		t.Errorf("%d pieces left the shelf and %d were paid, want %d", got, sold.Load(), customers*orders*quantity)
	}
	if left := s.stock.pieces["tea-0005"]; left < reorderAt || left > fullShelf {
		t.Errorf("%d pieces are left, want %d to %d", left, reorderAt, fullShelf)
	}
}

func TestACustomerWhoLeavesTheQueueDoesNotHoldUpATill(t *testing.T) {
	closed := make(chan struct{})
	var served atomic.Int64
	c := openCheckout(func(Order) (Receipt, error) {
		<-closed
		served.Add(1)
		return Receipt{}, nil
	})
	ctx, leave := context.WithCancel(context.Background())
	var customers sync.WaitGroup
	for range tills + queueLength + 5 {
		customers.Go(func() {
			if _, err := c.pay(ctx, Order{}); err == nil {
				t.Error("was served at a closed till")
			}
		})
	}
	eventually(t, func() error {
		if n := len(c.queue); n != queueLength {
			return fmt.Errorf("%d customers queue, want %d", n, queueLength)
		}
		return nil
	})
	leave()
	customers.Wait()
	close(closed)
	c.close()
	// The orders that were queued are bought; the five at the door are not.
	if n := served.Load(); n != tills+queueLength {
		t.Errorf("%d orders were served, want %d", n, tills+queueLength)
	}
}

func TestShopServesMetricsAndProfilesAndClosesInOrder(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	var log lockedBuffer
	redirectLog(t, &log)
	done := make(chan error, 1)
	go func() { done <- run(ctx, "127.0.0.1:0", "127.0.0.1:0") }()
	var url, metrics string
	eventually(t, func() error {
		for _, field := range strings.Fields(log.String()) {
			if value, ok := strings.CutPrefix(field, "url="); ok {
				url = value
			}
			if value, ok := strings.CutPrefix(field, "metrics="); ok {
				metrics = value
			}
		}
		if url == "" || metrics == "" {
			return fmt.Errorf("the shop did not say where it is: %q", log.String())
		}
		return nil
	})
	if code := ask(t, "GET", url+"/products", "", nil); code != 200 {
		t.Errorf("products is %d", code)
	}
	response, err := http.Get(metrics)
	if err != nil {
		t.Fatal(err)
	}
	text, err := io.ReadAll(response.Body)
	response.Body.Close()
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`pipeline_requests_total{stage="accept"} 1`, `shop_request_duration_seconds_count{code="200",route="GET /products"} 1`, "process_cpu_seconds_total"} {
		if !strings.Contains(string(text), want) {
			t.Errorf("metrics lack %s", want)
		}
	}
	if code := ask(t, "GET", strings.TrimSuffix(metrics, "/metrics")+"/debug/pprof/goroutine", "", nil); code != 200 {
		t.Errorf("the goroutine profile is %d", code)
	}
	stop()
	if err := <-done; err != nil {
		t.Errorf("close: %v", err)
	}
	if _, err := http.Get(url + "/products"); err == nil {
		t.Error("the shop still answers after it was closed")
	}
}

func TestShopIsNotForOtherMachines(t *testing.T) {
	for _, addresses := range [][2]string{{"0.0.0.0:0", "127.0.0.1:0"}, {"127.0.0.1:0", ":0"}} {
		err := run(context.Background(), addresses[0], addresses[1])
		if err == nil || !strings.Contains(err.Error(), "must be a loopback address") {
			t.Errorf("listening on %v gets %v", addresses, err)
		}
	}
}

// eventually asks again until there is no error, for ten seconds.
func eventually(t *testing.T, check func() error) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	for {
		err := check()
		if err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// redirectLog sends the shop's log to w until the test ends.
func redirectLog(t *testing.T, w io.Writer) {
	t.Helper()
	before := slog.Default()
	slog.SetDefault(slog.New(slog.NewTextHandler(w, nil)))
	t.Cleanup(func() { slog.SetDefault(before) })
}
