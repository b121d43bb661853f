package rearguardhttp

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// seen is an answer, or the error instead of one.
type seen struct {
	status           int
	header, trailer  http.Header
	body, logged     string
	err              error
	reported, timing string // wherever they came: header or trailer
}

func ask(t *testing.T, handler http.HandlerFunc) seen {
	t.Helper()
	var logged bytes.Buffer
	log.SetOutput(&logged)
	t.Cleanup(func() { log.SetOutput(io.Discard) })
	server := httptest.NewUnstartedServer(Middleware(handler))
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.Start()

	var s seen
	response, err := server.Client().Get(server.URL + "/path")
	if err != nil {
		s.err = err
	} else {
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		s.status, s.header, s.trailer, s.body, s.err = response.StatusCode, response.Header, response.Trailer, string(body), err
	}
	server.Close() // waits for the handler
	s.logged = logged.String()
	for _, fields := range []http.Header{s.header, s.trailer} {
		s.reported += fields.Get("Rearguard-Outcome")
		s.timing += fields.Get("Server-Timing")
	}
	return s
}

var timings = regexp.MustCompile(`^work;dur=\d+\.\d, cleanup;dur=\d+\.\d(;desc="\d panicked")?$`)

func TestHowTheHandlerEndedIsReported(t *testing.T) {
	for _, row := range []struct {
		name    string
		handler http.HandlerFunc
		status  int
		body    string
		outcome string
	}{
		{"an empty answer", func(http.ResponseWriter, *http.Request) {}, 200, "", ""},
		{"a status", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) }, 204, "", ""},
		{"a body", func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "hi") }, 200, "hi", ""},
		{"the client's fault", func(w http.ResponseWriter, r *http.Request) { http.NotFound(w, r) }, 404, "404 page not found\n", ""},
		{"an error", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) }, 503, "", "failed"},
		{"a panic", func(http.ResponseWriter, *http.Request) { panic("oh") }, 500, "internal server error\n", "panicked"},
		{"a panic of nil", func(http.ResponseWriter, *http.Request) { panic(nil) }, 500, "internal server error\n", "panicked"},
		{"a panic with half an answer", func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Length", "1000")
			w.Header().Set("Content-Type", "image/png")
			io.WriteString(w, "half")
			panic("oh")
		}, 500, "internal server error\n", "panicked"},
	} {
		t.Run(row.name, func(t *testing.T) {
			got := ask(t, row.handler)
			if got.err != nil || got.status != row.status || got.body != row.body {
				t.Errorf("got %d %q %v", got.status, got.body, got.err)
			}
			if outcome := got.header.Get("Rearguard-Outcome"); outcome != row.outcome {
				t.Errorf("outcome %q", outcome)
			}
			if !timings.MatchString(got.header.Get("Server-Timing")) {
				t.Errorf("timing %q", got.timing)
			}
		})
	}
}

func TestAfterTheHeadersTheReportIsATrailer(t *testing.T) {
	flushed := func(w http.ResponseWriter) {
		io.WriteString(w, "half")
		w.(http.Flusher).Flush()
	}
	tooLarge := func(w http.ResponseWriter) { w.Write(make([]byte, maxBuffered+1)) }
	for name, write := range map[string]func(http.ResponseWriter){"flushed": flushed, "too large": tooLarge} {
		t.Run(name, func(t *testing.T) {
			got := ask(t, func(w http.ResponseWriter, _ *http.Request) { write(w); panic("oh") })
			if got.err != nil || got.status != 200 || got.trailer.Get("Rearguard-Outcome") != "panicked" {
				t.Errorf("got %d, trailer %v, %v", got.status, got.trailer, got.err)
			}
			if !timings.MatchString(got.trailer.Get("Server-Timing")) || got.header.Get("Server-Timing") != "" {
				t.Errorf("header %v, trailer %v", got.header, got.trailer)
			}
		})
	}
}

func TestAnAnswerOfDeclaredLengthIsStillCutShortByAPanic(t *testing.T) {
	// It has no chunks and so no trailers, but net/http closes what is shorter than it promised.
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000000")
		w.Write(make([]byte, maxBuffered+1))
		panic("oh")
	})
	if got.status != 200 || !errors.Is(got.err, io.ErrUnexpectedEOF) || got.reported != "" {
		t.Errorf("got %d, %q, %v", got.status, got.reported, got.err)
	}
}

func TestALargeAnswerArrivesWhole(t *testing.T) {
	pieces := bytes.Repeat([]byte("0123456789abcdef"), 1000)
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		for range 10 {
			if n, err := w.Write(pieces); n != len(pieces) || err != nil {
				t.Errorf("wrote %d: %v", n, err)
			}
		}
	})
	if got.body != strings.Repeat(string(pieces), 10) {
		t.Errorf("got %d bytes", len(got.body))
	}
}

