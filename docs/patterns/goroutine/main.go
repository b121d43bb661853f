package main

import "fmt"

func main() {
	started := make(chan struct{})
	go func() {
		defer fmt.Println("worker closed")
		close(started)
		select {} // works until the process ends
	}()
	<-started
	fmt.Println("main returns")
}
