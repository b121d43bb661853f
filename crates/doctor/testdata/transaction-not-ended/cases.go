package cases

import (
	"context"
	"database/sql"

	"example.com/queries"
	"github.com/jackc/pgx/v5/pgxpool"
	"gorm.io/gorm"
)

func errorPath(db *sql.DB) error {
	tx, err := db.Begin() // want "the transaction in tx is not committed or rolled back when the function leaves at line 18"
	if err != nil {
		return err
	}
	if _, err := tx.Exec("update a"); err != nil {
		return err
	}
	return tx.Commit()
}

func never(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil) // want "the transaction in tx is never committed or rolled back"
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, "update a")
	return err
}

func pooled(ctx context.Context, pool *pgxpool.Pool, wanted bool) error {
	tx, err := pool.Begin(ctx) // want "the transaction in tx is not committed"
	if err != nil {
		return err
	}
	if !wanted {
		return nil
	}
	return tx.Commit(ctx)
}

func ofGorm(db *gorm.DB, order any) error {
	tx := db.Begin() // want "the transaction in tx is not committed"
	if tx.Error != nil {
		return tx.Error
	}
	if err := tx.Create(order).Error; err != nil {
		return err
	}
	return tx.Commit().Error
}

// A transaction is lent to whom it is given to.
func lent(ctx context.Context, db *sql.DB, q *queries.Queries) error {
	tx, err := db.BeginTx(ctx, nil) // want "the transaction in tx is not committed"
	if err != nil {
		return err
	}
	inner := q.WithTx(tx)
	if err := inner.Insert(ctx); err != nil {
		return err
	}
	return tx.Commit()
}

func update(tx *sql.Tx) error {
	_, err := tx.Exec("update a")
	return err
}

func lentWithin(db *sql.DB) error {
	tx, err := db.Begin() // want "the transaction in tx is not committed"
	if err != nil {
		return err
	}
	if err := update(tx); err != nil {
		return err
	}
	return tx.Commit()
}

func panics(db *sql.DB) error {
	tx, err := db.Begin() // want low "a panic before its end leaves the transaction in tx open"
	if err != nil {
		return err
	}
	if err := update(tx); err != nil {
		tx.Rollback()
		return err
	}
	return tx.Commit()
}

// Rolled back when it panics, and only then.
func onlyOnPanic(db *sql.DB) error {
	tx, err := db.Begin() // want "the transaction in tx is not committed or rolled back when"
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			tx.Rollback()
			panic(r)
		}
	}()
	if err := update(tx); err != nil {
		return err
	}
	return tx.Commit()
}

type database interface {
	BeginTx(ctx context.Context) (transaction, error)
}

type transaction interface {
	Exec(query string) error
	Commit() error
	Rollback() error
}

func ofItsOwnType(ctx context.Context, db database) error {
	tx, err := db.BeginTx(ctx) // want "the transaction in tx is not committed or rolled back when"
	if err != nil {
		return err
	}
	if err := tx.Exec("update a"); err != nil {
		return err
	}
	return tx.Commit()
}
