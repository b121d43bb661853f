package cases

import (
	"context"
	"sync"
)

type cleanup func()

type tracer struct{}

func trace(name string) func() { return func() {} }

func setup() (func(), error) { return func() {}, nil }

func named() cleanup { return func() {} }

func ends() func(error) { return func(error) {} }

func (t *tracer) span(name string) func() { return func() {} }

func forgets() {
	defer trace("forgets") // want "drops the function that it returns"
}

func forgetsSecond() {
	defer setup() // want "drops the function"
}

func forgetsNamed() {
	defer named() // want "drops the function"
}

func forgetsMethod(t *tracer) {
	defer t.span("x") // want "defer calls t.span when forgetsMethod ends"
}

func forgetsLocal() {
	start := func() func() { return func() {} }
	defer start() // want "drops the function"
}

func forgetsArgument() {
	defer ends() // want "drops the function"
}

func forgetsLiteral(mu *sync.Mutex) {
	defer func() func() { // want "drops the function"
		mu.Lock()
		return mu.Unlock
	}()
}

// Called with a second pair of parentheses.
func calls(t *tracer) {
	defer trace("calls")()
	defer t.span("x")()
	defer ends()(nil)
}

func cancels(ctx context.Context) {
	_, cancel := context.WithCancel(ctx)
	defer cancel()
}

func variable() {
	done := trace("variable")
	defer done()
}

func plain() int { return 1 }

func other(mu *sync.Mutex) {
	defer plain()
	defer mu.Unlock()
	defer func() {
		trace("other")()
	}()
}
