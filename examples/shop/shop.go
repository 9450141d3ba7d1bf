package main

import (
	"encoding/json"
	"net/http"
	"net/http/pprof"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// shop is all there is behind the routes.
type shop struct {
	products []Product
	bySKU    map[string]*Product
	stock    *stock
	checkout *checkout

	registry *prometheus.Registry
	// stages counts the requests that have completed each stage: accept and
	// respond all of them, validate those that made sense, reserve those that
	// got stock, price those that got a price.
	stages    *prometheus.CounterVec
	durations *prometheus.HistogramVec
}

// The stages of the pipeline, in order.
const (
	stageAccept   = "accept"
	stageValidate = "validate"
	stageReserve  = "reserve"
	stagePrice    = "price"
	stageRespond  = "respond"
)

func newShop() *shop {
	s := &shop{
		products: newCatalogue(),
		registry: prometheus.NewRegistry(),
		stages: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pipeline_requests_total",
			Help: "Requests that have completed a stage.",
		}, []string{"stage"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name:    "shop_request_duration_seconds",
			Help:    "Time from the first line of a request to the end of its answer.",
			Buckets: prometheus.ExponentialBuckets(0.0001, 2, 16),
		}, []string{"route", "code"}),
	}
	for _, stage := range []string{stageAccept, stageValidate, stageReserve, stagePrice, stageRespond} {
		s.stages.WithLabelValues(stage)
	}
	s.registry.MustRegister(s.stages, s.durations,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	s.bySKU = make(map[string]*Product, len(s.products))
	for i := range s.products {
		s.bySKU[s.products[i].SKU] = &s.products[i]
	}
	s.stock = newStock(s.products)
	s.checkout = openCheckout(s.pay)
	return s
}

// close closes the checkout, once no request is in flight any more.
func (s *shop) close() { s.checkout.close() }

// handler serves the customers.
func (s *shop) handler() http.Handler {
	mux := http.NewServeMux()
	for pattern, route := range map[string]http.HandlerFunc{
		"GET /products":       s.listProducts,
		"GET /products/{sku}": s.getProduct,
		"GET /search":         s.getSearch,
		"POST /cart":          s.postCart,
		"POST /checkout":      s.postCheckout,
		"GET /report":         s.getReport,
		"GET /version":        s.getVersion,
	} {
		mux.Handle(pattern, s.measured(pattern, route))
	}
	return mux
}

// metricsHandler serves /metrics and pprof.
func (s *shop) metricsHandler() http.Handler {
	mux := http.NewServeMux()
	mux.Handle("GET /metrics", promhttp.HandlerFor(s.registry, promhttp.HandlerOpts{}))
	mux.HandleFunc("GET /debug/pprof/", pprof.Index)
	mux.HandleFunc("GET /debug/pprof/cmdline", pprof.Cmdline)
	mux.HandleFunc("GET /debug/pprof/profile", pprof.Profile)
	mux.HandleFunc("GET /debug/pprof/symbol", pprof.Symbol)
	mux.HandleFunc("GET /debug/pprof/trace", pprof.Trace)
	return mux
}

// measured counts a request in at the first stage and out at the last, and
// times what lies between.
func (s *shop) measured(route string, next http.HandlerFunc) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		start := time.Now()
		s.passed(stageAccept)
		answer := &answer{ResponseWriter: w, code: http.StatusOK}
		next(answer, r)
		s.durations.WithLabelValues(route, strconv.Itoa(answer.code)).Observe(time.Since(start).Seconds())
		s.passed(stageRespond)
	})
}

func (s *shop) passed(stage string) { s.stages.WithLabelValues(stage).Inc() }

// answer remembers the status that was sent.
type answer struct {
	http.ResponseWriter
	code int
}

func (a *answer) WriteHeader(code int) {
	a.code = code
	a.ResponseWriter.WriteHeader(code)
}

// pageSize is how many products a page lists.
const pageSize = 20

func (s *shop) listProducts(w http.ResponseWriter, r *http.Request) {
	page := 0
	if text := r.URL.Query().Get("page"); text != "" {
		n, err := strconv.Atoi(text)
		if last := (len(s.products) - 1) / pageSize; err != nil || n < 0 || n > last {
			refuse(w, http.StatusBadRequest, "page is "+strconv.Quote(text)+", must be a number from 0 to "+strconv.Itoa(last))
			return
		}
		page = n
	}
	s.passed(stageValidate)
	send(w, s.products[page*pageSize:min((page+1)*pageSize, len(s.products))])
}

func (s *shop) getProduct(w http.ResponseWriter, r *http.Request) {
	p := s.bySKU[r.PathValue("sku")]
	if p == nil {
		refuse(w, http.StatusNotFound, "there is no product "+strconv.Quote(r.PathValue("sku")))
		return
	}
	s.passed(stageValidate)
	send(w, p)
}

// maxSearch is how many bytes a search may have.
const maxSearch = 200

func (s *shop) getSearch(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query().Get("q")
	if n := len(query); n == 0 || n > maxSearch {
		refuse(w, http.StatusBadRequest, "q has "+strconv.Itoa(n)+" bytes, must have 1 to "+strconv.Itoa(maxSearch))
		return
	}
	s.passed(stageValidate)
	send(w, search(s.products, query))
}

// readOrder returns the valid order in a request, or answers what is wrong with it.
func (s *shop) readOrder(w http.ResponseWriter, r *http.Request) (o Order, ok bool) {
	decoder := json.NewDecoder(http.MaxBytesReader(w, r.Body, 64<<10))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&o); err != nil {
		refuse(w, http.StatusBadRequest, "read order: "+err.Error())
		return o, false
	}
	if err := s.validate(o); err != nil {
		refuse(w, http.StatusBadRequest, err.Error())
		return o, false
	}
	s.passed(stageValidate)
	return o, true
}

func (s *shop) postCart(w http.ResponseWriter, r *http.Request) {
	o, ok := s.readOrder(w, r)
	if !ok {
		return
	}
	lines := s.priceCart(o)
	s.passed(stagePrice)
	send(w, lines)
}

func (s *shop) postCheckout(w http.ResponseWriter, r *http.Request) {
	o, ok := s.readOrder(w, r)
	if !ok {
		return
	}
	receipt, err := s.checkout.pay(r.Context(), o)
	switch {
	case r.Context().Err() != nil:
		refuse(w, http.StatusServiceUnavailable, "the customer left the queue")
	case err != nil:
		refuse(w, http.StatusConflict, err.Error())
	default:
		send(w, receipt)
	}
}

// pay is what happens at a till.
func (s *shop) pay(o Order) (Receipt, error) {
	if err := s.stock.take(o); err != nil {
		return Receipt{}, err
	}
	s.passed(stageReserve)
	var cents int64
	for _, l := range o.Lines {
		cents += s.price(l)
	}
	s.passed(stagePrice)
	return seal(o, cents)
}

func (s *shop) getReport(w http.ResponseWriter, r *http.Request) {
	s.passed(stageValidate)
	send(w, report(s.products, s.stock.sales()))
}

func (s *shop) getVersion(w http.ResponseWriter, r *http.Request) {
	s.passed(stageValidate)
	send(w, map[string]string{"version": version})
}

func send(w http.ResponseWriter, value any) {
	w.Header().Set("Content-Type", "application/json")
	// The customer has gone when this fails; there is nobody left to tell.
	_ = json.NewEncoder(w).Encode(value)
}

func refuse(w http.ResponseWriter, code int, why string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(map[string]string{"error": why})
}
