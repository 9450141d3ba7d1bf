package goproc

import (
	"debug/buildinfo"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"strings"
	"testing"
	"unicode/utf8"
)

// Who a process is: its environment first, then its build, then its name.
func TestIdentityIsSettledByEnvironmentThenBuildThenName(t *testing.T) {
	info := func(path, version, revision, modified string) *buildinfo.BuildInfo {
		b := &buildinfo.BuildInfo{Path: path, Main: debug.Module{Version: version}}
		if revision != "" {
			b.Settings = []debug.BuildSetting{{Key: "vcs.revision", Value: revision}, {Key: "vcs.modified", Value: modified}}
		}
		return b
	}
	const revision = "0123456789abcdef0123456789abcdef01234567"
	const exe = "/srv/bin/checkout-server"
	for _, c := range []struct {
		what        string
		environment []string
		build       *buildinfo.BuildInfo
		exe         string
		want        Identity
	}{
		{"nothing known", nil, nil, exe, Identity{Service: "checkout-server", Version: "unknown"}},
		{"nothing known, and deleted", nil, nil, exe + " (deleted)", Identity{Service: "checkout-server", Version: "unknown"}},
		{"a released module", nil, info("example.com/shop/checkout", "v1.2.3", revision, "false"), exe, Identity{"checkout", "v1.2.3", revision, false}},
		{"a second major version", nil, info("example.com/checkout/v2", "v2.0.0", "", ""), exe, Identity{Service: "checkout", Version: "v2.0.0"}},
		{"go build of files", nil, info("command-line-arguments", "", "", ""), exe, Identity{Service: "checkout-server", Version: "unknown"}},
		{"a working copy", nil, info("example.com/checkout", "(devel)", revision, "false"), exe, Identity{"checkout", "0123456789ab", revision, false}},
		{"a changed working copy", nil, info("example.com/checkout", "(devel)", revision, "true"), exe, Identity{"checkout", "0123456789ab-dirty", revision, true}},
		{"a changed copy, by Go 1.24", nil, info("example.com/checkout", "v1.2.4-0.20260101000000-0123456789ab+dirty", revision, "true"), exe, Identity{"checkout", "v1.2.4-0.20260101000000-0123456789ab-dirty", revision, true}},
		{"a service name", []string{"OTEL_SERVICE_NAME=pay"}, info("example.com/checkout", "v1.2.3", "", ""), exe, Identity{Service: "pay", Version: "v1.2.3"}},
		{"attributes", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=pay,service.version=7,host.name=h"}, info("example.com/checkout", "v1.2.3", revision, "true"), exe, Identity{"pay", "7", revision, true}},
		{"both", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=pay,service.version=7", "OTEL_SERVICE_NAME=paid"}, nil, exe, Identity{Service: "paid", Version: "7"}},
		{"percent-encoded", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=caf%C3%A9%2Cbar, service.version = 1%2B2 ,"}, nil, exe, Identity{Service: "café,bar", Version: "1+2"}},
		{"a plus is a plus", []string{"OTEL_RESOURCE_ATTRIBUTES=service.version=1+2"}, nil, exe, Identity{Service: "checkout-server", Version: "1+2"}},
		{"an equals sign in a value", []string{"OTEL_RESOURCE_ATTRIBUTES=service.version=a=b"}, nil, exe, Identity{Service: "checkout-server", Version: "a=b"}},
		{"attributes broken in one place", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=pay,service.version=%zz"}, nil, exe, Identity{Service: "checkout-server", Version: "unknown"}},
		{"attributes without a value", []string{"OTEL_RESOURCE_ATTRIBUTES=service.name=pay,oops"}, nil, exe, Identity{Service: "checkout-server", Version: "unknown"}},
		{"empty variables", []string{"OTEL_SERVICE_NAME=", "OTEL_RESOURCE_ATTRIBUTES="}, info("example.com/checkout", "v1.2.3", "", ""), exe, Identity{Service: "checkout", Version: "v1.2.3"}},
		{"a variable twice", []string{"OTEL_SERVICE_NAME=first", "OTEL_SERVICE_NAME=second"}, nil, exe, Identity{Service: "first", Version: "unknown"}},
		{"a variable that ends like one", []string{"NOT_OTEL_SERVICE_NAME=x"}, nil, exe, Identity{Service: "checkout-server", Version: "unknown"}},
		{"an escape sequence", []string{"OTEL_SERVICE_NAME=\x1b[2Jpay"}, nil, exe, Identity{Service: "\ufffd[2Jpay", Version: "unknown"}},
		{"bytes that are no text", []string{"OTEL_SERVICE_NAME=pay\xff"}, nil, exe, Identity{Service: "pay\ufffd", Version: "unknown"}},
	} {
		got := identify([]byte(strings.Join(c.environment, "\x00")+"\x00"), c.build, c.exe)
		if got != c.want {
			t.Errorf("%s: got %+v, want %+v", c.what, got, c.want)
		}
	}
}

// A name of any length is cut, between characters.
func TestTextFromAProcessIsBounded(t *testing.T) {
	for _, s := range []string{strings.Repeat("é", 4000), "x" + strings.Repeat("é", 4000), strings.Repeat("\xff", 4000)} {
		got := clean(s)
		if len(got) > maxText || len(got) < maxText-utf8.UTFMax || !utf8.ValidString(got) {
			t.Errorf("%d bytes became %d, valid %t", len(s), len(got), utf8.ValidString(got))
		}
	}
}

// The version and revision of a program built from a real repository: a tag,
// then a commit after it, then a change that is not committed.
func TestIdentityOfARealCheckout(t *testing.T) {
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("a checkout needs git")
	}
	dir := t.TempDir()
	git := func(args ...string) string {
		t.Helper()
		cmd := exec.Command("git", append([]string{"-C", dir, "-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"}, args...)...)
		cmd.Env = append(os.Environ(), "GIT_CONFIG_GLOBAL=/dev/null", "GIT_DIR="+filepath.Join(dir, ".git"), "GIT_WORK_TREE="+dir)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("git %v: %v: %s", args, err, out)
		}
		return strings.TrimSpace(string(out))
	}
	if err := os.CopyFS(dir, os.DirFS("testdata/target")); err != nil {
		t.Fatal(err)
	}
	seen := func() Identity {
		t.Helper()
		out := filepath.Join(t.TempDir(), "program")
		if err := goBuild(dir, out, newest, linkage{"a checkout", []string{"-buildvcs=true"}, false}); err != nil {
			t.Fatal(err)
		}
		r := run(t, out, nil)
		return scan(t, Selection{PIDs: []int{r.pid()}})[0].Identity
	}
	git("init", "-q")
	git("add", ".")
	git("commit", "-q", "-m", "one")
	git("tag", "v1.4.0")
	if got, want := seen(), (Identity{"target", "v1.4.0", git("rev-parse", "HEAD"), false}); got != want {
		t.Errorf("tagged: got %+v, want %+v", got, want)
	}
	if err := os.WriteFile(filepath.Join(dir, "more.go"), []byte("package main\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	revision := git("rev-parse", "HEAD")
	got := seen()
	if got.Revision != revision || !got.Modified || !strings.HasSuffix(got.Version, "-dirty") || strings.Contains(got.Version, "+dirty") {
		t.Errorf("changed: got %+v", got)
	}
	git("add", ".")
	git("commit", "-q", "-m", "two")
	got = seen()
	if got.Modified || got.Revision != git("rev-parse", "HEAD") || !strings.HasSuffix(got.Version, got.Revision[:shortRevision]) {
		t.Errorf("committed: got %+v", got)
	}
}
