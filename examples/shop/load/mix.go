package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// defaultMix is what customers do: many look, some search, few pay.
const defaultMix = "products=55,search=20,cart=12,checkout=10,report=3"

// routes make the request of one route from the dice of one customer.
var routes = map[string]func(url string, dice *rand.Rand) (*http.Request, error){
	"products": func(url string, dice *rand.Rand) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, fmt.Sprintf("%s/products?page=%d", url, dice.IntN(60)), nil)
	},
	"search": func(url string, dice *rand.Rand) (*http.Request, error) {
		queries := []string{"honey", "smoke+pine", "assam+malt", "green", "orchid+autumn", "pearls", "pu-erh+brick", "spring"}
		return http.NewRequest(http.MethodGet, url+"/search?q="+queries[dice.IntN(len(queries))], nil)
	},
	"cart": func(url string, dice *rand.Rand) (*http.Request, error) {
		return http.NewRequest(http.MethodPost, url+"/cart", order(dice, 4+dice.IntN(13)))
	},
	"checkout": func(url string, dice *rand.Rand) (*http.Request, error) {
		return http.NewRequest(http.MethodPost, url+"/checkout", order(dice, 1+dice.IntN(4)))
	},
	"report": func(url string, dice *rand.Rand) (*http.Request, error) {
		return http.NewRequest(http.MethodGet, url+"/report", nil)
	},
}

// order writes an order of some lines, as a customer of the shop would.
func order(dice *rand.Rand, lines int) *strings.Reader {
	var b strings.Builder
	b.WriteString(`{"lines":[`)
	for i := range lines {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"sku":"tea-%04d","quantity":%d}`, dice.IntN(1200), 1+dice.IntN(12))
	}
	b.WriteString("]}")
	return strings.NewReader(b.String())
}

// mix is the share of each route.
type mix []share

type share struct {
	route  string
	weight int
}

// parseMix reads "products=3,report=1".
func parseMix(text string) (mix, error) {
	var m mix
	for part := range strings.SplitSeq(text, ",") {
		route, weight, ok := strings.Cut(part, "=")
		n, err := strconv.Atoi(weight)
		if !ok || err != nil || n < 0 || n > 1_000_000 {
			return nil, fmt.Errorf("mix has %q, must be route=weight with a weight from 0 to 1000000", part)
		}
		if routes[route] == nil {
			return nil, fmt.Errorf("mix has route %q, must be of products, search, cart, checkout, report", route)
		}
		if slices.ContainsFunc(m, func(s share) bool { return s.route == route }) {
			return nil, fmt.Errorf("mix has route %q twice", route)
		}
		m = append(m, share{route, n})
	}
	if m.total() == 0 {
		return nil, fmt.Errorf("mix is %q, must have a weight that is not 0", text)
	}
	return m, nil
}

func (m mix) total() (n int) {
	for _, s := range m {
		n += s.weight
	}
	return n
}

// request returns the i-th request: always the same one, whoever sends it, so
// that runs of as many requests can be compared.
func (m mix) request(url string, i int64) (route string, r *http.Request, err error) {
	dice := rand.New(rand.NewPCG(uint64(i), 8090))
	n := dice.IntN(m.total())
	for _, s := range m {
		if n < s.weight {
			r, err = routes[s.route](url, dice)
			if err == nil {
				r.Header.Set("traceparent", traceparent(i))
			}
			return s.route, r, err
		}
		n -= s.weight
	}
	panic("unreachable: n is less than the sum of the weights")
}

// traceparent makes the header by which the i-th request can be found again,
// as https://www.w3.org/TR/trace-context/ has it.
func traceparent(i int64) string {
	ids := rand.New(rand.NewPCG(uint64(i), 55))
	return fmt.Sprintf("00-%016x%016x-%016x-01", ids.Uint64(), ids.Uint64(), ids.Uint64()|1)
}
