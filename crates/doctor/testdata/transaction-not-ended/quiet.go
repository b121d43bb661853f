package cases

import (
	"context"
	"database/sql"
	"errors"

	"example.com/helpers"
	"gorm.io/gorm"
)

func deferred(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer tx.Rollback()
	if _, err := tx.Exec("update a"); err != nil {
		return err
	}
	return tx.Commit()
}

func byError(db *sql.DB) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
			return
		}
		err = tx.Commit()
	}()
	_, err = tx.Exec("update a")
	return err
}

func ended(ctx context.Context, db *sql.DB) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer helpers.RollbackUnlessCommitted(tx)
	return tx.Commit()
}

func finish(tx *sql.Tx, err error) error {
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func byHelper(db *sql.DB) error {
	tx, err := db.Begin() // want low "a panic before its end"
	if err != nil {
		return err
	}
	defer func() { recover() }()
	_, err = tx.Exec("update a")
	return finish(tx, err)
}

type unit struct{ tx *sql.Tx }

func kept(db *sql.DB) (*unit, error) {
	tx, err := db.Begin()
	if err != nil {
		return nil, err
	}
	return &unit{tx: tx}, nil
}

func returned(db *sql.DB) (*sql.Tx, error) {
	return db.Begin()
}

func within(db *gorm.DB, order any) error {
	return db.Transaction(func(tx *gorm.DB) error {
		return tx.Create(order).Error
	})
}

func ofGorm(db *gorm.DB, order any) error {
	tx := db.Begin()
	if tx.Error != nil {
		return tx.Error
	}
	defer tx.Rollback()
	if err := tx.Create(order).Error; err != nil {
		return err
	}
	return tx.Commit().Error
}

func onPanicAndError(db *sql.DB) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if r := recover(); r != nil {
			tx.Rollback()
			panic(r)
		} else if err != nil {
			tx.Rollback()
		} else {
			err = tx.Commit()
		}
	}()
	return update(tx)
}

type journal struct{ begun int }

func (j *journal) run(begin interface{ Begin() (int, error) }) (int, error) {
	begun, err := begin.Begin()
	if err != nil {
		return 0, err
	}
	j.begun = begun
	return begun, nil
}

func within5Seconds(end func() error) error { return end() }

func rollback(tx *sql.Tx) error { return within5Seconds(tx.Rollback) }

func byMethodValue(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer rollback(tx)
	return tx.Commit()
}
