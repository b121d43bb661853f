// Package rearguardhttp makes a net/http service say, in its own answers, how each request ended:
//
//	http.ListenAndServe(address, rearguardhttp.Middleware(mux))
//
// A panic becomes a 500 with "Rearguard-Outcome: panicked" instead of a connection that closes
// without a word, and "Server-Timing: work;dur=12.1, cleanup;dur=300.4" tells the handler's time
// from that of what it put off with [Defer]. Both are headers while the answer is still buffered,
// trailers afterwards. It needs nothing but the standard library; copy this file.
package rearguardhttp

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"log"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"time"
)

// maxBuffered bounds what is held back of an answer, so that a late panic can still become a 500.
const maxBuffered = 64 << 10

type scopeKey struct{}

// scope keeps the cleanups of one request.
type scope struct {
	mu       sync.Mutex
	cleanups []func()
}

// Defer registers a cleanup of this request. Cleanups run newest first, each recovered, after the
// handler has returned or panicked and before the answer is complete. Defer panics if the request
// did not come through [Middleware], since nobody would run the cleanup.
func Defer(ctx context.Context, cleanup func()) {
	s, ok := ctx.Value(scopeKey{}).(*scope)
	if !ok {
		panic("rearguardhttp: Defer needs the context of a request that came through Middleware")
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.cleanups = append(s.cleanups, cleanup)
}

// pop takes the newest cleanup; there may be more than before, for a cleanup may defer others.
func (s *scope) pop() (cleanup func()) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if last := len(s.cleanups) - 1; last >= 0 {
		cleanup, s.cleanups = s.cleanups[last], s.cleanups[:last]
	}
	return cleanup
}

// recovered runs f and returns what it panicked with, once that is in the log with its stack.
func recovered(where string, f func()) (value any) {
	defer func() {
		if value = recover(); value != nil && value != http.ErrAbortHandler {
			log.Printf("panic in %s: %v\n%s", where, value, debug.Stack())
		}
	}()
	f()
	return nil
}

// Middleware reports in band how next ended. It belongs right around the service's own handlers.
func Middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s, a, where := &scope{}, &answer{ResponseWriter: w}, r.Method+" "+r.URL.Path
		r = r.WithContext(context.WithValue(r.Context(), scopeKey{}, s))

		began := time.Now()
		panicked := recovered(where, func() { next.ServeHTTP(a, r) })
		worked := time.Now()
		outcome := outcomeOf(panicked, r.Context().Err(), a.status) // cleanup does not change it
		cleanupPanics := 0
		for cleanup := s.pop(); cleanup != nil; cleanup = s.pop() {
			if recovered(where+", cleanup", cleanup) != nil {
				cleanupPanics++
			}
		}
		if panicked == http.ErrAbortHandler {
			panic(panicked) // the handler wants the connection closed, which net/http does
		}

		timing := fmt.Sprintf("work;dur=%.1f, cleanup;dur=%.1f",
			worked.Sub(began).Seconds()*1000, time.Since(worked).Seconds()*1000)
		if cleanupPanics > 0 {
			timing += fmt.Sprintf(`;desc="%d panicked"`, cleanupPanics)
		}
		a.finish(outcome, timing)
	})
}

func outcomeOf(panicked any, contextErr error, status int) string {
	switch {
	case panicked != nil:
		return "panicked"
	case errors.Is(contextErr, context.DeadlineExceeded):
		return "timed_out"
	case contextErr != nil:
		return "cancelled"
	case status >= 500:
		return "failed"
	}
	return "succeeded"
}

// answer holds the answer back until it is complete, grows too large, or is flushed.
type answer struct {
	http.ResponseWriter
	status   int
	buffered []byte
	sent     bool // the headers have gone, or the connection is no longer ours
}

func (a *answer) WriteHeader(status int) {
	if status >= 100 && status < 200 && status != http.StatusSwitchingProtocols {
		a.ResponseWriter.WriteHeader(status) // informational, so another one follows
	} else if a.status == 0 {
		a.status = status
	}
}

func (a *answer) Write(data []byte) (int, error) {
	a.WriteHeader(http.StatusOK) // where there is no status yet
	if !a.sent && len(a.buffered)+len(data) <= maxBuffered {
		a.buffered = append(a.buffered, data...)
		return len(data), nil
	}
	a.send()
	return a.ResponseWriter.Write(data)
}

func (a *answer) send() {
	if a.sent {
		return
	}
	a.sent = true
	a.WriteHeader(http.StatusOK) // where there is no status yet
	a.ResponseWriter.WriteHeader(a.status)
	if len(a.buffered) > 0 {
		// An error comes back with the next write, or the client has gone.
		_, _ = a.ResponseWriter.Write(a.buffered)
	}
	a.buffered = nil
}

func (a *answer) finish(outcome, timing string) {
	prefix := ""
	if a.sent {
		prefix = http.TrailerPrefix
	} else if outcome == "panicked" {
		a.status, a.buffered = 0, nil
		http.Error(a, "internal server error", http.StatusInternalServerError)
	}
	a.Header().Add(prefix+"Server-Timing", timing)
	if outcome != "succeeded" {
		a.Header().Set(prefix+"Rearguard-Outcome", outcome)
	}
	a.send()
}

// Flush sends what there is; from here on the report goes into trailers.
func (a *answer) Flush() {
	a.send()
	_ = http.NewResponseController(a.ResponseWriter).Flush()
}

// Hijack hands the connection over, as for WebSocket; nothing is reported then.
func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := http.NewResponseController(a.ResponseWriter).Hijack()
	a.sent = a.sent || err == nil
	return conn, rw, err
}

// Unwrap is for http.ResponseController: deadlines and full duplex.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
