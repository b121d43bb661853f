// What cleanup costs in Go: the rows of the bench that have a counterpart.
//
// Prints what the program in main.rs prints: row, side, nanoseconds and allocations an operation.
package main

import (
	"fmt"
	"runtime"
	"sync"
	"time"
)

var counter uint64

//go:noinline
func call() { counter++ }

//go:noinline
func callOn(counter *uint64) { *counter++ }

//go:noinline
func callWith(one, two, three uint64) { counter += one + two + three }

//go:noinline
func one() { defer call() }

//go:noinline
func ten() {
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
	defer call()
}

//go:noinline
func tenOn(counter *uint64) {
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
	defer callOn(counter)
}

//go:noinline
func loop(count uint64) {
	for i := uint64(0); i < count; i++ {
		defer call()
	}
}

//go:noinline
func loopWith(count uint64) {
	for one := uint64(0); one < count; one++ {
		two, three := one+1, one+2
		defer func() { callWith(one, two, three) }()
	}
}

var mutex sync.Mutex

//go:noinline
func mutexByHand() {
	mutex.Lock()
	call()
	mutex.Unlock()
}

//go:noinline
func mutexByDefer() {
	mutex.Lock()
	defer mutex.Unlock()
	call()
}

//go:noinline
func work() uint64 {
	call()
	return 1
}

//go:noinline
func fail() uint64 {
	call()
	panic("on purpose")
}

//go:noinline
func recovered(body func() uint64) (value uint64) {
	defer func() {
		if recover() != nil {
			value = 0
		}
	}()
	return body()
}

//go:noinline
func spawnAndJoin() {
	var group sync.WaitGroup
	group.Add(1)
	go func() {
		defer group.Done()
		defer func() { recover() }()
		call()
	}()
	group.Wait()
}

func repeat(operation func()) func(uint64) {
	return func(times uint64) {
		for i := uint64(0); i < times; i++ {
			operation()
		}
	}
}

func took(run func(uint64), times uint64) time.Duration {
	begin := time.Now()
	run(times)
	return time.Since(begin)
}

// The least time of a few batches, as in timing.rs.
func leastNs(run func(uint64)) float64 {
	times := uint64(1)
	for took(run, times) < 500*time.Microsecond {
		times *= 2
	}
	least := 1e18
	for i := 0; i < 8; i++ {
		ns := float64(took(run, times).Nanoseconds()) / float64(times)
		least = min(least, ns)
	}
	return least
}

func allocations(run func(uint64)) float64 {
	const times = 2000
	run(times)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	run(times)
	runtime.ReadMemStats(&after)
	return float64(after.Mallocs-before.Mallocs) / times
}

func main() {
	of := new(uint64)
	rows := []struct {
		name string
		run  func(uint64)
	}{
		{"one deferred call", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				one()
			}
		}},
		{"ten in one function", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				ten()
			}
		}},
		{"ten in one function, one word captured", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				tenOn(of)
			}
		}},
		{"loop of 10", repeat(func() { loop(10) })},
		{"loop of 100", repeat(func() { loop(100) })},
		{"loop of 1000", repeat(func() { loop(1000) })},
		{"loop of 10, three words captured", repeat(func() { loopWith(10) })},
		{"loop of 100, three words captured", repeat(func() { loopWith(100) })},
		{"loop of 1000, three words captured", repeat(func() { loopWith(1000) })},
		{"mutex, released by hand", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				mutexByHand()
			}
		}},
		{"mutex, released by defer", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				mutexByDefer()
			}
		}},
		{"recover, no panic", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				recovered(work)
			}
		}},
		{"recover, with a panic", func(times uint64) {
			for i := uint64(0); i < times; i++ {
				recovered(fail)
			}
		}},
		{"spawn and join", repeat(spawnAndJoin)},
	}
	for _, row := range rows {
		fmt.Printf("%s\tGo\t%.3f\t%.3f\n", row.name, leastNs(row.run), allocations(row.run))
	}
}
