package goproc

import (
	"encoding/binary"
	"fmt"
	"slices"
	"syscall"

	"golang.org/x/sys/unix"
)

// diagListening asks the kernel, by a sock_diag socket, for the TCP sockets that
// listen on the ports in the agent's own network namespace. It takes
// microseconds, where /proc/net/tcp takes milliseconds: that goes through the
// table of connections too, which has a million places on a large machine.
// (include/uapi/linux/inet_diag.h)
func diagListening(ports []int, wanted map[uint64]bool) error {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_INET_DIAG)
	if err != nil {
		return fmt.Errorf("opening a sock_diag socket: %w", err)
	}
	defer unix.Close(fd)
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1}); err != nil {
		return fmt.Errorf("limiting a sock_diag socket to 1 s: %w", err)
	}
	for _, family := range []byte{unix.AF_INET, unix.AF_INET6} {
		if err := diagFamily(fd, family, ports, wanted); err != nil {
			return fmt.Errorf("asking for listening sockets: %w", err)
		}
	}
	return nil
}

func diagFamily(fd int, family byte, ports []int, wanted map[uint64]bool) error {
	const (
		request     = unix.NLMSG_HDRLEN + 56 // inet_diag_req_v2
		answer      = 72                     // inet_diag_msg
		byFamily    = 20                     // SOCK_DIAG_BY_FAMILY
		stateListen = 10                     // TCP_LISTEN
	)
	var ask [request]byte
	binary.NativeEndian.PutUint32(ask[0:], request)
	binary.NativeEndian.PutUint16(ask[4:], byFamily)
	binary.NativeEndian.PutUint16(ask[6:], unix.NLM_F_REQUEST|unix.NLM_F_DUMP)
	ask[16], ask[17] = family, unix.IPPROTO_TCP
	binary.NativeEndian.PutUint32(ask[20:], 1<<stateListen)
	if err := unix.Sendto(fd, ask[:], 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return err
	}
	buffer := make([]byte, 32<<10)
	for {
		n, _, err := unix.Recvfrom(fd, buffer, 0)
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return err
		}
		messages, err := syscall.ParseNetlinkMessage(buffer[:n])
		if err != nil {
			return err
		}
		for _, m := range messages {
			switch {
			case m.Header.Type == unix.NLMSG_DONE:
				return nil
			case m.Header.Type == unix.NLMSG_ERROR:
				if len(m.Data) >= 4 {
					if code := int32(binary.NativeEndian.Uint32(m.Data)); code != 0 {
						return unix.Errno(-code)
					}
				}
				return nil
			case m.Header.Type == byFamily && len(m.Data) >= answer:
				port := int(binary.BigEndian.Uint16(m.Data[4:]))
				if inode := binary.NativeEndian.Uint32(m.Data[68:]); inode != 0 && slices.Contains(ports, port) {
					wanted[uint64(inode)] = true
				}
			}
		}
	}
}
