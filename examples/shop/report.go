package main

import (
	"cmp"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
)

// Report is the sales so far.
type Report struct {
	Revenue int64      `json:"revenueCents"`
	Best    []SoldItem `json:"best"`
	// Seal chains the hashes of all rows, in the order of their SKU.
	Seal string `json:"seal"`
}

// SoldItem is how much of a product was sold.
type SoldItem struct {
	SKU    string `json:"sku"`
	Pieces int64  `json:"pieces"`
	Cents  int64  `json:"cents"`
}

const (
	// best is how many products a report names.
	best = 10
	// chainRounds is how often each row is hashed: the CPU that a report costs.
	chainRounds = 8
)

// report sorts all products by what they brought in and seals the rows. The
// same sales give the same report.
func report(products []Product, sold map[string]int64) Report {
	rows := make([]SoldItem, len(products))
	var r Report
	for i, p := range products {
		rows[i] = SoldItem{SKU: p.SKU, Pieces: sold[p.SKU], Cents: sold[p.SKU] * p.Cents}
		r.Revenue += rows[i].Cents
	}
	slices.SortFunc(rows, func(a, b SoldItem) int { return strings.Compare(a.SKU, b.SKU) })
	chain := make([]byte, sha256.Size, sha256.Size+64)
	for _, row := range rows {
		for range chainRounds {
			link := append(chain, row.SKU...)
			link = binary.BigEndian.AppendUint64(link, uint64(row.Pieces))
			sum := sha256.Sum256(link)
			copy(chain, sum[:])
		}
	}
	r.Seal = hex.EncodeToString(chain)
	slices.SortStableFunc(rows, func(a, b SoldItem) int { return cmp.Compare(b.Cents, a.Cents) })
	r.Best = rows[:best]
	return r
}
