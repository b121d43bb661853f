package main

import "sync"

const waiters = 20

type account struct {
	mu      sync.Mutex
	answers chan int
}

// deposit holds the lock for as long as nobody answers.
func (a *account) deposit() {
	a.mu.Lock()
	defer a.mu.Unlock()
	<-a.answers
}

func (a *account) balance() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return 0
}

// audit has given the lock back by the time that it waits.
func (a *account) audit() {
	a.mu.Lock()
	a.mu.Unlock()
	<-a.answers
}

func startLocks() {
	a := &account{answers: make(chan int)}
	go a.deposit()
	settle(1)
	for i := 0; i < waiters; i++ {
		go a.balance()
	}
	settle(1 + waiters)
	b := &account{answers: make(chan int)}
	go b.audit()
	settle(2 + waiters)
}
