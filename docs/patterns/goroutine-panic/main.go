package main

import "fmt"

func main() {
	defer fmt.Println("parent's cleanup")
	defer func() { fmt.Println("recovered:", recover()) }()
	done := make(chan struct{})
	go func() {
		defer fmt.Println("child's cleanup")
		panic("child")
	}()
	<-done
}
