package cases

import (
	"database/sql"
	"errors"
	"fmt"
	"log"
	"os"
)

func shadowed(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // want "asks err of line 12, and not the error that is returned in line 22"
			tx.Rollback()
		}
	}()
	if _, err := tx.Exec("insert"); err != nil {
		return err
	}
	return nil
}

func made(db *sql.DB, n int) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // want "not the error that is returned in line 38"
			tx.Rollback()
		}
	}()
	if n < 0 {
		return errors.New("negative")
	}
	_, err = tx.Exec("insert")
	return err
}

func commits(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err == nil { // want "asks err"
			log.Println("stored")
		} else {
			tx.Rollback()
		}
	}()
	_, err = tx.Exec("insert")
	if err != nil {
		return err
	}
	return tx.Commit()
}

func lostClose(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		err = file.Close() // want "err is no named result of lostClose"
	}()
	_, err = file.WriteString("x")
	return err
}

func lostPanic() error {
	var err error
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("panic: %v", r) // want "err is no named result of lostPanic"
		}
	}()
	work()
	return err
}

func lostValue() (int, error) {
	count := 0
	defer func() {
		count = 7 // want "count is no named result"
	}()
	return count, nil
}

func hidden(file *os.File) (err error) {
	defer func() {
		if err := file.Close(); err != nil {
			err = fmt.Errorf("close: %w", err) // want "err is declared anew in the deferred function"
		}
	}()
	return work()
}

// The result has a name: every return sets it.
func named(db *sql.DB) (err error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
		}
	}()
	if _, err := tx.Exec("insert"); err != nil {
		return err
	}
	return tx.Commit()
}

func joins(file *os.File) (err error) {
	defer func() {
		err = errors.Join(err, file.Close())
	}()
	return work()
}

// Its own error, handled here.
func handles(file *os.File) error {
	var err error
	defer func() {
		err = file.Close()
		if err != nil {
			log.Println(err)
		}
	}()
	return work()
}

// Every return gives out the error that is asked.
func same(db *sql.DB) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			tx.Rollback()
		}
	}()
	_, err = tx.Exec("insert")
	if err != nil {
		return fmt.Errorf("insert: %w", err)
	}
	err = tx.Commit()
	if err != nil {
		return errors.New("commit failed")
	}
	return err
}

// What is set is read by the one that waits for it.
func outer() error {
	var err error
	done := make(chan bool)
	go func() {
		defer close(done)
		defer func() {
			if r := recover(); r != nil {
				err = fmt.Errorf("%v", r)
			}
		}()
		work()
	}()
	<-done
	return err
}

// A flag of the function's own.
func flag(tx *sql.Tx) error {
	committed := false
	defer func() {
		if !committed {
			tx.Rollback()
		}
	}()
	if err := work(); err != nil {
		return err
	}
	committed = true
	return tx.Commit()
}

func noResult(file *os.File) {
	var err error
	defer func() {
		err = file.Close()
	}()
	work()
}

func work() error { return nil }

func byAddress(tx *sql.Tx) error {
	var err error
	defer finish(tx, &err) // want "and not the error that is returned"
	if err := work(); err != nil {
		return err
	}
	_, err = tx.Exec("insert")
	return err
}

func otherName(db *sql.DB) (failed error) {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	defer func() {
		if err != nil { // want "and not the error that is returned"
			tx.Rollback()
		}
	}()
	if _, err := tx.Exec("insert"); err != nil {
		return err
	}
	return nil
}

func resultByAddress(tx *sql.Tx) (err error) {
	defer finish(tx, &err)
	if err := work(); err != nil {
		return err
	}
	return nil
}

func finish(tx *sql.Tx, err *error) {}
