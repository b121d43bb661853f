package cases

import (
	"context"
	"database/sql"

	"github.com/jackc/pgx/v5"
	"github.com/jmoiron/sqlx"
)

func deferred(db *sql.DB) error {
	rows, err := db.Query("select 1")
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := rows.Scan(); err != nil {
			return err
		}
	}
	return rows.Err()
}

// rowserrcheck#32: whoever calls closes and asks.
func returned(db *sql.DB) (*sql.Rows, error) {
	rows, err := db.Query("select 1")
	if err != nil {
		return nil, err
	}
	return rows, nil
}

func collected(ctx context.Context, conn *pgx.Conn) error {
	rows, err := conn.Query(ctx, "select 1")
	if err != nil {
		return err
	}
	_, err = pgx.CollectRows(rows, nil)
	return err
}

func scanned(db *sqlx.DB, into any) error {
	rows, err := db.Queryx("select 1")
	if err != nil {
		return err
	}
	return sqlx.StructScan(rows, into)
}

func scanAll(rows *sql.Rows) error {
	defer rows.Close()
	return rows.Err()
}

func byHelper(db *sql.DB) error {
	rows, err := db.Query("select 1")
	if err != nil {
		return err
	}
	return scanAll(rows)
}

func one(db *sql.DB) (name string, err error) {
	err = db.QueryRow("select name").Scan(&name)
	return name, err
}

type cursor struct{ rows *sql.Rows }

func kept(db *sql.DB) (*cursor, error) {
	rows, err := db.Query("select 1")
	if err != nil {
		return nil, err
	}
	return &cursor{rows: rows}, nil
}

func closedOnBoth(db *sql.DB) error {
	rows, err := db.Query("select 1")
	if err != nil {
		return err
	}
	for rows.Next() {
		if err := rows.Scan(); err != nil {
			rows.Close()
			return err
		}
	}
	if err := rows.Err(); err != nil {
		rows.Close()
		return err
	}
	return rows.Close()
}
