// A sample service that fails in every way that a net/http service can, with and without the
// middleware of package rearguardhttp. See README.md.
package main

import (
	"flag"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"time"

	"rearguard.dev/examples/go/rearguardhttp"
)

// defaultCleanup is how long a cleanup takes where the request does not say (?for=3s).
const defaultCleanup = 3 * time.Second

func main() {
	listen := flag.String("listen", "127.0.0.1:3000", "the address to listen on")
	report := flag.Bool("report", false, "report in band: use the middleware")
	writeTimeout := flag.Duration("write-timeout", 0, "http.Server's WriteTimeout; 0: none")
	flag.Parse()

	listener, err := net.Listen("tcp", *listen)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	server := newServer(*report, *writeTimeout)
	log.Fatal(server.Serve(listener))
}

func newServer(report bool, writeTimeout time.Duration) *http.Server {
	return &http.Server{
		Handler:           newHandler(report),
		ReadHeaderTimeout: 10 * time.Second,
		WriteTimeout:      writeTimeout,
	}
}

// newHandler has one route for each row of the table in README.md.
func newHandler(report bool) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/ok", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "fine\n")
	})
	mux.HandleFunc("/error", func(w http.ResponseWriter, r *http.Request) {
		http.Error(w, "the bank said no", http.StatusInternalServerError)
	})
	mux.HandleFunc("/panic", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "this never arrives\n")
		panic("the card is not there")
	})
	mux.HandleFunc("/panic-in-defer", func(w http.ResponseWriter, r *http.Request) {
		defer func() { panic("the connection was closed already") }()
		io.WriteString(w, "this never arrives\n")
	})
	mux.HandleFunc("/panic-after-flush", func(w http.ResponseWriter, r *http.Request) {
		io.WriteString(w, "the first half\n")
		w.(http.Flusher).Flush()
		panic("the card is not there")
	})
	mux.HandleFunc("/recover-and-log", func(w http.ResponseWriter, r *http.Request) {
		defer func() { log.Println("recovered:", recover()) }()
		panic("the card is not there")
	})
	mux.HandleFunc("/cleanup", func(w http.ResponseWriter, r *http.Request) {
		cleanup := func() { time.Sleep(cleanupTime(r)) }
		if report {
			rearguardhttp.Defer(r.Context(), cleanup)
		} else {
			defer cleanup()
		}
		time.Sleep(12 * time.Millisecond)
		io.WriteString(w, "fine\n")
	})
	mux.HandleFunc("/cleanup-after-flush", func(w http.ResponseWriter, r *http.Request) {
		cleanup := func() { time.Sleep(cleanupTime(r)) }
		if report {
			rearguardhttp.Defer(r.Context(), cleanup)
		} else {
			defer cleanup()
		}
		io.WriteString(w, "fine\n")
		w.(http.Flusher).Flush()
	})
	mux.HandleFunc("/kill-9", func(w http.ResponseWriter, r *http.Request) {
		// What the kernel does when memory is short: SIGKILL, of which the process learns nothing.
		if process, err := os.FindProcess(os.Getpid()); err == nil {
			process.Kill()
		}
		select {}
	})
	if report {
		return rearguardhttp.Middleware(mux)
	}
	return mux
}

func cleanupTime(r *http.Request) time.Duration {
	if asked, err := time.ParseDuration(r.FormValue("for")); err == nil {
		return asked
	}
	return defaultCleanup
}
