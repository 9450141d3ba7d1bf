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
	for len(s) > maxText {
		_, n := utf8.DecodeLastRuneInString(s[:maxText+1])
		s = s[:maxText+1-n]
	}
	return s
}
