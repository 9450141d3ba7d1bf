package frames

import "github.com/grafana/grafana-plugin-sdk-go/data"

// WordsOf returns what a difference says of itself.
func WordsOf(f *data.Frame) string { return f.Meta.Custom.(differenceCustom).Comparison.Words }
