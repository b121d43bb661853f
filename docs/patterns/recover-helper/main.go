package main

import "fmt"

func handle() {
	if p := recover(); p != nil {
		fmt.Println("recovered:", p)
	}
}

func direct() {
	defer handle()
	panic("first")
}

func indirect() {
	defer func() { handle() }() // one call too deep: recover returns nil
	panic("second")
}

func main() {
	direct()
	indirect()
}
