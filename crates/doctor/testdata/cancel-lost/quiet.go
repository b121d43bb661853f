package cases

import (
	"context"
	"testing"
	"time"
)

type server struct {
	ctx    context.Context
	cancel context.CancelFunc
}

func deferred(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	return work(ctx)
}

func returned(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeout(ctx, time.Second)
}

func returnedLater(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithCancel(ctx)
	return ctx, func() {
		cancel()
	}
}

func (s *server) field(ctx context.Context) {
	s.ctx, s.cancel = context.WithCancel(ctx)
}

func kept(ctx context.Context) *server {
	ctx, cancel := context.WithCancel(ctx)
	return &server{ctx: ctx, cancel: cancel}
}

func cleaned(t *testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(cancel)
	return ctx
}

func after(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	time.AfterFunc(time.Second, cancel)
	return work(ctx)
}

func goroutine(ctx context.Context, done chan struct{}) context.Context {
	ctx, cancel := context.WithCancel(ctx)
	go func() {
		<-done
		cancel()
	}()
	return ctx
}

func optional(ctx context.Context, timeout time.Duration) error {
	cancel := func() {}
	if timeout > 0 {
		ctx, cancel = context.WithTimeout(ctx, timeout)
	}
	defer cancel()
	return work(ctx)
}

func eachTurn(ctx context.Context) error {
	for {
		tried, cancel := context.WithTimeout(ctx, time.Second)
		err := work(tried)
		cancel()
		if err == nil {
			return nil
		}
	}
}

func before(ctx context.Context) error {
	var cancel context.CancelFunc
	defer func() { cancel() }()
	ctx, cancel = context.WithCancel(ctx)
	return work(ctx)
}

func value(ctx context.Context) context.Context {
	ctx, _ = context.WithValue(ctx, "a", 1), 0
	return ctx
}
