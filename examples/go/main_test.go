package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// serveVariable makes the test binary be the service, so that a test can have it killed.
const serveVariable = "REARGUARD_EXAMPLE_SERVE"

func TestMain(m *testing.M) {
	if os.Getenv(serveVariable) != "" {
		os.Args = []string{os.Args[0], "-listen", "127.0.0.1:0"}
		main()
		return
	}
	log.SetOutput(io.Discard)
	os.Exit(m.Run())
}

// seen is what a raw socket saw of an answer.
type seen struct {
	bytes  string
	closed bool // by the service, in good order
	reset  bool // by the service, with a TCP reset
	after  time.Duration
}

// ask sends a request and reads until the service closes, or for at most `patience`.
func ask(t *testing.T, address, path string, patience time.Duration) seen {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	began := time.Now()
	conn.SetDeadline(began.Add(patience))
	io.WriteString(conn, "GET "+path+" HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
	bytes, err := io.ReadAll(conn)
	return seen{string(bytes), err == nil, errors.Is(err, syscall.ECONNRESET), time.Since(began)}
}

func start(t *testing.T, report bool, writeTimeout time.Duration) (address string) {
	t.Helper()
	server := newServer(report, writeTimeout)
	server.ErrorLog = log.New(io.Discard, "", 0)
	test := httptest.NewUnstartedServer(server.Handler)
	test.Config = server
	test.Start()
	t.Cleanup(test.Close)
	return test.Listener.Addr().String()
}

const patience = 20 * time.Second

func TestAPanicClosesWithoutAStatusLine(t *testing.T) {
	address := start(t, false, 0)
	for _, path := range []string{"/panic", "/panic-in-defer"} {
		if got := ask(t, address, path, patience); got.bytes != "" || !got.closed {
			t.Errorf("%s: %+v", path, got)
		}
	}
}

func TestACleanupHoldsTheAnswerBackPastTheCallersPatience(t *testing.T) {
	address := start(t, false, 0)
	if got := ask(t, address, "/cleanup?for=2s", 200*time.Millisecond); got.bytes != "" || got.closed || got.reset {
		t.Errorf("%+v", got)
	}
	if got := ask(t, address, "/cleanup?for=300ms", patience); !strings.HasPrefix(got.bytes, "HTTP/1.1 200 OK\r\n") || got.after < 300*time.Millisecond {
		t.Errorf("%+v", got)
	}
}

func TestAnAnswerPastTheWriteTimeoutClosesJustLikeAPanic(t *testing.T) {
	for _, report := range []bool{false, true} {
		address := start(t, report, 100*time.Millisecond)
		// It closes when the handler has ended, not when the time was up: nothing was written before.
		if got := ask(t, address, "/cleanup?for=300ms", patience); got.bytes != "" || !got.closed || got.after < 300*time.Millisecond {
			t.Errorf("report %v: %+v", report, got)
		}
	}
}

func TestAPanicAfterTheFirstFlushCutsTheAnswerShort(t *testing.T) {
	got := ask(t, start(t, false, 0), "/panic-after-flush", patience)
	if !strings.HasPrefix(got.bytes, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got.bytes, "f\r\nthe first half\n\r\n") || !got.closed {
		t.Errorf("%+v", got)
	}
}

func TestARecoverThatOnlyLogsIsAGoodEmptyAnswer(t *testing.T) {
	for _, report := range []bool{false, true} {
		got := ask(t, start(t, report, 0), "/recover-and-log", patience)
		if !strings.HasPrefix(got.bytes, "HTTP/1.1 200 OK\r\n") || !strings.HasSuffix(got.bytes, "\r\n\r\n") || strings.Contains(got.bytes, "Outcome") {
			t.Errorf("report %v: %+v", report, got)
		}
	}
}

func TestAKilledServiceClosesOrResets(t *testing.T) {
	service := exec.Command(os.Args[0])
	service.Env = append(os.Environ(), serveVariable+"=1")
	out, err := service.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := service.Start(); err != nil {
		t.Fatal(err)
	}
	defer service.Wait()
	defer service.Process.Kill()
	line, err := bufio.NewReader(out).ReadString('\n')
	address, found := strings.CutPrefix(strings.TrimSpace(line), "listening on http://")
	if err != nil || !found {
		t.Fatalf("%q: %v", line, err)
	}
	if got := ask(t, address, "/kill-9", patience); got.bytes != "" || !(got.closed || got.reset) {
		t.Errorf("%+v", got)
	}
}

func TestReportedThePanicIsAnAnswer(t *testing.T) {
	address := start(t, true, 0)
	for _, path := range []string{"/panic", "/panic-in-defer"} {
		got := ask(t, address, path, patience)
		if !strings.HasPrefix(got.bytes, "HTTP/1.1 500 Internal Server Error\r\n") || !strings.Contains(got.bytes, "\r\nRearguard-Outcome: panicked\r\n") {
			t.Errorf("%s: %+v", path, got)
		}
	}
	got := ask(t, address, "/panic-after-flush", patience)
	_, trailers, _ := strings.Cut(got.bytes, "\r\nf\r\nthe first half\n\r\n0\r\n")
	if !strings.Contains(trailers, "Rearguard-Outcome: panicked\r\n") || !strings.Contains(trailers, "Server-Timing: work;dur=") {
		t.Errorf("%+v", got)
	}
}

func TestReportedWorkAndCleanupAreToldApart(t *testing.T) {
	address := start(t, true, 0)
	for _, row := range []struct{ path, end string }{
		{"/cleanup?for=300ms", "\r\n\r\n"},              // in the headers
		{"/cleanup-after-flush?for=300ms", "\r\n0\r\n"}, // in the trailers
	} {
		got := ask(t, address, row.path, patience)
		head, trailers, _ := strings.Cut(got.bytes, row.end)
		if strings.HasPrefix(row.path, "/cleanup?") {
			trailers = head
		}
		_, timing, _ := strings.Cut(trailers, "Server-Timing: ")
		var work, cleanup float64
		fmt.Sscanf(timing, "work;dur=%f, cleanup;dur=%f", &work, &cleanup)
		if cleanup < 300 || work >= cleanup {
			t.Errorf("%+v", got)
		}
	}
}
