package main

import (
	"bytes"
	"image/png"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// rendered runs gotherm-agent render, and returns what it writes and what it says.
func rendered(t *testing.T, args ...string) (out []byte, said string, err error) {
	t.Helper()
	cmd := exec.Command(build(t, "."), append([]string{"render"}, args...)...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err = cmd.Run()
	return stdout.Bytes(), stderr.String(), err
}

func TestThePausesOfAProgramAreDrawnAsPNG(t *testing.T) {
	needsRoot(t)
	target := churn(t, func(c *exec.Cmd) {
		c.Env = append(c.Env, "OTEL_SERVICE_NAME=churn", "OTEL_RESOURCE_ATTRIBUTES=service.version=v7")
	})
	address := loopbackAddress(t)
	start(t, nil, build(t, "."), "run", "--pid", strconv.Itoa(target.Process.Pid), "--listen", address)
	eventually(t, "both pauses of a collection", func() bool {
		n := hits(address, "gc.stw", "reason")
		return n["mark termination"] > 0 && n["sweep termination"] > 0
	})

	file := filepath.Join(t.TempDir(), "stw.png")
	common := []string{"--agent", "http://" + address, "--pom", "gc.stw", "--last", "1m"}
	if _, said, err := rendered(t, append(common, "--match", "service=churn", "--group-by", "reason", "--light", "-o", file)...); err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	content, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	picture, err := png.Decode(bytes.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	if size := picture.Bounds().Size(); size.X != 1200 || size.Y != 600 {
		t.Errorf("the picture has %v pixels, want 1200 by 600", size)
	}

	out, said, err := rendered(t, append(common, "--width", "640", "--height", "300", "-o", "-")...)
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	if config, err := png.DecodeConfig(bytes.NewReader(out)); err != nil || config.Width != 640 || config.Height != 300 {
		t.Errorf("on standard output is a picture of %d by %d pixels, %v, want 640 by 300", config.Width, config.Height, err)
	}

	for want, args := range map[string][]string{
		"no hits":                             {"--match", "service=nobody"},
		"pom is \"gc.stew\"":                  {"--pom", "gc.stew"},
		"at most 1 have room in --height 200": {"--height", "200", "--group-by", "reason"},
	} {
		never := filepath.Join(t.TempDir(), "never.png")
		if _, said, err := rendered(t, append(append(common, "-o", never), args...)...); err == nil || !strings.Contains(said, want) {
			t.Errorf("render %v: %v, says %q, want %q", args, err, said, want)
		}
		if _, err := os.Stat(never); err == nil {
			t.Errorf("render %v leaves a file", args)
		}
	}
}

func TestRenderRefusesFlagsByNameAndLimit(t *testing.T) {
	for want, args := range map[string][]string{
		"--width is 10, must be 320 to 4096 pixels":                         {"--width", "10"},
		"--height is 5000, must be 200 to 4096 pixels":                      {"--height", "5000"},
		"--scheme is \"Hot\", must be one of Inferno":                       {"--scheme", "Hot"},
		"--last is 10ms, must be at least 1s":                               {"--last", "10ms"},
		"--last and --from both say":                                        {"--last", "1m", "--from", "2026-11-22T10:00:00Z"},
		"--from is 2026-11-22T10:00:00Z, must be before --to, 2026-11-22T0": {"--from", "2026-11-22T10:00:00Z", "--to", "2026-11-22T09:00:00Z"},
		"--match is \"shop\", must be DIMENSION=VALUE":                      {"--match", "shop"},
	} {
		if _, said, err := rendered(t, append(args, "-o", "-")...); err == nil || !strings.Contains(said, want) {
			t.Errorf("render %v: %v, says %q, want %q", args, err, said, want)
		}
	}
}
