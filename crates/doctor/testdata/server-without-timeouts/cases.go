package cases

import (
	"net"
	"net/http"
	"time"

	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
)

type Server struct{ Addr string }

func functions(mux http.Handler, listener net.Listener) {
	http.ListenAndServe(":8080", mux)                    // want "http.ListenAndServe serves without any timeout"
	http.Serve(listener, mux)                            // want "http.Serve serves without"
	go http.ListenAndServeTLS(":8443", "c", "k", mux)    // want "http.ListenAndServeTLS"
	http.ListenAndServe("localhost:6060", mux)           // want "keeps its connection for ever"
}

func literals(mux http.Handler) *http.Server {
	server := &http.Server{Addr: ":8080", Handler: mux} // want "no ReadHeaderTimeout"
	go server.ListenAndServe()
	return &http.Server{ // want "no ReadHeaderTimeout"
		Addr:         ":8080",
		WriteTimeout: time.Second,
	}
}

func bounded(mux http.Handler) {
	server := &http.Server{Addr: ":8080", Handler: mux, ReadHeaderTimeout: time.Second}
	server.ListenAndServe()
	other := http.Server{Handler: mux, ReadTimeout: time.Second}
	other.ListenAndServe()
}

func later(mux http.Handler) {
	server := &http.Server{Handler: mux}
	server.ReadHeaderTimeout = time.Second
	server.ListenAndServe()
}

func another() Server { return Server{Addr: ":8080"} }

func method(server *http.Server) { server.ListenAndServe() }

func client() *http.Client { return &http.Client{} }

func frameworks(own *Server) {
	gin.Default().Run(":8080")  // want "gin.Engine.Run serves without any timeout"
	echo.New().Start(":8080")   // want "Echo.Start serves without any timeout"
	own.Run(":8080")
}

func (s *Server) Run(address string) {}
