package cases

import (
	"context"
	"database/sql"
	"net/http"
	"time"
)

func shutsDown(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	ending, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	return server.Shutdown(ending) // want "ending has ended here"
}

func ofItsOwn(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	ending, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

func withoutCancel(ctx context.Context, server *http.Server) error {
	<-ctx.Done()
	kept := context.WithoutCancel(ctx)
	ending, cancel := context.WithTimeout(kept, 5*time.Second)
	defer cancel()
	return server.Shutdown(ending)
}

func marks(w http.ResponseWriter, r *http.Request, db *sql.DB) {
	ctx := r.Context()
	defer db.ExecContext(ctx, "UPDATE jobs SET state = 'released' WHERE id = 1") // want "runs under the context that ended"
	w.Write(nil)
}
