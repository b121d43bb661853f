package cases

import (
	"context"
	"log"
	"net/http"

	"example.com/shop/orderpb"
	"github.com/gin-gonic/gin"
	"github.com/labstack/echo/v4"
	"google.golang.org/grpc"
)

func serve(w http.ResponseWriter, r *http.Request) {}

func silent(w http.ResponseWriter, r *http.Request) {
	defer func() { // want "a panic of silent is recovered from, and nothing is answered"
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
	serve(w, r)
}

func middleware(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		defer logPanic() // want "nothing is answered"
		next.ServeHTTP(w, r)
	})
}

func logPanic() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func ginned(c *gin.Context) {
	defer func() { // want "a 200 with an empty body"
		recover()
	}()
	c.Next()
}

type Server struct{}

func (s *Server) Order(ctx context.Context, in *orderpb.Request) (*orderpb.Response, error) {
	defer func() { // want "no error, and no response"
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
	return &orderpb.Response{}, nil
}

func (s *Server) Named(ctx context.Context, in *orderpb.Request) (out *orderpb.Response, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = context.Canceled
		}
	}()
	return &orderpb.Response{}, nil
}

func answers(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if cause := recover(); cause != nil {
			http.Error(w, "internal error", 500)
		}
	}()
	serve(w, r)
}

func hands(w http.ResponseWriter, r *http.Request) {
	defer respond(w)
	serve(w, r)
}

func respond(w http.ResponseWriter) {
	if cause := recover(); cause != nil {
		w.WriteHeader(500)
	}
}

func again(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
			panic(cause)
		}
	}()
	serve(w, r)
}

type recorder struct{ http.ResponseWriter }

func wrapped(w http.ResponseWriter, r *http.Request) {
	rec := &recorder{w}
	defer func() {
		if recover() != nil {
			rec.WriteHeader(500)
		}
	}()
	serve(rec, r)
}

func aborts(c *gin.Context) {
	defer func() {
		if cause := recover(); cause != nil {
			c.AbortWithStatus(500)
		}
	}()
	c.Next()
}

// Nobody waits for an answer.
func job() {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
}

func unary(ctx context.Context, in any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (any, error) {
	defer func() { // want "the caller gets no error, and no response"
		if cause := recover(); cause != nil {
			log.Print(info.FullMethod, cause)
		}
	}()
	return next(ctx, in)
}

func stream() grpc.StreamServerInterceptor {
	return func(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) error {
		defer func() { // want "the caller gets no error"
			if cause := recover(); cause != nil {
				log.Print(cause)
			}
		}()
		return next(server, s)
	}
}

func answering(server any, s grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			err = context.Canceled
		}
	}()
	return next(server, s)
}

func echoed(c echo.Context) error {
	defer func() { // want "a 200 with an empty body"
		if cause := recover(); cause != nil {
			c.Logger().Error(cause, c.Request().URL)
		}
	}()
	return nil
}

func echoedWell(c echo.Context) (err error) {
	defer func() {
		if cause := recover(); cause != nil {
			c.Error(context.Canceled)
		}
	}()
	return nil
}

func looks(c *gin.Context) {
	defer func() { // want "a 200 with an empty body"
		if cause := recover(); cause != nil {
			log.Print(c.Request.URL, cause)
		}
	}()
	c.Next()
}

func work(do func() error) error {
	defer func() { // want "nil as if all were well"
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
	}()
	return do()
}

func ends(do func() error) error {
	defer func() {
		if cause := recover(); cause != nil {
			log.Fatal(cause)
		}
	}()
	return do()
}
