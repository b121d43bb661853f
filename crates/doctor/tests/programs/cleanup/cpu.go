package main

import (
	"net/http"
	"net/http/httptest"
)

// Rounds of body and cleanup that alternate, so that a slow moment touches both alike.
const rounds = 5

// A round's work, in units of some hundred microseconds.
const units = 800

var sink uint64

type handler struct{ percent int }

func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer h.release()
	body(units * (100 - h.percent) / 100)
	w.WriteHeader(http.StatusNoContent)
}

func (h handler) release() {
	spin(units * h.percent / 100)
}

func body(n int) {
	spin(n)
}

//go:noinline
func spin(n int) {
	for i := 0; i < n; i++ {
		for j := uint64(0); j < 200_000; j++ {
			sink = sink*6364136223846793005 + j
		}
	}
}

func work(percent int) {
	mux := http.NewServeMux()
	mux.Handle("/", handler{percent})
	for i := 0; i < rounds; i++ {
		mux.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
	}
}
