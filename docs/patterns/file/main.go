package main

import (
	"bufio"
	"errors"
	"fmt"
	"os"
)

func usual() error {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	writer := bufio.NewWriter(file)
	defer writer.Flush() // its error is lost
	_, err = writer.WriteString("hello")
	return err
}

func careful() (err error) {
	file, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	writer := bufio.NewWriter(file)
	defer func() { err = errors.Join(err, writer.Flush()) }()
	_, err = writer.WriteString("hello")
	return err
}

func main() {
	fmt.Println("usual:", usual())
	fmt.Println("careful:", careful())
}
