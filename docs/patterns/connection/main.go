package main

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"
)

var (
	answer     = make(chan struct{})
	open       atomic.Int32
	background sync.WaitGroup
)

func dial() {
	<-answer // the network takes its time
	open.Add(1)
	fmt.Println("dialled")
}

func work(ctx context.Context) error {
	dialled := make(chan struct{}, 1)
	background.Go(func() { dial(); dialled <- struct{}{} })
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
	close(answer)
	background.Wait()
	fmt.Println("still open:", open.Load())
}
