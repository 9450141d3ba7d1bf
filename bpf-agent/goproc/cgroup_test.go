package goproc

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

const (
	webID    = "3f4a1c9e5b7d2086f1e0d3c2b5a49788766554433221100ffeeddccbbaa99881"
	sidecar  = "0c5c1d1a90f6b6c4a8e3f20d7b91e5d4c3b2a190807060504030201fedcba987"
	nodeOfIt = "77aa1c9e5b7d2086f1e0d3c2b5a49788766554433221100ffeeddccbbaa99800"
)

// What the runtimes make of paths, as they have been seen on machines.
func TestAPathOfControlGroupsTellsContainerAndUnit(t *testing.T) {
	for _, c := range []struct{ who, text, container, unit string }{
		{"Docker, systemd, second version", "0::/system.slice/docker-" + webID + ".scope\n", webID, "docker-" + webID + ".scope"},
		{"Docker, cgroupfs, first version", "12:memory:/docker/" + webID + "\n1:name=systemd:/docker/" + webID + "\n0::/system.slice/containerd.service\n", webID, "containerd.service"},
		{"Docker, seen from a cgroup namespace", "0::/../docker-" + webID + ".scope\n", webID, "docker-" + webID + ".scope"},
		{"containerd under Kubernetes", "0::/kubepods.slice/kubepods-burstable.slice/kubepods-burstable-pod2c2e6cc1_7d0d_4c9b_b6dd_0b1c5b1f2a3b.slice/cri-containerd-" + webID + ".scope\n", webID, "cri-containerd-" + webID + ".scope"},
		{"containerd under Kubernetes, cgroupfs", "0::/kubepods/besteffort/pod2c2e6cc1-7d0d-4c9b-b6dd-0b1c5b1f2a3b/" + webID + "\n", webID, ""},
		{"containerd, systemd by one only", "0::/system.slice/containerd.service/kubepods-burstable-pod2c2e6cc1.slice:cri-containerd:" + webID + "\n", webID, "containerd.service"},
		{"CRI-O", "0::/kubepods.slice/kubepods-pod1.slice/crio-" + webID + ".scope/container\n", webID, "crio-" + webID + ".scope"},
		{"who watches over it", "0::/kubepods.slice/kubepods-pod1.slice/crio-conmon-" + webID + ".scope\n", "", "crio-conmon-" + webID + ".scope"},
		{"Podman", "0::/machine.slice/libpod-" + webID + ".scope/container\n", webID, "libpod-" + webID + ".scope"},
		{"Podman without root", "0::/user.slice/user-7.slice/user@7.service/user.slice/libpod-" + webID + ".scope/container\n", webID, "libpod-" + webID + ".scope"},
		{"Podman's conmon", "0::/machine.slice/libpod-conmon-" + webID + ".scope\n", "", "libpod-conmon-" + webID + ".scope"},
		{"a pod in a node of kind", "0::/docker/" + nodeOfIt + "/kubelet.slice/kubelet-kubepods.slice/cri-containerd-" + webID + ".scope\n", webID, "cri-containerd-" + webID + ".scope"},
		{"a service", "0::/system.slice/shop.service\n", "", "shop.service"},
		{"a service of a template, in a slice", "0::/system.slice/system-shop.slice/shop@eu-1.service\n", "", "shop@eu-1.service"},
		{"a user's service", "0::/user.slice/user-1000.slice/user@1000.service/app.slice/shop.service\n", "", "shop.service"},
		{"what a service made below itself", "0::/system.slice/shop.service/workers\n", "", "shop.service"},
		{"a unit whose name the kernel would misread", "0::/system.slice/_cpu.service\n", "", "cpu.service"},
		{"a session", "0::/user.slice/user-1000.slice/session-3.scope\n", "", "session-3.scope"},
		{"systemd in the first version", "2:cpu,cpuacct:/shop\n1:name=systemd:/system.slice/shop.service\n", "", "shop.service"},
		{"a group that is deleted", "0::/system.slice/shop.service (deleted)\n", "", "shop.service"},
		{"nothing", "0::/\n", "", ""},
		{"a hash, but none of a container", "4:memory:/jobs/8eeccb65b05d1183478919f0c1e7b463\n0::/x" + webID + "\n", "", ""},
		{"a path with a colon", "0::/a:b/shop.service\n", "", "shop.service"},
	} {
		if p := parsePlace(c.text); p.container() != c.container || p.unit() != c.unit {
			t.Errorf("%s: container %q, unit %q, want %q, %q", c.who, p.container(), p.unit(), c.container, c.unit)
		}
	}
}

