package main

import (
	"fmt"
	"os"
)

func main() {
	defer fmt.Println("never printed")
	os.Exit(3)
}
