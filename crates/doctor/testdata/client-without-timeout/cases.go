package cases

import (
	"context"
	"net/http"
	"net/url"
	"time"
)

func direct(address string) {
	http.Get(address)                     // want "sent by http.DefaultClient"
	http.PostForm(address, url.Values{})  // want "may wait for ever"
	http.DefaultClient.Get(address)       // want "http.DefaultClient, which has no timeout"
}

func own(address string) {
	client := &http.Client{}
	client.Get(address) // want "sent by client, which has no Timeout"
	value := http.Client{Transport: http.DefaultTransport}
	value.Head(address) // want "sent by value"
}

func bounded(address string) {
	client := &http.Client{Timeout: time.Second}
	client.Get(address)
	later := &http.Client{}
	later.Timeout = time.Second
	later.Get(address)
}

func withContext(ctx context.Context, address string) {
	request, err := http.NewRequestWithContext(ctx, "GET", address, nil)
	if err == nil {
		http.DefaultClient.Do(request)
	}
}

// Made elsewhere.
func given(client *http.Client, address string) { client.Get(address) }

type cache struct{}

func (cache) Get(key string) string { return key }

func another(c cache) string { return c.Get("http://orders") }

func header(h http.Header) string { return h.Get("user") }

type hub struct {
	client *http.Client
	quick  *http.Client
}

func newHub() *hub {
	return &hub{client: &http.Client{}, quick: &http.Client{Timeout: time.Second}}
}

var shared = &http.Client{}

func (h *hub) gets(address string) {
	h.client.Get(address) // want "sent by h.client, which has no Timeout"
	h.quick.Get(address)
	shared.Get(address) // want "sent by shared"
}

func asks(ctx context.Context, address string) {
	request, err := http.NewRequest("GET", address, nil)
	if err == nil {
		http.DefaultClient.Do(request) // want "http.DefaultClient, which has no timeout"
	}
	bounded, err := http.NewRequest("GET", address, nil)
	if err == nil {
		http.DefaultClient.Do(bounded.WithContext(ctx))
	}
}
