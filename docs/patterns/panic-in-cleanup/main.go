package main

import "fmt"

func work() {
	defer fmt.Println("oldest cleanup")
	defer func() { panic("second") }()
	panic("first")
}

func main() {
	defer func() { fmt.Println("recovered:", recover()) }()
	work()
}
