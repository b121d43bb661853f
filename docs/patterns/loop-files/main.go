package main

import "fmt"

var open int

func main() {
	for i := 0; i < 3; i++ {
		open++
		defer func() { open-- }()
		fmt.Println("open:", open)
	}
}
