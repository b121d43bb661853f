package main

import (
	"fmt"
	"os"
)

func main() {
	file, err := os.Open("no such file")
	defer func() { fmt.Println("close:", file.Close()) }()
	fmt.Println("nil:", file == nil)
	fmt.Println("open:", err)
}
