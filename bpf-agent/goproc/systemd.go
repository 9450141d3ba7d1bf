package goproc

import (
	"errors"
	"fmt"
	"slices"
	"strings"
)

// unitsIn lists the services and scopes of systemd that a path of control
// groups leads into: all elements that are named as one. Slices only hold
// others. In /user.slice/user-7.slice/user@7.service/app.slice/shop.service,
// user@7.service runs the user's own systemd, and shop.service is that one's.
// (systemd's CONTROL_GROUP_INTERFACE; src/basic/cgroup-util.c: cg_path_get_unit)
func unitsIn(at string) (units []string) {
	for element := range strings.SplitSeq(at, "/") {
		// Systemd puts a "_" before what the kernel could take for a file of its own.
		name := strings.TrimPrefix(element, "_")
		stem, kind := cutUnit(name)
		if stem != "" && (kind == ".service" || kind == ".scope") {
			units = append(units, name)
		}
	}
	return units
}

// cutUnit cuts a unit's name before its last dot.
func cutUnit(name string) (stem, kind string) {
	dot := strings.LastIndexByte(name, '.')
	if dot < 0 {
		return name, ""
	}
	return name[:dot], name[dot:]
}

// inUnit says whether a unit holds the process. A name without a kind is a
// service's, as systemctl has it.
func (p place) inUnit(name string) bool {
	return slices.Contains(p.units, fullUnit(name))
}

func fullUnit(name string) string {
	if _, kind := cutUnit(name); kind == ".service" || kind == ".scope" {
		return name
	}
	return name + ".service"
}

// maxUnit is UNIT_NAME_MAX of systemd.
const maxUnit = 255

func checkUnit(name string) error {
	if name == "" || strings.ContainsAny(name, "/\x00\n") {
		return errors.New("not the name of a unit, such as shop.service")
	}
	if n := len(fullUnit(name)); n > maxUnit {
		return fmt.Errorf("%d bytes, limit %d", n, maxUnit)
	}
	return nil
}
