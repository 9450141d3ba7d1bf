package goproc

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"io"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Listening lists the TCP addresses on which a process listens, the lowest ports
// first. It is an error when they are in another network than this process's,
// where they can't be reached.
func Listening(pid int) ([]netip.AddrPort, error) {
	var own, its unix.Stat_t
	if err := unix.Stat(procDir+"self/ns/net", &own); err != nil {
		return nil, fmt.Errorf("own network namespace: %w", err)
	}
	if err := unix.Stat(procPath(pid, "ns/net"), &its); err != nil {
		return nil, fmt.Errorf("network namespace of process %d: %w", pid, err)
	}
	if own.Ino != its.Ino {
		return nil, fmt.Errorf("process %d is in another network namespace", pid)
	}
	addresses := map[uint64]netip.AddrPort{}
	for _, file := range []string{"net/tcp", "net/tcp6"} {
		f, err := os.Open(procPath(pid, file))
		if os.IsNotExist(err) {
			continue // without IPv6
		}
		if err != nil {
			return nil, fmt.Errorf("sockets of process %d: %w", pid, err)
		}
		err = readAddresses(f, addresses)
		f.Close()
		if err != nil {
			return nil, fmt.Errorf("sockets of process %d: %w", pid, err)
		}
	}
	owners := make(map[uint64]map[int]bool, len(addresses))
	for inode := range addresses {
		owners[inode] = map[int]bool{}
	}
	ownedSockets(pid, owners)
	var found []netip.AddrPort
	for inode, pids := range owners {
		if pids[pid] {
			found = append(found, addresses[inode])
		}
	}
	slices.SortFunc(found, func(a, b netip.AddrPort) int {
		if a.Port() != b.Port() {
			return int(a.Port()) - int(b.Port())
		}
		return a.Compare(b)
	})
	return found, nil
}

// readAddresses reads where the sockets of /proc/net/tcp that listen do, by inode.
func readAddresses(r io.Reader, addresses map[uint64]netip.AddrPort) error {
	return eachListening(r, func(text, inode string) error {
		address, err := parseAddress(text)
		if err != nil {
			return err
		}
		n, err := strconv.ParseUint(inode, 10, 64)
		if err != nil {
			return fmt.Errorf("inode of %s: %w", address, err)
		}
		addresses[n] = address
		return nil
	})
}

// parseAddress reads 0100007F:1F90: words of four bytes in the machine's order, and the port.
func parseAddress(text string) (netip.AddrPort, error) {
	address, port, _ := strings.Cut(text, ":")
	words, err := hex.DecodeString(address)
	number, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(words) != 4 && len(words) != 16 {
		return netip.AddrPort{}, fmt.Errorf("address is %q, must be of 8 or 32 hexadecimal digits, a colon and 4", text)
	}
	for word := range slices.Chunk(words, 4) {
		binary.BigEndian.PutUint32(word, binary.NativeEndian.Uint32(word))
	}
	ip, _ := netip.AddrFromSlice(words) // of 4 or 16 bytes
	return netip.AddrPortFrom(ip.Unmap(), uint16(number)), nil
}
