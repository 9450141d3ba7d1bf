package goproc

import "fmt"

// fieldName is a field of a struct, both by their full names: "runtime.g",
// "goid"; "net/http.Request", "URL". A type is called by its package's import
// path, as in a symbol table.
type fieldName struct{ of, name string }

// wantedFields are the fields whose offset [Binary.Field] tells. What a binary
// does not have (a program without HTTP, a version without the field) is an
// error of Field for who asks, and nothing else; what must be there is in
// essentials.
//
// A row costs a binary some bytes. Only types that survive in the type
// descriptors can be listed: runtime.schedt, gcControllerState and mstats don't.
var wantedFields = []fieldName{
	{"runtime.g", "m"},
	{"runtime.g", "goid"},
	{"runtime.g", "waitreason"},
	{"runtime.g", "startpc"},
	{"runtime.g", "labels"},
	{"runtime.g", "sched"},
	{"runtime.g", "atomicstatus"},
	{"runtime.g", "parentGoid"},
	{"runtime.g", "gopc"},
	{"runtime.g", "trackingStamp"},
	{"runtime.g", "runnableTime"},
	{"runtime.g", "tracking"},
	{"runtime.g", "param"},
	{"runtime.g", "lockedm"},
	{"runtime.g", "stack"},
	{"runtime.g", "gcAssistBytes"},

	{"runtime.m", "g0"},
	{"runtime.m", "curg"},
	{"runtime.m", "p"},
	{"runtime.m", "procid"},
	{"runtime.m", "tls"},
	{"runtime.m", "mallocing"},

	{"runtime.p", "id"},
	{"runtime.p", "status"},
	{"runtime.p", "gcAssistTime"},
	{"runtime.p", "gFree"},

	{"net/http.conn", "server"},
	{"net/http.conn", "rwc"},
	{"net/http.conn", "remoteAddr"},
	{"net/http.response", "req"},
	{"net/http.response", "conn"},
	{"net/http.response", "status"},
	{"net/http.response", "written"},
	{"net/http.Request", "Method"},
	{"net/http.Request", "URL"},
	{"net/http.Request", "Header"},
	{"net/http.Request", "Pattern"},
	{"net/http.Request", "pat"},
	{"net/http.Request", "ctx"},
	{"net/http.Request", "Host"},
	{"net/http.Request", "RequestURI"},
	{"net/http.Request", "ProtoMajor"},
	{"net/url.URL", "Path"},
	{"net/url.URL", "RawPath"},
	{"net/http.pattern", "str"},
	{"net.netFD", "pfd"},
	{"internal/poll.FD", "Sysfd"},
	{"internal/runtime/maps.Map", "dirPtr"},
	{"internal/runtime/maps.Map", "dirLen"},
	{"internal/runtime/maps.table", "groups"},
	{"internal/runtime/maps.groupsReference", "data"},
	{"internal/runtime/maps.groupsReference", "lengthMask"},
	{"runtime.hmap", "B"},
	{"runtime.hmap", "buckets"},
	{"runtime.hmap", "oldbuckets"},
}

// Field is the offset of a field in a struct, both by their full names:
// "runtime.g", "waitreason". It fails when the binary does not have it, or when
// it is not one of wantedFields. Of a field that is itself a struct or an array
// it is where that begins.
func (b *Binary) Field(of, name string) (uint32, error) {
	f := fieldName{of, name}
	if offset, ok := b.fields[f]; ok {
		return offset, nil
	}
	for _, wanted := range wantedFields {
		if wanted == f {
			return 0, fmt.Errorf("offset of %s.%s: this %s binary has none (not in the version, or not linked in)", of, name, b.GoVersion)
		}
	}
	return 0, fmt.Errorf("offset of %s.%s: it is not one of the fields that are read", of, name)
}
