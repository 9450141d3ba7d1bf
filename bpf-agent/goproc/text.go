package goproc

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxText bounds a name, version or reason that comes from a process, in bytes.
const maxText = 1024

// clean makes text that a process chose safe to show on a terminal and to send
// as UTF-8.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return utf8.RuneError
		}
		return r
	}, s)
	if len(s) <= maxText {
		return s
	}
	end := maxText
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end]
}
