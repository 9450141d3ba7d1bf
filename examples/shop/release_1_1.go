//go:build release_1_1

package main

import "strings"

// sealRounds is how often a receipt is hashed. Somebody has asked whether 400 was enough.
const sealRounds = 3000

var accents = strings.NewReplacer("á", "a", "à", "a", "â", "a", "ä", "a", "é", "e", "è", "e", "ê", "e", "ë", "e",
	"í", "i", "ì", "i", "ó", "o", "ò", "o", "ô", "o", "ö", "o", "ú", "u", "ù", "u", "ü", "u", "ç", "c", "ñ", "n")

// folded returns a text as searches compare it: "thé" is found by "the". Nobody
// has asked how many of the texts have an accent.
func folded(text string) string { return accents.Replace(text) }
