package cases

import (
	"net/http"
	"sync"
)

type handlers struct {
	mu       sync.Mutex
	count    map[string]int
	onChange func(string)
	values   map[string]any
}

func (h *handlers) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock() // want "a panic in h.onChange() leaves h.mu locked"
	h.onChange(r.URL.Path)
	h.mu.Unlock()
}

func (h *handlers) asserted(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock() // want "a panic in h.values[r.URL.Path].(string) leaves h.mu locked"
	name := h.values[r.URL.Path].(string)
	h.mu.Unlock()
	w.Write([]byte(name))
}

func (h *handlers) recovering(change func()) {
	defer func() {
		recover()
	}()
	h.mu.Lock() // want "a panic in change() leaves h.mu locked"
	change()
	h.mu.Unlock()
}

func (h *handlers) update(change func(map[string]int)) {
	h.mu.Lock() // want low "a panic in change() leaves h.mu locked"
	change(h.count)
	h.mu.Unlock()
}
