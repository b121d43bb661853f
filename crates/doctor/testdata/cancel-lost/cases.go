package cases

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"time"
)

func dropped(ctx context.Context) error {
	ctx, _ = context.WithTimeout(ctx, time.Second) // want "the cancel function of context.WithTimeout is dropped"
	return work(ctx)
}

func onePath(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx) // want "cancel of context.WithCancel is not called when the function leaves at line 19"
	if ctx.Err() != nil {
		return errors.New("too late")
	}
	defer cancel()
	return work(ctx)
}

func inLoop(ctx context.Context) {
	for {
		tried, cancel := context.WithTimeout(ctx, time.Second) // want "cancel of context.WithTimeout is not called before line 27 makes the next one"
		if err := work(tried); err != nil {
			continue
		}
		cancel()
		return
	}
}

func replaced(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx) // want "cancel of context.WithCancel is not called before line 38 makes"
	ctx, cancel = context.WithTimeout(ctx, time.Second)
	defer cancel()
	return work(ctx)
}

func signalled(ctx context.Context) error {
	ctx, stop := signal.NotifyContext(ctx, os.Interrupt) // want "stop of signal.NotifyContext is not called when"
	err := work(ctx)
	if err == nil {
		stop()
	}
	return err
}

func silenced(ctx context.Context) error {
	ctx, cancel := context.WithDeadline(ctx, time.Now()) // want low "cancel of context.WithDeadline is never called"
	_ = cancel
	return work(ctx)
}

func declared(ctx context.Context) error {
	var inner, cancel = context.WithCancelCause(ctx) // want "cancel of context.WithCancelCause is not called when"
	if err := work(inner); err != nil {
		return err
	}
	cancel(nil)
	return nil
}

func work(ctx context.Context) error { return ctx.Err() }
