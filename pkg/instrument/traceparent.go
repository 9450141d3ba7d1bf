package instrument

import "strings"

// TraceID returns the trace id of a traceparent header, 32 lower-case hexadecimal
// digits, or false when it is not as W3C Trace Context demands:
//
//	version  trace id                         parent id        flags
//	00     - 4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01
//
// A version later than 00 may have more behind the flags; ff is none.
// (https://www.w3.org/TR/trace-context/#traceparent-header)
func TraceID(traceparent string) (id string, ok bool) {
	const length = 55
	if len(traceparent) < length || traceparent[2] != '-' || traceparent[35] != '-' || traceparent[52] != '-' {
		return "", false
	}
	version, id, parent, flags := traceparent[:2], traceparent[3:35], traceparent[36:52], traceparent[53:length]
	if !isHex(version) || !isHex(id) || !isHex(parent) || !isHex(flags) || version == "ff" {
		return "", false
	}
	if len(traceparent) > length && (version == "00" || traceparent[length] != '-') {
		return "", false
	}
	if strings.Trim(id, "0") == "" || strings.Trim(parent, "0") == "" {
		return "", false
	}
	return id, true
}

func isHex(s string) bool {
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}
