package goproc

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// place is where a process is among the control groups, and what that says of
// who started it: a container runtime, systemd, or both.
type place struct {
	// paths are those of all hierarchies, below where each is mounted: the
	// second version's, of which there is one, then systemd's own of the first,
	// then the others.
	paths []string
	// containers and units that it is in, the innermost last: one may hold
	// another, as a node of kind holds pods, and a user's manager services.
	containers, units []string
}

// maxCgroups bounds what is read of /proc/PID/cgroup: a path has less than 4 KB,
// and there are some 14 hierarchies at most.
const maxCgroups = 64 << 10

// placeOf reads where a process is now.
func placeOf(pid int) (place, error) {
	text, err := readSmall(procPath(pid, "cgroup"), maxCgroups)
	if err != nil {
		return place{}, err
	}
	return parsePlace(string(text)), nil
}

// parsePlace reads /proc/PID/cgroup: "hierarchy:controllers:path" a line. The
// kernel lets no name of a group have a newline, but a path may have colons.
// (man 7 cgroups; kernel/cgroup/cgroup.c: proc_cgroup_show)
func parsePlace(text string) place {
	var second, systemd, others []string
	for line := range strings.Lines(text) {
		hierarchy, rest, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ":")
		controllers, at, ok := strings.Cut(rest, ":")
		if !ok || !strings.HasPrefix(at, "/") {
			continue
		}
		at = strings.TrimSuffix(at, " (deleted)")
		switch {
		case hierarchy == "0" && controllers == "":
			second = append(second, at)
		case controllers == "name=systemd":
			systemd = append(systemd, at)
		default:
			others = append(others, at)
		}
	}
	p := place{paths: slices.Concat(second, systemd, others)}
	// In a hybrid only one of the hierarchies may say it.
	for _, at := range p.paths {
		if p.containers == nil {
			p.containers = containersIn(at)
		}
	}
	for _, at := range slices.Concat(second, systemd) {
		if p.units == nil {
			p.units = unitsIn(at)
		}
	}
	return p
}

// container is the innermost container, "" for none.
func (p place) container() string { return last(p.containers) }

// unit is the innermost unit of systemd, "" for none.
func (p place) unit() string { return last(p.units) }

func last(s []string) string {
	if len(s) == 0 {
		return ""
	}
	return s[len(s)-1]
}

// containerIDLength is how many hex digits the id of a container has, with
// Docker, containerd, CRI-O and Podman alike.
const containerIDLength = 64

// containersIn lists the containers that a path of control groups leads into.
// Runtimes name the group of a container by its id, with something around it
// where systemd makes the group:
//
//	/docker/ID                                                       Docker, cgroupfs
//	/system.slice/docker-ID.scope                                    Docker, systemd
//	/kubepods/burstable/podUID/ID                                    Kubernetes, cgroupfs
//	/kubepods.slice/kubepods-podUID.slice/cri-containerd-ID.scope    containerd
//	/system.slice/containerd.service/kubepods-podUID.slice:cri-containerd:ID
//	/kubepods.slice/kubepods-podUID.slice/crio-ID.scope/container    CRI-O
//	/machine.slice/libpod-ID.scope/container                         Podman
//
// What watches over a container is not in it: libpod-conmon-ID, crio-conmon-ID.
func containersIn(at string) (ids []string) {
	for element := range strings.SplitSeq(at, "/") {
		name := strings.TrimSuffix(element, ".scope")
		if len(name) < containerIDLength {
			continue
		}
		before, id := name[:len(name)-containerIDLength], name[len(name)-containerIDLength:]
		if !isHex(id) || before != "" && !strings.ContainsAny(before[len(before)-1:], "-:") {
			continue
		}
		if strings.HasSuffix(before, "conmon-") {
			continue
		}
		ids = append(ids, id)
	}
	return ids
}

func isHex(s string) bool {
	return strings.Trim(s, "0123456789abcdef") == ""
}

// cgroup says whether the process is in a control group or below it.
func (p place) cgroup(group string) bool {
	return slices.ContainsFunc(p.paths, func(at string) bool {
		return group == "/" || at == group || strings.HasPrefix(at, group+"/")
	})
}

// inContainer says whether a container whose id begins with prefix holds the process.
func (p place) inContainer(prefix string) bool {
	return slices.ContainsFunc(p.containers, func(id string) bool { return strings.HasPrefix(id, prefix) })
}

// minContainerPrefix is how many digits of a container's id must be given.
const minContainerPrefix = 4

func checkContainerPrefix(prefix string) error {
	if len(prefix) < minContainerPrefix || len(prefix) > containerIDLength {
		return fmt.Errorf("%d digits, limits %d and %d", len(prefix), minContainerPrefix, containerIDLength)
	}
	if !isHex(prefix) {
		return errors.New("not hex digits in lower case, as container ids are")
	}
	return nil
}

func checkCgroup(group string) error {
	switch {
	case !strings.HasPrefix(group, "/"):
		return errors.New("must begin with a slash, as /proc/PID/cgroup shows it")
	case group == cgroupMount || strings.HasPrefix(group, cgroupMount+"/"):
		return fmt.Errorf("must be below where the hierarchy is mounted (%s, or a directory in it), as /proc/PID/cgroup shows it", cgroupMount)
	case path.Clean(group) != group && !strings.HasPrefix(group, "/.."):
		return fmt.Errorf("must be %s", path.Clean(group))
	}
	return nil
}

// cgroupMount is where control groups are mounted by custom.
const cgroupMount = "/sys/fs/cgroup"