func TestCleanupsRunNewestFirstBeforeTheAnswerIsComplete(t *testing.T) {
	var order []string
	got := ask(t, func(w http.ResponseWriter, r *http.Request) {
		Defer(r.Context(), func() { order = append(order, "first") })
		Defer(r.Context(), func() {
			Defer(r.Context(), func() { order = append(order, "of a cleanup") })
			order = append(order, "second")
			panic("oh")
		})
		Defer(r.Context(), func() { time.Sleep(20 * time.Millisecond) })
	})
	// Read after the answer, so they ran before it was complete.
	if want := []string{"second", "of a cleanup", "first"}; !slices.Equal(order, want) {
		t.Errorf("got %v", order)
	}
	if got.status != 200 || got.reported != "" || !strings.Contains(got.timing, `;desc="1 panicked"`) {
		t.Errorf("got %d %q %q", got.status, got.reported, got.timing)
	}
	var work, cleanup float64
	fmt.Sscanf(got.timing, "work;dur=%f, cleanup;dur=%f", &work, &cleanup)
	if cleanup < 20 || work >= cleanup {
		t.Errorf("the cleanup's time is not told apart: %q", got.timing)
	}
	if !strings.Contains(got.logged, "panic in GET /path, cleanup: oh") {
		t.Errorf("logged %q", got.logged)
	}
}

func TestCleanupsRunAfterAPanicToo(t *testing.T) {
	for _, value := range []any{"oh", http.ErrAbortHandler} {
		var ran atomic.Bool
		got := ask(t, func(w http.ResponseWriter, r *http.Request) {
			Defer(r.Context(), func() { ran.Store(true) })
			panic(value)
		})
		if !ran.Load() {
			t.Errorf("%v: no cleanup", value)
		}
		if aborted := value == http.ErrAbortHandler; aborted != errors.Is(got.err, io.EOF) {
			t.Errorf("%v: %v", value, got.err)
		} else if aborted == strings.Contains(got.logged, "rearguard_test.go") {
			t.Errorf("%v: logged %q", value, got.logged)
		}
	}
}

func TestAPassedDeadlineIsTimedOut(t *testing.T) {
	handler := Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		w.WriteHeader(504)
	}))
	for _, row := range []struct {
		context func(context.Context) (context.Context, context.CancelFunc)
		outcome string
	}{
		{func(c context.Context) (context.Context, context.CancelFunc) { return context.WithTimeout(c, 0) }, "timed_out"},
		{func(c context.Context) (context.Context, context.CancelFunc) {
			c, cancel := context.WithCancel(c)
			cancel()
			return c, cancel
		}, "cancelled"},
	} {
		ctx, cancel := row.context(context.Background())
		defer cancel()
		recorder := httptest.NewRecorder()
		handler.ServeHTTP(recorder, httptest.NewRequestWithContext(ctx, "GET", "/", nil))
		if got := recorder.Header().Get("Rearguard-Outcome"); got != row.outcome {
			t.Errorf("got %q, want %q", got, row.outcome)
		}
	}
}

func TestInformationalAnswersGoAhead(t *testing.T) {
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusEarlyHints)
		w.WriteHeader(http.StatusCreated)
		w.WriteHeader(http.StatusOK) // too late, as in net/http
	})
	if got.status != 201 {
		t.Errorf("got %d", got.status)
	}
}

func TestAHijackedConnectionIsLeftAlone(t *testing.T) {
	server := httptest.NewServer(Middleware(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		conn, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		io.WriteString(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\nhello")
	})))
	defer server.Close()
	request, _ := http.NewRequest("GET", server.URL, nil)
	request.Header.Set("Connection", "Upgrade")
	request.Header.Set("Upgrade", "echo")
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if said, _ := io.ReadAll(response.Body); response.StatusCode != 101 || string(said) != "hello" {
		t.Errorf("got %d %q", response.StatusCode, said)
	}
}

func TestDeadlinesReachTheConnection(t *testing.T) {
	got := ask(t, func(w http.ResponseWriter, _ *http.Request) {
		if err := http.NewResponseController(w).SetWriteDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Error(err)
		}
	})
	if got.status != 200 {
		t.Errorf("got %d", got.status)
	}
}

func TestDeferWithoutTheMiddlewareSaysSo(t *testing.T) {
	defer func() {
		if text, _ := recover().(string); !strings.Contains(text, "Middleware") {
			t.Errorf("got %q", text)
		}
	}()
	Defer(context.Background(), func() {})
}
