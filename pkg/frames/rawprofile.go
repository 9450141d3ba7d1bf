package frames

import (
	"encoding/base64"

	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// RawProfile makes the frame of a profile as it is: one row.
//
//	0 name  string  to save it as
//	1 size  int64   bytes
//	2 data  string  the profile, for go tool pprof: base64 of profile.proto with gzip
func RawProfile(about Profile, name string, raw []byte) *data.Frame {
	return data.NewFrame(about.Kind,
		data.NewField("name", nil, []string{name}),
		data.NewField("size", nil, []int64{int64(len(raw))}).SetConfig(&data.FieldConfig{Unit: "bytes"}),
		data.NewField("data", nil, []string{base64.StdEncoding.EncodeToString(raw)}),
	).SetMeta(&data.FrameMeta{Type: data.FrameTypeTable, TypeVersion: typeVersion, Custom: about.custom(0)})
}
