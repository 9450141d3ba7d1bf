package collect

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	httppprof "net/http/pprof"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
)

// elsewhere is set for the process that stands for one in a container.
const elsewhere = "GOTHERM_TEST_LISTEN_ELSEWHERE"

// A process in a container listens on the same port as one beside the agent:
// the profiles of the one are not taken for those of the other.
func TestWhatAnswersOnOurLoopbackIsNobodyInAnotherNetwork(t *testing.T) {
	if port := os.Getenv(elsewhere); port != "" {
		if _, err := net.Listen("tcp4", "0.0.0.0:"+port); err != nil {
			t.Fatal(err)
		}
		os.Stdout.WriteString("listening\n")
		_, _ = io.Copy(io.Discard, os.Stdin) // until the test ends
		return
	}
	if os.Geteuid() != 0 {
		t.Skip("making a network namespace needs root")
	}
	here := httptest.NewServer(http.HandlerFunc(httppprof.Index))
	defer here.Close()
	_, port, _ := strings.Cut(strings.TrimPrefix(here.URL, "http://"), ":")
	inside := exec.Command(os.Args[0], "-test.run", "^"+t.Name()+"$")
	inside.Env = append(os.Environ(), elsewhere+"="+port)
	inside.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	said, err := inside.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := inside.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := inside.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = inside.Process.Kill()
		_ = inside.Wait()
	}()
	if line, err := bufio.NewReader(said).ReadString('\n'); line != "listening\n" {
		t.Fatalf("the process in another network says %q, %v", line, err)
	}

	if index, err := Find(t.Context(), inside.Process.Pid); err == nil || !strings.Contains(err.Error(), "another network namespace") {
		t.Errorf("the process in another network is found at %s, %v, which is this one", index, err)
	}
	if index, err := Find(t.Context(), os.Getpid()); err != nil || index != here.URL+indexPath {
		t.Errorf("this process is found at %q, %v, want %s", index, err, here.URL+indexPath)
	}
}
