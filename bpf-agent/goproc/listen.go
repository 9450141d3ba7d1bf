package goproc

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// listeners finds out which processes listen on some TCP ports, in whatever
// network namespace. The kernel says which sockets listen in a namespace
// (/proc/PID/net/tcp), and which sockets a process has (/proc/PID/fd), by inode
// in both. For the agent's own namespace there is a cheaper way to the former:
// [diagListening]. The latter is costly: all processes are gone through when a wanted
// socket is new, and otherwise only the new ones.
type listeners struct {
	ports   []int
	sockets map[uint64]map[int]bool // by inode: the pids that have it
	pids    map[int]bool            // gone through
}

// find lists the pids, of those given, that listen on one of the ports.
func (l *listeners) find(pids []int) map[int]bool {
	wanted := l.listening(pids)
	all := false
	for inode := range wanted {
		if l.sockets[inode] == nil {
			all = true
		}
	}
	sockets := make(map[uint64]map[int]bool, len(wanted))
	for inode := range wanted {
		sockets[inode] = map[int]bool{}
	}
	seen := make(map[int]bool, len(pids))
	for _, pid := range pids {
		seen[pid] = true
		if all || !l.pids[pid] {
			if len(sockets) > 0 {
				ownedSockets(pid, sockets)
			}
			continue
		}
		for inode := range wanted {
			if l.sockets[inode][pid] {
				sockets[inode][pid] = true
			}
		}
	}
	l.sockets, l.pids = sockets, seen
	found := map[int]bool{}
	for _, owners := range sockets {
		for pid := range owners {
			found[pid] = true
		}
	}
	return found
}

// has says whether a pid was among those that the last find found.
func (l *listeners) has(pid int) bool {
	for _, owners := range l.sockets {
		if owners[pid] {
			return true
		}
	}
	return false
}

// listening is the inodes of the sockets that listen on the ports, in all
// network namespaces that the processes are in.
func (l *listeners) listening(pids []int) map[uint64]bool {
	wanted := map[uint64]bool{}
	namespaces := map[uint64]bool{} // that are read
	var own unix.Stat_t
	if unix.Stat(procDir+"self/ns/net", &own) == nil && diagListening(l.ports, wanted) == nil {
		namespaces[own.Ino] = true
	}
	for _, pid := range pids {
		var st unix.Stat_t
		if unix.Stat(procPath(pid, "ns/net"), &st) != nil || namespaces[st.Ino] {
			continue
		}
		read := false
		for _, file := range []string{"net/tcp", "net/tcp6"} {
			f, err := os.Open(procPath(pid, file))
			if err != nil {
				continue
			}
			readListening(f, l.ports, wanted)
			f.Close()
			read = true
		}
		namespaces[st.Ino] = read
	}
	return wanted
}

// eachListening calls see with the address and the inode of each socket in
// /proc/net/tcp that listens: the kernel shows those first, and there may be very
// many after them. It ends with the first error of see.
// (net/ipv4/tcp_ipv4.c: tcp_seek_last_pos, get_tcp4_sock)
func eachListening(r io.Reader, see func(address, inode string) error) error {
	const listen = "0A"
	lines := bufio.NewScanner(r)
	lines.Scan() // the heading
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 || fields[3] != listen {
			break
		}
		if err := see(fields[1], fields[9]); err != nil {
			return err
		}
	}
	return lines.Err()
}

// readListening adds the inodes of the sockets that listen on one of the ports.
// A line that can't be read is none of them.
func readListening(r io.Reader, ports []int, wanted map[uint64]bool) {
	_ = eachListening(r, func(address, inode string) error {
		_, hex, _ := strings.Cut(address, ":")
		port, err := strconv.ParseUint(hex, 16, 16)
		if err != nil || !slices.Contains(ports, int(port)) {
			return nil
		}
		if n, err := strconv.ParseUint(inode, 10, 64); err == nil && n != 0 {
			wanted[n] = true
		}
		return nil
	})
}

// ownedSockets adds a pid to those of its sockets that are wanted.
func ownedSockets(pid int, wanted map[uint64]map[int]bool) {
	dir, err := os.Open(procPath(pid, "fd"))
	if err != nil {
		return // it ended, or is not ours to see
	}
	defer dir.Close()
	names, _ := dir.Readdirnames(-1)
	for _, name := range names {
		to, err := os.Readlink(fmt.Sprintf("%s%d/fd/%s", procDir, pid, name))
		if err != nil {
			continue
		}
		inode, ok := strings.CutPrefix(to, "socket:[")
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(strings.TrimSuffix(inode, "]"), 10, 64)
		if owners := wanted[n]; err == nil && owners != nil {
			owners[pid] = true
		}
	}
}
