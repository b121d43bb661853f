package cases

import (
	"context"
	"errors"
	"time"
)

func load() int { return 1 }

func timesOut(ctx context.Context) (int, error) {
	result := make(chan int)
	go func() {
		result <- load() // want "waits for ever where timesOut returns without a receive from result"
	}()
	select {
	case value := <-result:
		return value, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

func early(fail bool) error {
	errs := make(chan error)
	go func() { errs <- errors.New("x") }() // want "this send waits for ever"
	if fail {
		return errors.New("not asked")
	}
	return <-errs
}

func timer() int {
	c := make(chan int)
	go func() {
		time.Sleep(time.Second)
		c <- load() // want "without a receive from c"
	}()
	select {
	case v := <-c:
		return v
	case <-time.After(time.Millisecond):
	}
	return 0
}

func buffered(ctx context.Context) int {
	result := make(chan int, 1)
	go func() { result <- load() }()
	select {
	case value := <-result:
		return value
	case <-ctx.Done():
		return 0
	}
}

func always() int {
	result := make(chan int)
	go func() { result <- load() }()
	return <-result
}

// The send has another way out.
func gives(ctx context.Context) int {
	result := make(chan int)
	go func() {
		select {
		case result <- load():
		case <-ctx.Done():
		}
	}()
	select {
	case value := <-result:
		return value
	case <-ctx.Done():
		return 0
	}
}

// Somebody else receives.
func returned() <-chan int {
	result := make(chan int)
	go func() { result <- load() }()
	return result
}

func handed() {
	result := make(chan int)
	go func() { result <- load() }()
	consume(result)
}

func consume(c chan int) { <-c }

func ranged() (sum int) {
	c := make(chan int)
	go func() {
		defer close(c)
		c <- 1
	}()
	for v := range c {
		sum += v
	}
	return sum
}

func first(parts []int) error {
	failed := make(chan error)
	for range parts {
		go func() { failed <- work() }() // want "this send waits for ever"
	}
	for range parts {
		if err := <-failed; err != nil {
			return err
		}
	}
	return nil
}

func every(parts []int) (last error) {
	failed := make(chan error)
	for range parts {
		go func() { failed <- work() }()
	}
	for range parts {
		if err := <-failed; err != nil {
			last = err
		}
	}
	return last
}

func work() error { return nil }

func fastest() error {
	failed := make(chan error)
	go func() { failed <- work() }() // want "this send waits for ever"
	go func() { failed <- work() }() // want "this send waits for ever"
	return <-failed
}

func both() error {
	failed := make(chan error)
	go func() { failed <- work() }()
	go func() { failed <- work() }()
	if err := <-failed; err != nil {
		<-failed
		return err
	}
	return <-failed
}

func relayed() error {
	failed := make(chan error)
	go func() { failed <- work() }()
	go func() { <-failed }()
	return <-failed
}
