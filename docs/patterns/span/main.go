package main

import (
	"errors"
	"fmt"
)

func load(name string) (err error) {
	defer func() { fmt.Println("span of", name, "ends, error:", err) }()
	switch name {
	case "missing":
		return errors.New("not found")
	case "corrupt":
		panic("corrupt")
	}
	return nil
}

func main() {
	defer func() { recover() }()
	load("good")
	load("missing")
	load("corrupt")
}
