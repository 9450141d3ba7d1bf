package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"sync"
)

const (
	// tills is how many orders are paid for at once.
	tills = 2
	// queueLength is how many customers may wait; the next one blocks at the door.
	queueLength = 8
)

// Receipt is what a customer gets for an order.
type Receipt struct {
	Cents int64  `json:"cents"`
	Seal  string `json:"seal"`
}

// checkout is a bounded queue in front of a few tills.
type checkout struct {
	queue chan payment
	open  sync.WaitGroup
}

// payment is an order in the queue, and where its receipt goes.
type payment struct {
	order  Order
	result chan<- paid
}

type paid struct {
	receipt Receipt
	err     error
}

// openCheckout opens the tills. pay handles one order.
func openCheckout(pay func(Order) (Receipt, error)) *checkout {
	c := &checkout{queue: make(chan payment, queueLength)}
	for range tills {
		c.open.Go(func() {
			for p := range c.queue {
				receipt, err := pay(p.order)
				p.result <- paid{receipt, err}
			}
		})
	}
	return c
}

// pay queues an order and waits for its receipt. A customer who leaves while
// queueing pays nothing; one whose order is already queued has bought it.
func (c *checkout) pay(ctx context.Context, o Order) (Receipt, error) {
	result := make(chan paid, 1) // a till never waits for a customer who has left
	select {
	case c.queue <- payment{o, result}:
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
	select {
	case p := <-result:
		return p.receipt, p.err
	case <-ctx.Done():
		return Receipt{}, ctx.Err()
	}
}

// close serves who is queueing, then closes the tills. No one may queue any more.
func (c *checkout) close() {
	close(c.queue)
	c.open.Wait()
}

// seal returns a receipt over an order: the same for the same order.
func seal(o Order, cents int64) (Receipt, error) {
	text, err := json.Marshal(o)
	if err != nil {
		return Receipt{}, err
	}
	sum := sha256.Sum256(text)
	for range sealRounds {
		sum = sha256.Sum256(sum[:])
	}
	return Receipt{Cents: cents, Seal: hex.EncodeToString(sum[:])}, nil
}
