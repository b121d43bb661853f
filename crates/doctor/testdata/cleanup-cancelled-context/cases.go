package cases

import (
	"context"
	"database/sql"
	"log"
	"net/http"
	"time"

	"github.com/redis/go-redis/v9"
	"golang.org/x/sync/errgroup"
)

type locker interface {
	Lock(ctx context.Context, key string) error
	Unlock(ctx context.Context, key string) error
}

type store struct{ db *sql.DB }

func (s *store) forget(ctx context.Context, id int) error {
	_, err := s.db.ExecContext(ctx, "delete from t where id = $1", id)
	return err
}

func lifo(client *redis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer client.Del(ctx, "lock") // want "ctx is cancelled before client.Del runs"
	defer cancel()
	work(ctx)
}

func lifoInClosure(s *store) {
	ctx, cancel := context.WithCancel(context.Background())
	defer func() {
		s.forget(ctx, 1) // want "ctx is cancelled before s.forget runs"
	}()
	defer func() { cancel() }()
	work(ctx)
}

func shutdown(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	return server.Shutdown(ctx) // want "server.Shutdown is given it: it gives up at once"
}

func selects(ctx context.Context, server *http.Server, failed chan error) error {
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
		log.Println("ending")
		return server.Shutdown(ctx) // want "ctx has ended here"
	}
}

func request(w http.ResponseWriter, r *http.Request, l locker) {
	ctx := r.Context()
	if err := l.Lock(ctx, "a"); err != nil {
		return
	}
	defer l.Unlock(ctx, "a") // want "when ctx is cancelled, l.Unlock of this defer does nothing"
	work(ctx)
}

func caller(ctx context.Context, client *redis.Client) {
	defer client.Del(ctx, "lock") // want "when ctx is cancelled, client.Del"
	work(ctx)
}

// The cancel runs last.
func right(client *redis.Client) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	defer client.Del(ctx, "lock")
	work(ctx)
}

func ownContext(client *redis.Client, ctx context.Context) {
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		client.Del(ctx, "lock")
	}()
	work(ctx)
}

func shutdownRight(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

func newContext(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	ctx = context.Background()
	return server.Shutdown(ctx)
}

func logs(ctx context.Context) {
	defer log.Println(ctx, "done")
	select {
	case <-ctx.Done():
		log.Println(ctx.Err())
	}
}

// Before it has ended.
func before(ctx context.Context, server *http.Server, stop chan bool) error {
	select {
	case <-stop:
		return server.Shutdown(ctx)
	case <-ctx.Done():
		return ctx.Err()
	}
}

func inMemory(ctx context.Context, m map[string]int) {
	defer delete(m, "a")
	work(ctx)
}

func outerContext(parent context.Context) {
	ctx, cancel := context.WithCancel(parent)
	defer cancel()
	work(ctx)
}

func work(ctx context.Context) {}

func waitsThenEnds(server *http.Server) {
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	defer server.Shutdown(ctx) // want "ctx has ended when server.Shutdown runs"
	go func() { stop() }()
	<-ctx.Done()
}

func requests(w http.ResponseWriter, r *http.Request, l locker) {
	defer l.Unlock(r.Context(), "a") // want "when r.Context() is cancelled"
	w.Write(nil)
}

func afterCancel(server *http.Server) {
	ctx, cancel := context.WithCancel(context.Background())
	work(ctx)
	cancel()
	server.Shutdown(ctx) // want "ctx has ended here"
}

func afterError(ctx context.Context, server *http.Server) {
	if ctx.Err() != nil {
		server.Shutdown(ctx) // want "ctx has ended here"
	}
}

func afterGroup(ctx context.Context, client *redis.Client) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return nil })
	if err := g.Wait(); err != nil {
		client.Delete(ctx, "x") // want "ctx has ended here"
		return err
	}
	return nil
}

func (s *store) rows(ctx context.Context) {
	defer s.db.ExecContext(ctx, "delete from locks") // want "when ctx is cancelled, s.db.ExecContext"
	work(ctx)
}

func (s *store) deregister(ctx context.Context) { s.db.ExecContext(ctx, "x") }

func (s *store) loop(ctx context.Context, ticks chan int) {
	for {
		select {
		case <-ctx.Done():
			s.deregister(ctx) // want "ctx has ended here"
			return
		case <-ticks:
		}
	}
}
