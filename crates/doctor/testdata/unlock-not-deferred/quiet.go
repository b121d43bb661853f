package cases

import "net/http"

func (h *handlers) deferred(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.onChange(r.URL.Path)
}

func (h *handlers) short(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	h.count[r.URL.Path]++
	h.mu.Unlock()
	h.onChange(r.URL.Path)
}

func (h *handlers) withOK(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	name, ok := h.values["a"].(string)
	h.mu.Unlock()
	if ok {
		w.Write([]byte(name))
	}
}

func (h *handlers) inLiteral(w http.ResponseWriter, r *http.Request) {
	func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.onChange("a")
	}()
}

func (h *handlers) later(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	change := h.onChange
	h.mu.Unlock()
	change("a")
}

func (h *handlers) started(w http.ResponseWriter, r *http.Request) {
	h.mu.Lock()
	go h.onChange("a")
	h.mu.Unlock()
}