func TestAPlaceIsSelectedByWhatHoldsIt(t *testing.T) {
	p := parsePlace("0::/docker/" + nodeOfIt + "/user.slice/user@7.service/app.slice/shop.service\n3:memory:/jobs/1\n")
	for s, want := range map[*Selection]bool{
		{Containers: []string{nodeOfIt[:12]}}:             true,
		{Containers: []string{webID[:12], nodeOfIt[:4]}}:  true,
		{Containers: []string{webID[:12]}}:                false,
		{Cgroups: []string{"/docker"}}:                    true,
		{Cgroups: []string{"/jobs/1"}}:                    true,
		{Cgroups: []string{"/dock"}}:                      false,
		{Cgroups: []string{"/jobs/1/2"}}:                  false,
		{Cgroups: []string{"/"}}:                          true,
		{Units: []string{"shop"}}:                         true,
		{Units: []string{"other.service", "user@7"}}:      true,
		{Units: []string{"shop.scope"}}:                   false,
		{Units: []string{"user.slice"}}:                   false,
		{PIDs: []int{1}, All: true, Globs: []string{"*"}}: false,
	} {
		if got := s.holds(p); got != want {
			t.Errorf("%+v: %t, want %t", *s, got, want)
		}
	}
}

// hierarchy is where control groups of a version are mounted; it mounts them
// where they are not.
func hierarchy(t *testing.T, kind string) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("making control groups needs root")
	}
	mounts, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	defer mounts.Close()
	for lines := bufio.NewScanner(mounts); lines.Scan(); {
		before, after, _ := strings.Cut(lines.Text(), " - ")
		fields := strings.Fields(before)
		if len(fields) > 4 && fields[3] == "/" && strings.HasPrefix(after, kind+" ") && (kind == "cgroup2" || strings.HasSuffix(after, "name=systemd")) {
			return fields[4]
		}
	}
	dir := t.TempDir()
	options := ""
	if kind == "cgroup" {
		options = "none,name=systemd"
	}
	if err := syscall.Mount(kind, dir, kind, 0, options); err != nil {
		t.Skipf("cannot run here: this kernel mounts no %s: %v", kind, err)
	}
	t.Cleanup(func() { _ = syscall.Unmount(dir, 0) })
	return dir
}

// group makes a control group, and removes it after the test.
func group(t *testing.T, root string, elements ...string) string {
	t.Helper()
	at := root
	for _, e := range elements {
		dir := filepath.Join(at, e)
		at = dir
		err := os.Mkdir(dir, 0o755)
		if errors.Is(err, os.ErrExist) {
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() {
			var err error
			for range 200 { // a dead process leaves it a little later
				if err = os.Remove(dir); err == nil {
					return
				}
				time.Sleep(10 * time.Millisecond)
			}
			t.Errorf("remove control group: %v", err)
		})
	}
	return at
}

// in starts a target as runtimes do: in its control group before it is what it is.
func in(t *testing.T, group, path string, environment ...string) *running {
	t.Helper()
	return run(t, "/bin/sh", append(environment, "PATH=/bin:/usr/bin"), "-c", "echo $$ > "+group+"/cgroup.procs && exec "+path)
}

