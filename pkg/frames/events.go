package frames

import (
	"cmp"
	"slices"
	"strconv"
	"time"

	pb "github.com/gotherm/gotherm/pkg/gothermpb"
	"github.com/grafana/grafana-plugin-sdk-go/data"
)

// EventsCustom is meta.custom.events of frames of single hits.
type EventsCustom struct {
	POM string `json:"pom"`
	// Unit is Grafana's name for the unit of values.
	Unit string `json:"unit"`
	// Carried is how many hits the frame has as rows, and Hits all that there
	// were in its time. Weights add up to Hits, less those of an agent that had
	// no event for a second or more.
	Carried uint64 `json:"carried"`
	Hits    uint64 `json:"hits"`
	// Lost are hits before this frame of which nothing is shown, and which are
	// not in Hits: an agent had no room for them while this side was slow.
	Lost uint64 `json:"lost,omitempty"`
}

// Events makes the frame of single hits of some batches, in order of time.
//
//	Time       time     when it happened
//	value      float64  in seconds for durations
//	weight     float64  how many hits it stands for: of its batch, hits / carried
//	goroutine  string   id: JavaScript's numbers do not hold all of them
//	function   string   where the goroutine started
//	...        string   a field for each dimension of groupBy but function; "" where it is not known
func Events(about Subject, groupBy []string, batches []*pb.WatchEventsResponse) *data.Frame {
	type event struct {
		*pb.Event
		series *pb.EventSeries
		weight float64
	}
	var events []event
	custom := EventsCustom{POM: about.POM, Unit: about.valueUnit()}
	for _, b := range batches {
		custom.Hits += b.Hits
		custom.Lost += b.LostHits
		for _, e := range b.Events {
			events = append(events, event{e, b.Series[e.Series], float64(b.Hits) / float64(len(b.Events))})
		}
	}
	slices.SortStableFunc(events, func(a, b event) int {
		return cmp.Compare(a.Time.AsTime().UnixNano(), b.Time.AsTime().UnixNano())
	})
	n := len(events)
	custom.Carried = uint64(n)
	at, value, weight := make([]time.Time, n), make([]float64, n), make([]float64, n)
	goroutine, function := make([]string, n), make([]string, n)
	for i, e := range events {
		at[i], value[i], weight[i] = e.Time.AsTime(), about.scaled(float64(e.Value)), e.weight
		function[i] = cmp.Or(e.series.StartFunction, e.series.Labels["function"])
		if e.Goid != 0 {
			goroutine[i] = strconv.FormatUint(e.Goid, 10)
		}
	}
	fields := data.Fields{
		data.NewField("Time", nil, at),
		data.NewField("value", nil, value).SetConfig(&data.FieldConfig{Unit: about.valueUnit(), DisplayNameFromDS: about.POM}),
		data.NewField("weight", nil, weight).SetConfig(&data.FieldConfig{Unit: "short"}),
		data.NewField("goroutine", nil, goroutine),
		data.NewField("function", nil, function).SetConfig(&data.FieldConfig{DisplayNameFromDS: "start function"}),
	}
	for _, dimension := range groupBy {
		if dimension == "function" {
			continue
		}
		label := make([]string, n)
		for i, e := range events {
			label[i] = e.series.Labels[dimension]
			if dimension == "label" {
				label[i] = cmp.Or(e.Label, label[i])
			}
		}
		fields = append(fields, data.NewField(dimension, nil, label))
	}
	return data.NewFrame("events", fields...).SetMeta(&data.FrameMeta{
		Type:                           data.FrameTypeTable,
		TypeVersion:                    typeVersion,
		Custom:                         map[string]EventsCustom{"events": custom},
		PreferredVisualizationPluginID: PanelID,
	})
}
