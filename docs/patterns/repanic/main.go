package main

import "fmt"

func main() {
	defer func() {
		p := recover()
		fmt.Println("seen:", p)
		panic(p)
	}()
	panic("boom")
}