// Two containers and a service run one file, in control groups that the kernel
// made: each is found by its own name only, and says where it is.
func TestContainersAndUnitsAreFoundInRealControlGroups(t *testing.T) {
	for _, kind := range []string{"cgroup2", "cgroup"} {
		t.Run(kind, func(t *testing.T) {
			root := hierarchy(t, kind)
			path := target(t, newest, stripped)
			mine := "gotherm-" + strconv.Itoa(os.Getpid()) + ".slice"
			web := in(t, group(t, root, mine, "docker-"+webID+".scope"), path)
			side := in(t, group(t, root, mine, "kubepods-pod1.slice", "cri-containerd-"+sidecar+".scope"), path)
			shop := in(t, group(t, root, mine, "shop.service", "workers"), path)
			other := run(t, path, nil)
			for _, c := range []struct {
				by   string
				s    Selection
				want []*running
			}{
				{"id", Selection{Containers: []string{webID}}, []*running{web}},
				{"short id", Selection{Containers: []string{sidecar[:12]}}, []*running{side}},
				{"two ids", Selection{Containers: []string{sidecar[:12], webID[:7]}}, []*running{web, side}},
				{"unit", Selection{Units: []string{"shop"}}, []*running{shop}},
				{"unit with its kind", Selection{Units: []string{"docker-" + webID + ".scope"}}, []*running{web}},
				{"control group", Selection{Cgroups: []string{"/" + mine + "/shop.service/workers"}}, []*running{shop}},
				{"control group above", Selection{Cgroups: []string{"/" + mine}}, []*running{web, side, shop}},
				{"exclusion", Selection{Cgroups: []string{"/" + mine}, Exclude: []string{newest + "-stripp?d"}}, nil},
				{"another", Selection{Containers: []string{nodeOfIt}, Units: []string{"till"}, Cgroups: []string{"/" + mine + "/till"}}, nil},
			} {
				found := scan(t, c.s)
				if len(found) != len(c.want) {
					t.Errorf("by %s: found %d, want %d", c.by, len(found), len(c.want))
				}
				for _, r := range c.want {
					if p := of(found, r.pid()); p == nil || p.Refused != nil {
						t.Errorf("by %s: of %d, found %+v", c.by, r.pid(), p)
					}
				}
			}
			all := scan(t, Selection{PIDs: []int{web.pid(), side.pid(), shop.pid(), other.pid()}})
			for r, want := range map[*running][2]string{
				web:  {webID, "docker-" + webID + ".scope"},
				side: {sidecar, "cri-containerd-" + sidecar + ".scope"},
				shop: {"", "shop.service"},
			} {
				if p := of(all, r.pid()); p.Container != want[0] || p.Unit != want[1] {
					t.Errorf("container %q, unit %q, want %q", p.Container, p.Unit, want)
				}
			}
			// What is moved in by hand is found later, and stays found when it is moved out.
			f := NewFinder(Selection{Units: []string{"late"}}, nil)
			late := group(t, root, mine, "late.service")
			if found := rescan(t, f); len(found) != 0 {
				t.Errorf("nothing is there yet, and found %+v", found)
			}
			move := func(to string) {
				t.Helper()
				if err := os.WriteFile(filepath.Join(to, "cgroup.procs"), []byte(strconv.Itoa(other.pid())), 0); err != nil {
					t.Fatal(err)
				}
			}
			move(late)
			var found []*Process
			for scans := 0; scans < movesLookedFor && len(found) == 0; scans++ {
				found = rescan(t, f)
			}
			if of(found, other.pid()) == nil {
				t.Errorf("moved in: not found in %d scans", movesLookedFor)
			}
			move(root)
			if again := rescan(t, f); !slices.Equal(again, found) {
				t.Errorf("moved out: found %+v", again)
			}
		})
	}
}

// Who owns a process can keep it out, and so can who runs the agent.
func TestAProcessCanOptOut(t *testing.T) {
	path := target(t, newest, stripped)
	quiet := run(t, path, []string{"GOTHERM=off"})
	loud := run(t, path, []string{"GOTHERM=on", "NOT_GOTHERM=off"})
	reason := func(p *Process) string {
		var r *Refusal
		if p == nil || !errors.As(p.Refused, &r) || p.Binary != nil {
			return ""
		}
		return r.Reason
	}
	all := scan(t, Selection{All: true})
	if got := reason(of(all, quiet.pid())); !strings.Contains(got, "GOTHERM=off") {
		t.Errorf("opted out: refused by %q", got)
	}
	if p := of(all, loud.pid()); p == nil || p.Refused != nil {
		t.Errorf("not opted out: %+v", p)
	}
	s := Selection{All: true, Globs: []string{"*"}, Exclude: []string{path}}
	if found := scan(t, s); of(found, loud.pid()) != nil || of(found, quiet.pid()) != nil {
		t.Errorf("excluded, and found %+v", found)
	}
	s.PIDs = []int{loud.pid()}
	if got := reason(of(scan(t, s), loud.pid())); !strings.Contains(got, "excludes it: "+path) {
		t.Errorf("excluded, and named by pid: refused by %q", got)
	}
	// It is read anew by what execs: exec keeps the environment of this target.
	if _, err := exec.LookPath("env"); err == nil {
		again := run(t, "/usr/bin/env", []string{"GOTHERM=on"}, "GOTHERM=off", path)
		if got := reason(of(scan(t, Selection{PIDs: []int{again.pid()}}), again.pid())); !strings.Contains(got, "opts out") {
			t.Errorf("opted out by what started it: refused by %q", got)
		}
	}
}
