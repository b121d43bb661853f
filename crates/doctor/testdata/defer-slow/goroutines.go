package cases

import (
	"context"
	"net/http"
	"sync"
)

func waitsForGroup(w http.ResponseWriter, r *http.Request) {
	var group sync.WaitGroup
	defer group.Wait() // want "waitsForGroup ends only after group.Wait in its defer"
	group.Add(1)
	go func() {
		defer group.Done()
		audit()
	}()
	w.WriteHeader(200)
}

func waitsForChannel(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	go audits(done)
	defer func() {
		<-done // want "ends only after <-done in its defer"
	}()
	w.Write(nil)
}

// It is told to end.
func toldToEnd(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithCancel(r.Context())
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		<-ctx.Done()
	}()
	defer func() {
		cancel()
		group.Wait()
	}()
	w.Write(nil)
}

// No client waits for it.
func noHandler() {
	var group sync.WaitGroup
	defer group.Wait()
	group.Add(1)
	go func() {
		defer group.Done()
		audit()
	}()
}

type provider interface {
	ForceFlush(ctx context.Context) error
}

type traced struct{ provider provider }

func (t *traced) serve(w http.ResponseWriter, r *http.Request) {
	defer t.provider.ForceFlush(context.Background()) // want "serve ends only after t.provider.ForceFlush in its defer"
	w.WriteHeader(200)
}

func audit() {}

func audits(done chan struct{}) { close(done) }
