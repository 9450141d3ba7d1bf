package main

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// Product is something the shop sells. Prices are in cents.
type Product struct {
	SKU         string `json:"sku"`
	Name        string `json:"name"`
	Category    string `json:"category"`
	Description string `json:"description"`
	Cents       int64  `json:"cents"`
	Grams       int    `json:"grams"`
}

// catalogueSize is how many products there are: enough for search to have work.
const catalogueSize = 1200

var (
	origins    = []string{"Assam", "Darjeeling", "Uji", "Anxi", "Wuyi", "Nilgiri", "Kagoshima", "Alishan", "Uva", "Menghai", "Dooars", "Yunnan"}
	categories = []string{"black", "green", "white", "oolong", "pu-erh", "herbal"}
	leaves     = []string{"golden tips", "needles", "pearls", "broken leaf", "whole leaf", "brick", "powder", "twigs"}
	notes      = []string{"malt", "honey", "smoke", "orchid", "chestnut", "seaweed", "apricot", "cocoa", "pine", "pepper", "plum", "butter", "rose", "moss", "almond", "citrus"}
	harvests   = []string{"spring", "early summer", "monsoon", "autumn", "winter"}
)

// newCatalogue returns the same products every time.
func newCatalogue() []Product {
	random := rand.New(rand.NewPCG(1773, 12))
	pick := func(words []string) string { return words[random.IntN(len(words))] }
	products := make([]Product, catalogueSize)
	for i := range products {
		origin, category, leaf := pick(origins), pick(categories), pick(leaves)
		products[i] = Product{
			SKU:      fmt.Sprintf("tea-%04d", i),
			Name:     fmt.Sprintf("%s %s %s", origin, category, leaf),
			Category: category,
			Description: fmt.Sprintf("A %s %s tea of the %s harvest from %s, in %s, with notes of %s, %s and %s.",
				pick([]string{"bright", "deep", "soft", "brisk", "round"}), category, pick(harvests), origin, leaf,
				pick(notes), pick(notes), pick(notes)),
			Cents: 350 + 25*random.Int64N(120),
			Grams: 50 + 25*random.IntN(8),
		}
	}
	return products
}

// words splits text into lower-case words.
func words(text string) []string {
	return strings.FieldsFunc(strings.ToLower(text), func(r rune) bool {
		return !('a' <= r && r <= 'z' || '0' <= r && r <= '9' || r == '-')
	})
}
