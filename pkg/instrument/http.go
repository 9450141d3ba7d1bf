package instrument

import (
	"net/http"
	"runtime/pprof"
)

// Middleware labels the goroutines that serve requests, for as long as next
// runs, with their route and trace id. The request that next gets has a context
// with these labels, so that [Stage] and pprof.Do add to them:
//
//	pprof.Label(r.Context(), instrument.LabelTraceID)   // for a log
//
// route says what a request's route is; "" is for none. It must be one of few,
// so a pattern and not a path. Where route is nil it is the pattern that matched,
// which is known here when next is an [http.ServeMux] or has been chosen by one.
//
// traceID says in which trace a request is, "" for none. Where it is nil, it is
// the one of the header traceparent, see [TraceID]. A program that makes spans
// itself can say what they have:
//
//	func(r *http.Request) string {
//		return trace.SpanContextFromContext(r.Context()).TraceID().String()
//	}
//
// Labels of a known route are found and set without garbage; the copy of the
// request, and the label of a trace, which is new each time, take memory.
func Middleware(next http.Handler, route, traceID func(*http.Request) string) http.Handler {
	mux, _ := next.(*http.ServeMux)
	if route == nil {
		route = func(r *http.Request) string {
			if mux != nil {
				_, pattern := mux.Handler(r)
				return pattern
			}
			return r.Pattern
		}
	}
	if traceID == nil {
		traceID = func(r *http.Request) string {
			id, _ := TraceID(r.Header.Get("Traceparent"))
			return id
		}
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		outer := setOf(r.Context())
		s := outer
		if name := route(r); name != "" {
			s = s.with(label{key: LabelRoute, value: name})
			// A ServeMux will note its pattern in the copy. Who watches net/http from
			// outside looks at the original.
			if r.Pattern == "" {
				r.Pattern = name
			}
		}
		if id := traceID(r); id != "" {
			s = s.once(LabelTraceID, id)
		}
		if s == outer {
			next.ServeHTTP(w, r)
			return
		}
		defer pprof.SetGoroutineLabels(outer.ctx)
		pprof.SetGoroutineLabels(s.ctx)
		next.ServeHTTP(w, r.WithContext(&labelled{r.Context(), s}))
	})
}
