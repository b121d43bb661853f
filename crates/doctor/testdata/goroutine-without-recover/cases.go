package cases

import (
	"context"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/gin-gonic/gin"
	"golang.org/x/sync/errgroup"
)

type Server struct {
	mu    sync.Mutex
	queue chan int
}

type Order struct{ id int }

func (s *Server) notify(order *Order) { println(order.id) }
func (s *Server) guarded(order *Order) {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
	println(order.id)
}

func (s *Server) order(w http.ResponseWriter, r *http.Request) {
	go s.notify(&Order{}) // want "started by order, which serves one request"
	go s.guarded(&Order{})
}

func (s *Server) literal(w http.ResponseWriter, r *http.Request) {
	go func() { // want "not recovered from"
		s.notify(nil)
	}()
	go func() {
		defer s.reportPanic()
		s.notify(nil)
	}()
}

func (s *Server) reportPanic() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		go audit(r.Header.Get("user")) // want "a function in middleware"
		next.ServeHTTP(w, r)
	})
}

func audit(user string) { println(user[0]) }

func ginned(c *gin.Context) {
	go func() { // want "not recovered from"
		audit(c.Request.Host)
	}()
}

// What is known not to panic.
func (s *Server) waits(w http.ResponseWriter, r *http.Request) {
	done := make(chan struct{})
	var wg sync.WaitGroup
	go func() {
		wg.Wait()
		close(done)
	}()
	go func() {
		time.Sleep(time.Second)
		s.queue <- 1
	}()
	ctx, cancel := context.WithCancel(r.Context())
	go func() {
		<-ctx.Done()
		cancel()
	}()
}

func (s *Server) accepts(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go s.connection(conn) // want "starts one for each message or connection"
	}
}

func (s *Server) connection(conn net.Conn) { s.notify(nil) }

func (s *Server) consumes(orders chan *Order) {
	for order := range orders {
		go func() { // want "starts one for each message"
			s.notify(order)
		}()
	}
}

func (s *Server) ticks(ticker *time.Ticker) {
	for range ticker.C {
		go s.guarded(nil)
	}
}

func (s *Server) elsewhere(w http.ResponseWriter, r *http.Request, elsewhere func()) {
	go elsewhere() // want "whose body is not seen here"
}

type store interface{ save(order *Order) }

type hooks struct {
	store store
	done  func()
	named map[string]func()
	dial  net.Conn
}

func (h *hooks) runs(w http.ResponseWriter, r *http.Request) {
	go h.store.save(nil)   // want "whose body is not seen here"
	go h.done()            // want "whose body is not seen here"
	go h.named["orders"]() // want "whose body is not seen here"
	go h.dial.Close()
	ctx, cancel := context.WithCancel(r.Context())
	go cancel()
	<-ctx.Done()
	g, _ := errgroup.WithContext(ctx)
	g.Go(func() error { // want "errgroup.Group.Go is not recovered from"
		audit("")
		return nil
	})
	g.Go(func() error {
		defer func() {
			if cause := recover(); cause != nil {
				log.Print(cause)
			}
		}()
		audit("")
		return nil
	})
}

// As many as it is told to start, not one for each message.
func (s *Server) scales(sizes chan *Order) {
	for {
		size := <-sizes
		for i := 0; i < size.id; i++ {
			go s.notify(size) // want "may not be the only one"
		}
	}
}
