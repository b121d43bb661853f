package main

import (
	"errors"
	"fmt"
)

type Transaction struct{ done bool }

func (t *Transaction) Commit() error {
	t.done = true
	fmt.Println("commit")
	return nil
}

func (t *Transaction) Rollback() {
	if !t.done {
		fmt.Println("rollback")
	}
}

func transfer(funds int) error {
	transaction := &Transaction{}
	defer transaction.Rollback() // does nothing after a commit
	if funds < 10 {
		return errors.New("no funds")
	}
	return transaction.Commit() // easily forgotten on one of the ways out
}

func main() {
	fmt.Println(transfer(50))
	fmt.Println(transfer(5))
}
