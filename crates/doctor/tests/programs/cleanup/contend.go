package main

import (
	"runtime"
	"sync"
)

// contend makes goroutines wait for each other, one of them in its cleanup.
func contend() {
	runtime.SetMutexProfileFraction(1)
	runtime.SetBlockProfileRate(1)
	var mu sync.Mutex
	answers := make(chan int)
	mu.Lock()
	var done sync.WaitGroup
	done.Add(2)
	go func() {
		defer done.Done()
		locks(&mu)
	}()
	go func() {
		defer done.Done()
		awaits(answers)
	}()
	settle(2)
	mu.Unlock()
	answers <- 1
	done.Wait()
}

func locks(mu *sync.Mutex) {
	mu.Lock()
	mu.Unlock()
}

func awaits(answers chan int) {
	defer receive(answers)
	runtime.Gosched()
}

//go:noinline
func receive(answers chan int) { <-answers }
