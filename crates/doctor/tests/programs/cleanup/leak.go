package main

const leaks = 7

// fetch returns before its answer: nobody is left to receive.
func fetch() {
	answers := make(chan int)
	go func() {
		answers <- 1
	}()
}

func startLeaks() {
	for i := 0; i < leaks; i++ {
		fetch()
	}
	settle(leaks)
}
