package cases

import "database/sql"

func otherName(tx *sql.Tx, ids []int) error {
	var opErr error
	defer func() {
		if opErr != nil { // want "the deferred function asks opErr"
			tx.Rollback()
		}
	}()
	for _, id := range ids {
		_, err := tx.Exec("x", id)
		if err != nil {
			return err
		}
	}
	opErr = tx.Commit()
	return opErr
}

// Only the close is asked for.
func ofClose(tx *sql.Tx) error {
	var closeErr error
	defer func() {
		if closeErr != nil {
			println("close")
		}
	}()
	_, closeErr = tx.Exec("x")
	_, err := tx.Exec("y")
	return err
}

// A function within sets it.
func setWithin(tx *sql.Tx) error {
	_, opErr := tx.Exec("x")
	defer func() {
		if opErr != nil {
			tx.Rollback()
		}
	}()
	commit := func() error {
		opErr = tx.Commit()
		return opErr
	}
	if err := commit(); err != nil {
		return err
	}
	return opErr
}
