package render

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"image/color"
	"strings"
	"sync"
)

// The colours of the front end, which makes this file: npm run generate:schemes.
//
//go:embed schemes.gen.json
var schemesJSON []byte

// scheme holds the colours of each level, coldest first, for both backgrounds.
type scheme struct {
	Name        string
	Dark, Light []hex
}

// hex is a colour that is written "#rrggbb".
type hex color.RGBA

func (c *hex) UnmarshalText(text []byte) error {
	c.A = 255
	_, err := fmt.Sscanf(string(text), "#%02x%02x%02x", &c.R, &c.G, &c.B)
	return err
}

var schemes = sync.OnceValue(func() (all []scheme) {
	if err := json.Unmarshal(schemesJSON, &all); err != nil {
		panic("schemes.gen.json: " + err.Error()) // it is part of the program
	}
	return all
})

// Schemes returns the names of the colour schemes, the default first.
func Schemes() (names []string) {
	for _, s := range schemes() {
		names = append(names, s.Name)
	}
	return names
}

// coloursOf returns the colours of a scheme, coldest first.
func coloursOf(name string, light bool) ([]color.RGBA, error) {
	for _, s := range schemes() {
		if s.Name != name {
			continue
		}
		from := s.Dark
		if light {
			from = s.Light
		}
		colours := make([]color.RGBA, len(from))
		for i, c := range from {
			colours[i] = color.RGBA(c)
		}
		return colours, nil
	}
	return nil, fmt.Errorf("scheme is %q, must be one of %s", name, strings.Join(Schemes(), ", "))
}
