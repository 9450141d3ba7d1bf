package main

import (
	"cmp"
	"slices"
	"strings"
)

// Hit is one result of a search.
type Hit struct {
	SKU string `json:"sku"`
	// Snippet is the description with the words that were found in [brackets].
	Snippet string  `json:"snippet"`
	Score   float64 `json:"score"`
}

// searchLimit is how many hits an answer has.
const searchLimit = 20

// search ranks the products that have at least one of the words. It reads
// every description anew and makes a snippet for every candidate, also for
// those that are not shown: some hundred kilobytes of garbage a request, as
// search code in a hurry does.
func search(products []Product, query string) []Hit {
	wanted := words(folded(query))
	var hits []Hit
	for _, p := range products {
		text := words(folded(p.Name + " " + p.Description))
		found := map[string]int{}
		for _, w := range text {
			for _, q := range wanted {
				if strings.HasPrefix(w, q) {
					found[w]++
				}
			}
		}
		if len(found) == 0 {
			continue
		}
		letters := 0
		for w, n := range found {
			letters += n * len(w)
		}
		snippet := strings.Fields(p.Description)
		for i, w := range snippet {
			if found[strings.Trim(strings.ToLower(w), ".,")] > 0 {
				snippet[i] = "[" + w + "]"
			}
		}
		hits = append(hits, Hit{SKU: p.SKU, Snippet: strings.Join(snippet, " "), Score: float64(letters) / float64(len(text))})
	}
	slices.SortFunc(hits, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(b.Score, a.Score), strings.Compare(a.SKU, b.SKU))
	})
	return hits[:min(len(hits), searchLimit)]
}
