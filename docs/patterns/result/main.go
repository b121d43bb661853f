package main

import "fmt"

func named() (n int) {
	defer func() { n *= 2 }()
	return 21
}

func unnamed() int {
	n := 21
	defer func() { n *= 2 }()
	return n
}

func main() {
	fmt.Println(named(), unnamed())
}
