package main

import (
	"context"
	"fmt"
	"time"
)

func unlock(ctx context.Context) {
	if err := ctx.Err(); err != nil {
		fmt.Println("not unlocked:", err) // what every client library does
		return
	}
	fmt.Println("unlocked")
}

func work(ctx context.Context) error {
	fmt.Println("locked")
	defer unlock(ctx)
	<-ctx.Done() // work that takes too long
	return ctx.Err()
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	fmt.Println("work:", work(ctx))
}
