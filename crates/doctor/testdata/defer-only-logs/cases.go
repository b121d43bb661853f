package cases

import (
	"fmt"
	"log"
	"log/slog"
	"net/http"
	"time"
)

func ends(w http.ResponseWriter, r *http.Request) {
	defer log.Println("ends: done") // want "only writes a log line"
	w.Write(nil)
}

func closure(w http.ResponseWriter, r *http.Request) {
	defer func() { // want "only writes a log line"
		slog.Debug("leaving")
		fmt.Println("left")
	}()
	w.Write(nil)
}

func values(w http.ResponseWriter, r *http.Request) {
	defer log.Println("done", r.URL.Path) // want low "only writes a log line"
	w.Write(nil)
}

func timed(w http.ResponseWriter, r *http.Request) {
	start := time.Now()
	defer func() {
		log.Println(r.URL.Path, time.Since(start))
	}()
	w.Write(nil)
}

func access(w http.ResponseWriter, r *http.Request) {
	status := 200
	defer func() {
		log.Println(r.URL.Path, status)
	}()
	status = 404
	w.WriteHeader(status)
}

func recovers(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if v := recover(); v != nil {
			log.Println(v)
		}
	}()
	w.Write(nil)
}

func failed(w http.ResponseWriter, r *http.Request) {
	var err error
	defer func() {
		if err != nil {
			log.Println(err)
		}
	}()
	_, err = w.Write(nil)
}

func releases(w http.ResponseWriter, r *http.Request) {
	defer func() {
		log.Println("closing")
		r.Body.Close()
	}()
}

// No handler.
func job() {
	defer log.Println("job done")
}
