package main

import (
	"errors"
	"fmt"
)

func work() error {
	defer fmt.Println("first cleanup")
	if err := errors.New("not found"); err != nil {
		return err
	}
	defer fmt.Println("never registered")
	return nil
}

func main() {
	fmt.Println("result:", work())
}
