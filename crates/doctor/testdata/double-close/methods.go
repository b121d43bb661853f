package cases

import (
	"context"
	"sync"
)

type ticking struct {
	ending chan struct{}
	again chan struct{}
	once  sync.Once
	group sync.WaitGroup
}

func newTicking() *ticking { return &ticking{ending: make(chan struct{})} }

func (t *ticking) stop() {
	close(t.ending)
	t.group.Wait()
}

func (t *ticking) run(ctx context.Context) {
	defer t.stop()
	<-ctx.Done()
	t.stop() // want "t.ending is closed here and again by the defer"
}

func (t *ticking) runOnce(ctx context.Context) {
	<-ctx.Done()
	t.stop()
}

func (t *ticking) end() {
	t.once.Do(func() { close(t.ending) })
}

func (t *ticking) runTwice(ctx context.Context) {
	defer t.end()
	<-ctx.Done()
	t.end()
}

func (t *ticking) start() { t.again = make(chan struct{}) }

func (t *ticking) halt() { close(t.again) }

func (t *ticking) turns() {
	t.start()
	t.halt()
	t.start()
	t.halt()
}

func each(count int) {
	for range count {
		one := newTicking()
		one.stop()
	}
}
