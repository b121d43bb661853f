package cases

import (
	"log"
	"net/http"
)

type store struct{ load func() (string, error) }

func (s *store) show(w http.ResponseWriter, r *http.Request) {
	var err error
	var value string
	defer func() {
		if err != nil { // want "err is only logged here"
			log.Printf("show: %v", err)
		}
	}()
	value, err = s.load()
	if err != nil {
		return
	}
	w.Write([]byte(value))
}

func (s *store) answers(w http.ResponseWriter, r *http.Request) {
	var err error
	defer func() {
		if err != nil {
			log.Printf("show: %v", err)
		}
	}()
	if _, err = s.load(); err != nil {
		http.Error(w, "no", http.StatusInternalServerError)
		return
	}
	w.Write(nil)
}

// The one that is given the writer answers.
func (s *store) passes(w http.ResponseWriter, r *http.Request) {
	var err error
	defer func() {
		if err != nil {
			log.Printf("show: %v", err)
		}
	}()
	if err = render(w, r); err != nil {
		return
	}
}

func render(w http.ResponseWriter, r *http.Request) error { return nil }

func (s *store) answersInDefer(w http.ResponseWriter, r *http.Request) {
	var err error
	defer func() {
		if err != nil {
			log.Printf("show: %v", err)
			w.WriteHeader(500)
		}
	}()
	if _, err = s.load(); err != nil {
		return
	}
	w.Write(nil)
}
