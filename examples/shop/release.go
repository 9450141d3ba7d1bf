//go:build !release_1_1

package main

// This file and release_1_1.go are all that differs between two releases of
// the shop: with -tags release_1_1 it is a little slower, as a release is that
// nobody has measured.

// sealRounds is how often a receipt is hashed, so that it is dear to forge.
const sealRounds = 400

// folded returns a text as searches compare it.
func folded(text string) string { return text }
