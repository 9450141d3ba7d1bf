package main

import (
	"fmt"
	"sync"
)

const (
	// fullShelf is how many pieces of a product a delivery fills the shelf up to.
	fullShelf = 400
	// reorderAt is when the warehouse next door delivers. It is not below
	// maxQuantity, so no single line can find the shelf too empty.
	reorderAt = maxQuantity
)

// stock is what is on the shelves. One lock guards all of it, which is what
// the tills contend for.
type stock struct {
	mu     sync.Mutex
	pieces map[string]int
	// sold counts the pieces ever sold, by SKU.
	sold map[string]int64
}

func newStock(products []Product) *stock {
	s := &stock{pieces: make(map[string]int, len(products)), sold: make(map[string]int64, len(products))}
	for _, p := range products {
		s.pieces[p.SKU] = fullShelf
	}
	return s
}

// has says whether a line could be sold now.
func (s *stock) has(l Line) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.pieces[l.SKU] >= l.Quantity
}

// take removes all the lines of an order from the shelves, or none.
func (s *stock) take(o Order) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	need := make(map[string]int, len(o.Lines))
	for _, l := range o.Lines {
		need[l.SKU] += l.Quantity
		if need[l.SKU] > s.pieces[l.SKU] {
			return fmt.Errorf("%s: %d ordered, %d in stock", l.SKU, need[l.SKU], s.pieces[l.SKU])
		}
	}
	for sku, n := range need {
		s.pieces[sku] -= n
		s.sold[sku] += int64(n)
		if s.pieces[sku] < reorderAt {
			s.pieces[sku] = fullShelf
		}
	}
	return nil
}

// sales returns a copy of the pieces sold, by SKU.
func (s *stock) sales() map[string]int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	sold := make(map[string]int64, len(s.sold))
	for sku, n := range s.sold {
		sold[sku] = n
	}
	return sold
}
