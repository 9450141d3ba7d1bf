package goproc

import (
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
)

func TestAProcessListensWhereItSays(t *testing.T) {
	var want []netip.AddrPort
	for _, address := range []string{"127.0.0.1:0", "[::1]:0", "127.0.0.1:0"} {
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		want = append(want, l.Addr().(*net.TCPAddr).AddrPort())
	}
	found, err := Listening(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range want {
		if !slices.Contains(found, address) {
			t.Errorf("%s is not among %v", address, found)
		}
	}
	if _, err := Listening(1 << 30); err == nil || !strings.Contains(err.Error(), "process 1073741824") {
		t.Errorf("a process that is not there: error %v", err)
	}
}

func TestAddressesThatAreNoneAreErrors(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:1F90":                         "127.0.0.1:8080",
		"00000000:0050":                         "0.0.0.0:80",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"0000000000000000FFFF00000100007F:1F90": "127.0.0.1:8080",
		"":                                      "",
		"0100007F":                              "",
		"0100:1F90":                             "",
		"0100007F:10000":                        "",
		"0100007G:1F90":                         "",
	} {
		address, err := parseAddress(text)
		if err != nil && want != "" || err == nil && address.String() != want {
			t.Errorf("%q is %s, error %v, want %q", text, address, err, want)
		}
	}
}
