package cases

import (
	"log"
	"net/http"
)

type Job struct{}

func (Job) Run() {}

func direct(job Job) {
	defer recover() // want "does not stop a panic"
	job.Run()
}

func guard() {
	if cause := recover(); cause != nil { // want "called by guard, which is not deferred"
		log.Print(cause)
	}
}

func calls(job Job) {
	guard()
	job.Run()
}

func goroutine(job Job) {
	go func() {
		job.Run()
		if cause := recover(); cause != nil { // want "a function in goroutine, which is not deferred"
			log.Print(cause)
		}
	}()
}

func called(job Job) {
	func() {
		recover() // want "a function in called"
		job.Run()
	}()
}

// Deferred somewhere.
func report() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func defers(job Job) {
	defer report()
	job.Run()
}

// For others to defer.
func Recover() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func right(job Job) {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
	job.Run()
}

// A variable that is deferred.
func kept(job Job) {
	guarding := func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}
	defer guarding()
	job.Run()
}

// Another recover.
type Wallet struct{}

func (Wallet) recover() error { return nil }

func own(wallet Wallet) error { return wallet.recover() }

func ServeOrders(w http.ResponseWriter, r *http.Request) {
	serveOrders(w)
	if cause := recover(); cause != nil { // want "recover() is called by ServeOrders, which is not deferred"
		http.Error(w, "internal error", 500)
	}
}

func serveOrders(w http.ResponseWriter) { w.WriteHeader(204) }

func routes(mux *http.ServeMux) {
	mux.HandleFunc("/orders", func(w http.ResponseWriter, r *http.Request) {
		serveOrders(w)
		if cause := recover(); cause != nil { // want "which is not deferred"
			http.Error(w, "internal error", 500)
		}
	})
}

// There to be deferred by others.
func HandleCrash(w http.ResponseWriter) {
	serveOrders(w)
	if cause := recover(); cause != nil {
		http.Error(w, "internal error", 500)
	}
}

func Report(w http.ResponseWriter) {
	if cause := recover(); cause != nil {
		serveOrders(w)
	}
}
