package main

import (
	"fmt"
	"sync"
)

var (
	mutex   sync.Mutex
	balance = 100
	spent   = 0
)

func pay(amount int) {
	defer func() { fmt.Println("recovered:", recover()) }()
	mutex.Lock()
	defer mutex.Unlock()
	balance -= amount
	if amount > 50 {
		panic("over the limit")
	}
	spent += amount
}

func main() {
	pay(80)
	mutex.Lock()
	fmt.Println("balance and spent:", balance, spent)
}
