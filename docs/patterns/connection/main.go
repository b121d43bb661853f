package main

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"
)

var open atomic.Int32

func dial() {
	time.Sleep(50 * time.Millisecond)
	open.Add(1)
}

func work(ctx context.Context) error {
	dialled := make(chan struct{}, 1)
	go func() { dial(); dialled <- struct{}{} }()
	select {
	case <-dialled:
		defer open.Add(-1)
		return nil
	case <-ctx.Done():
		return ctx.Err() // who closes the connection that comes later?
	}
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println("work:", work(ctx))
	for deadline := time.Now().Add(5 * time.Second); open.Load() == 0 && time.Now().Before(deadline); {
		time.Sleep(time.Millisecond)
	}
	fmt.Println("still open:", open.Load())
}
