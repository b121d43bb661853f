package main

import "fmt"

func parse(digits []int) (sum int, err error) {
	defer func() { fmt.Println("older cleanup sees:", err) }()
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("recovered: %v", p)
		}
	}()
	return digits[0] + digits[2], nil
}

func main() {
	sum, err := parse([]int{1, 2})
	fmt.Println(sum, err)
}
