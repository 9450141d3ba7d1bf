package main

import (
	"fmt"
	"sync"
)

// Line is a quantity of one product.
type Line struct {
	SKU      string `json:"sku"`
	Quantity int    `json:"quantity"`
}

// Order is what a customer puts in the cart or pays for.
type Order struct {
	Lines []Line `json:"lines"`
}

const (
	maxLines    = 64
	maxQuantity = 100
)

// PricedLine is a line and what it costs, in cents.
type PricedLine struct {
	Line
	Cents   int64 `json:"cents"`
	InStock bool  `json:"inStock"`
}

// validate says what is wrong with an order.
func (s *shop) validate(o Order) error {
	if len(o.Lines) == 0 || len(o.Lines) > maxLines {
		return fmt.Errorf("lines has %d entries, must have 1 to %d", len(o.Lines), maxLines)
	}
	for i, l := range o.Lines {
		if _, ok := s.bySKU[l.SKU]; !ok {
			return fmt.Errorf("lines[%d].sku is %q: there is no such product", i, l.SKU)
		}
		if l.Quantity < 1 || l.Quantity > maxQuantity {
			return fmt.Errorf("lines[%d].quantity is %d, must be 1 to %d", i, l.Quantity, maxQuantity)
		}
	}
	return nil
}

// priceCart prices each line in a goroutine of its own, and returns them in
// the order of the cart. The order must be valid.
func (s *shop) priceCart(o Order) []PricedLine {
	priced := make([]PricedLine, len(o.Lines))
	var pricers sync.WaitGroup
	for i, line := range o.Lines {
		pricers.Go(func() {
			priced[i] = PricedLine{
				Line:    line,
				Cents:   s.price(line),
				InStock: s.stock.has(line),
			}
		})
	}
	pricers.Wait()
	return priced
}

// price returns what a line costs, in cents: a twentieth off from ten pieces
// on, a tenth off from fifty on, the discount rounded down.
func (s *shop) price(l Line) int64 {
	full := s.bySKU[l.SKU].Cents * int64(l.Quantity)
	switch {
	case l.Quantity >= 50:
		return full - full/10
	case l.Quantity >= 10:
		return full - full/20
	}
	return full
}
