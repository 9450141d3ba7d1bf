package goproc

import (
	"debug/buildinfo"
	"net/url"
	"path"
	"regexp"
	"strings"
)

// UnknownVersion is the version of what does not say which it is.
const UnknownVersion = "unknown"

// Identity is who a process is, to its owner.
type Identity struct {
	Service string
	// Version is what a release is told by, or [UnknownVersion].
	Version  string
	Revision string // of version control, whole
	Modified bool   // built with changes that no revision has
}

// maxEnvironment bounds what is read of an environment; Linux allows a quarter
// of the stack's limit, 2 MB by default.
const maxEnvironment = 4 << 20

// shortRevision is how much of a revision stands in for a version.
const shortRevision = 12

// identify says who a process is: by OpenTelemetry's variables in the
// environment it was started with, else by build info, else by the name of the
// executable. Service and version are settled apart: who names only the service
// gets the version of the build.
func identify(environment []byte, build *buildinfo.BuildInfo, executable string) Identity {
	service, version := fromEnvironment(environment)
	id := Identity{Service: service, Version: version}
	if build != nil {
		id.Revision = setting(build, "vcs.revision")
		id.Modified = setting(build, "vcs.modified") == "true"
		if id.Service == "" {
			id.Service = programName(build.Path)
		}
		if id.Version == "" {
			id.Version = buildVersion(clean(build.Main.Version), id.Revision, id.Modified)
		}
	}
	if id.Service == "" {
		id.Service = clean(path.Base(strings.TrimSuffix(executable, " (deleted)")))
	}
	if id.Version == "" {
		id.Version = UnknownVersion
	}
	return id
}

// buildVersion is the module's version or the revision, "-dirty" when modified.
// Go 1.24 and later say so themselves, by "+dirty".
func buildVersion(module, revision string, modified bool) string {
	version := strings.TrimSuffix(module, "+dirty")
	if version == "(devel)" {
		version = ""
	}
	if version == "" {
		version = revision[:min(len(revision), shortRevision)]
	}
	if version != "" && (modified || strings.HasSuffix(module, "+dirty")) {
		version += "-dirty"
	}
	return version
}

var majorVersion = regexp.MustCompile(`^v[0-9]+$`)

// programName is what go build would call the program of a main package: the
// last element of its path, but for a major version; "" when it was built from
// files and has no path.
func programName(main string) string {
	if main == "" || main == "command-line-arguments" {
		return ""
	}
	dir, name := path.Split(main)
	if dir != "" && majorVersion.MatchString(name) {
		name = path.Base(dir)
	}
	return clean(name)
}

// fromEnvironment reads service and version as OpenTelemetry's SDKs do. The
// first of two variables of a name counts, as it does to a Go program.
// (OpenTelemetry specification: Resource SDK; SDK environment variables)
func fromEnvironment(environment []byte) (service, version string) {
	var attributes string
	var named, attributed bool
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if v, ok := strings.CutPrefix(variable, "OTEL_SERVICE_NAME="); ok && !named {
			service, named = v, true
		}
		if v, ok := strings.CutPrefix(variable, "OTEL_RESOURCE_ATTRIBUTES="); ok && !attributed {
			attributes, attributed = v, true
		}
	}
	resource := resourceAttributes(attributes)
	if service == "" {
		service = resource["service.name"]
	}
	return clean(service), clean(resource["service.version"])
}

// optsOut says whether a process was started with GOTHERM=off: its owner wants
// nobody to watch it.
func optsOut(environment []byte) bool {
	for variable := range strings.SplitSeq(string(environment), "\x00") {
		if v, ok := strings.CutPrefix(variable, "GOTHERM="); ok {
			return v == "off" // the first counts
		}
	}
	return false
}

// resourceAttributes reads "key=value,key=value", keys and values
// percent-encoded. One that can't be read spoils all, as the specification
// wants: half an identity would be a wrong one.
func resourceAttributes(s string) map[string]string {
	attributes := map[string]string{}
	if strings.TrimSpace(s) == "" {
		return attributes
	}
	for pair := range strings.SplitSeq(s, ",") {
		if strings.TrimSpace(pair) == "" {
			continue // a comma at the end
		}
		key, value, ok := strings.Cut(pair, "=")
		if !ok {
			return nil
		}
		key, errKey := url.PathUnescape(strings.TrimSpace(key))
		value, errValue := url.PathUnescape(strings.TrimSpace(value))
		if errKey != nil || errValue != nil || key == "" {
			return nil
		}
		attributes[key] = value
	}
	return attributes
}
