package main

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
)

func get(url string) (io.Reader, error) {
	response, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close() // too early: the caller has not read it
	return response.Body, nil
}

func hasty(url string) {
	defer func() { fmt.Println("recovered:", recover()) }()
	response, err := http.Get(url)
	defer response.Body.Close() // too early: there may be no response
	fmt.Println(err)
}

func main() {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprint(w, "hello")
	}))
	body, _ := get(server.URL)
	_, err := io.ReadAll(body)
	fmt.Println("read:", err)
	server.Close()
	hasty(server.URL)
}
