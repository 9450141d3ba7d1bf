package profile

import (
	"fmt"
	"io"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/html"
)

// CPU is the type of CPU profiles; net/http/pprof serves them as "profile".
const CPU = "cpu"

// Served is one profile that a program serves.
type Served struct {
	// Type is its name in a [Request].
	Type string
	// Count is how many records it has; 0 where the page does not say.
	Count int64
}

// notProfiles are served beside profiles.
var notProfiles = []string{"cmdline", "symbol", "trace"}

// maxServed is how many profiles one program may serve.
const maxServed = 500

// readIndex reads the index page of net/http/pprof: a table whose rows have a
// count and a link "NAME?debug=1".
func readIndex(page io.Reader) ([]Served, error) {
	var served []Served
	var count int64
	tokens := html.NewTokenizer(page)
	tokens.SetMaxBuf(64 << 10)
	for {
		switch tokens.Next() {
		case html.ErrorToken:
			if err := tokens.Err(); err != io.EOF {
				return nil, fmt.Errorf("read index page: %w", err)
			}
			if served == nil {
				return nil, fmt.Errorf("read index page: no profile is on it: is it that of net/http/pprof?")
			}
			return served, nil
		case html.TextToken:
			if n, err := strconv.ParseInt(strings.TrimSpace(string(tokens.Text())), 10, 64); err == nil {
				count = n
			}
		case html.StartTagToken:
			name := linkedName(tokens.Token())
			if name == "" || slices.ContainsFunc(served, func(s Served) bool { return s.Type == name }) {
				continue
			}
			served = append(served, Served{Type: name, Count: count})
			count = 0
			if err := atMost("profiles on the index page", len(served), maxServed); err != nil {
				return nil, err
			}
		}
	}
}

// linkedName is the type of profile that a tag links to; "" where it is none.
func linkedName(tag html.Token) string {
	if tag.Data != "a" {
		return ""
	}
	for _, attribute := range tag.Attr {
		if attribute.Key != "href" {
			continue
		}
		link, err := url.Parse(attribute.Val)
		if err != nil || link.IsAbs() || link.Host != "" || link.Path == "" || strings.Contains(link.Path, "/") || slices.Contains(notProfiles, link.Path) {
			return ""
		}
		if link.Path == "profile" {
			return CPU
		}
		return link.Path
	}
	return ""
}
