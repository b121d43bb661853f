package cases

import (
	"net/http"
	"sync"
)

type locks struct{ a, b, c, d, e, f, g, h, i sync.Mutex }

func nine(l *locks) {
	defer l.a.Unlock()
	defer l.b.Unlock()
	defer l.c.Unlock()
	defer l.d.Unlock()
	defer l.e.Unlock()
	defer l.f.Unlock()
	defer l.g.Unlock()
	defer l.h.Unlock()
	defer l.i.Unlock() // want "nine has 9 defers: beyond 8"
}

func handler(w http.ResponseWriter, r *http.Request) {
	l := &locks{}
	defer l.a.Unlock()
	defer l.b.Unlock()
	defer l.c.Unlock()
	defer l.d.Unlock()
	if r.Method == "GET" {
		defer l.e.Unlock() // want "runs for each request, and runs up to 5 defers"
	}
}

func inLoop(l *locks) {
	defer l.a.Unlock()
	defer l.b.Unlock()
	defer l.c.Unlock()
	defer l.d.Unlock()
	defer l.e.Unlock() // want "is called in a loop, and runs up to 5 defers"
}

func loops(l *locks) {
	for range 100 {
		inLoop(l)
	}
}

func nested(l *locks) {
	defer func() {
		l.a.Lock()
		defer l.a.Unlock() // want low "a defer in a deferred function"
	}()
}

func eight(l *locks) {
	defer l.a.Unlock()
	defer l.b.Unlock()
	defer l.c.Unlock()
	defer l.d.Unlock()
	defer l.e.Unlock()
	defer l.f.Unlock()
	defer l.g.Unlock()
	defer l.h.Unlock()
}

// One of them runs.
func oneOfMany(w http.ResponseWriter, r *http.Request) {
	l := &locks{}
	switch r.Method {
	case "GET":
		defer l.a.Unlock()
	case "PUT":
		defer l.b.Unlock()
	case "POST":
		defer l.c.Unlock()
	case "HEAD":
		defer l.d.Unlock()
	case "DELETE":
		defer l.e.Unlock()
	}
}

func few(w http.ResponseWriter, r *http.Request) {
	l := &locks{}
	defer l.a.Unlock()
	defer l.b.Unlock()
}

func main() {
	l := &locks{}
	few(nil, nil)
	defer l.a.Unlock()
}

func helper()  {}
func another() {}
