package cases

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
)

type queryer interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
}

func inLoop(db *sql.DB) ([]int, error) {
	rows, err := db.Query("select 1") // want "the rows in rows are not closed when the function leaves at line 24"
	if err != nil {
		return nil, err
	}
	var all []int
	for rows.Next() {
		var one int
		if err := rows.Scan(&one); err != nil {
			return nil, err
		}
		all = append(all, one)
	}
	rows.Close()
	return all, rows.Err()
}

func first(ctx context.Context, db queryer) (name string, err error) {
	rows, err := db.QueryContext(ctx, "select name") // want "the rows in rows are not closed when"
	if err != nil {
		return "", err
	}
	if rows.Next() {
		err = rows.Scan(&name)
	}
	return name, err
}

func named(db *sqlx.DB, arg any) error {
	rows, err := db.NamedQuery("select :a", arg) // want "the rows in rows are never closed"
	if err != nil {
		return err
	}
	return rows.Err()
}

func dropped(db *sql.DB) error {
	_, err := db.Query("delete from t") // want "the rows of sql.DB.Query are dropped here"
	return err
}

func stopped(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "select 1") // want "the rows in rows are not closed when"
	if err != nil {
		return err
	}
	for rows.Next() {
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return rows.Err()
}

func onlyByReading(db *sql.DB) (count int, err error) {
	rows, err := db.Query("select 1") // want low "the rows in rows are closed only by reading the last one"
	if err != nil {
		return 0, err
	}
	for rows.Next() {
		count++
	}
	return count, rows.Err()
}

func notAsked(db *sql.DB) (count int, err error) {
	rows, err := db.Query("select 1") // want low "rows.Err() is never asked"
	if err != nil {
		return 0, err
	}
	defer rows.Close()
	for rows.Next() {
		count++
	}
	return count, nil
}
