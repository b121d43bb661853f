package main

import (
	"errors"
	"fmt"
)

type Part string

func open(name string, broken bool) (Part, error) {
	if broken {
		return "", errors.New(name + " is broken")
	}
	return Part(name), nil
}

func (p Part) Close() { fmt.Println(p, "closed") }

func connect(broken bool) (wire Part, err error) {
	wire, err = open("wire", false)
	if err != nil {
		return
	}
	defer func() {
		if err != nil {
			wire.Close()
		}
	}()
	_, err = open("session", broken)
	return
}

func main() {
	fmt.Println(connect(false))
	_, err := connect(true)
	fmt.Println(err)
}
