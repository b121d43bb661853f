package main

import (
	"io"
	"runtime"
	"sync"
)

// More shapes that block in cleanup: what the compiler and the runtime do with each differs.
var moreInCleanup = []func(){
	manyDefers, conditional, linesOfReturn, returnOfACall, bareReturn, throughAnInterface, promoted,
	generic, methodValue, literalWithArguments, helperOfALiteral, afterRecover, goexit, returnedLiteral,
	rangeOverFunction, once, lockedTwice, secondPanic, returnInALoop, literalOnALine, recursive,
	deferInALiteral, valueReceiver, linesOfADefer, genericMethod, afterRecoverOfACall, recoverInALoop,
	recoverInASwitch,
}

// More that block elsewhere, as near to a deferred call as can be.
var moreInBody = []func(){
	argumentOfADefer, lineWithTheSameName, bodyOfOneLine, startedByADefer, literalInAReturn,
	lastStatement,
}

func manyDefers() {
	c := &conn{never}
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer runtime.Gosched()
	defer c.Close() // manyDefers
}

func conditional() {
	c := &conn{never}
	for i := range 3 {
		if i == 1 {
			defer c.Close() // conditional
		}
	}
	switch {
	case c.done == never:
		return
	}
	runtime.Gosched()
}

func linesOfReturn() { made() }

func made() *conn {
	defer (&conn{never}).Close() // linesOfReturn
	return &conn{
		done: make(
			chan int,
		),
	}
}

func returnOfACall() { wrapped() }

func wrapped() error {
	c := &conn{never}
	defer c.Close() // returnOfACall
	return keep2(failed)
}

//go:noinline
func keep2(err error) error { return err }

func bareReturn() { named() }

func named() (err error) {
	c := &conn{never}
	defer c.Close() // bareReturn
	if err = keep2(nil); err == nil {
		return
	}
	return
}

func throughAnInterface() {
	var c io.Closer = &conn{never}
	defer c.Close() // throughAnInterface
	runtime.Gosched()
}

type session struct{ *conn }

func promoted() {
	s := session{&conn{never}}
	defer s.Close() // promoted
	runtime.Gosched()
}

func generic() { closing(&conn{never}) }

func closing[T io.Closer](c T) {
	defer c.Close() // generic
	runtime.Gosched()
}

type pool[T any] struct{ items chan T }

func (p *pool[T]) drain() { <-p.items }

func genericMethod() {
	p := &pool[int]{never}
	defer p.drain() // genericMethod
	runtime.Gosched()
}

func methodValue() {
	f := (&conn{never}).Close
	defer f() // methodValue
	runtime.Gosched()
}

func literalWithArguments() {
	defer func(c *conn) { // literalWithArguments
		c.Close()
	}(&conn{never})
	runtime.Gosched()
}

func helperOfALiteral() {
	defer func() { // helperOfALiteral
		helper()
	}()
	runtime.Gosched()
}

//go:noinline
func helper() {
	c := &conn{never}
	c.Close()
}

func afterRecover() {
	c := &conn{never}
	defer c.Close() // afterRecover
	defer func() { recover() }()
	panic("recovered")
}

func afterRecoverOfACall() { rescued() }

func rescued() error {
	c := &conn{never}
	defer c.Close() // afterRecoverOfACall
	defer func() { recover() }()
	panics()
	return keep2(nil)
}

//go:noinline
func panics() { panic("recovered") }

func recoverInALoop() {
	c := &conn{never}
	defer c.Close() // recoverInALoop
	defer func() { recover() }()
	for {
		panics()
	}
}

func recoverInASwitch() { chosen(3) }

func chosen(n int) error {
	c := &conn{never}
	defer c.Close() // recoverInASwitch
	defer func() { recover() }()
	switch n {
	case 1:
		return keep2(failed)
	case 2:
		return keep2(nil)
	default:
		helped(
			n)
		panic("unreachable")
	}
}

//go:noinline
func helped(n int) { panics() }

func goexit() {
	c := &conn{never}
	defer c.Close() // goexit
	runtime.Goexit()
}

func returnedLiteral() {
	defer started2()() // returnedLiteral
	runtime.Gosched()
}

//go:noinline
func started2() func() {
	return func() { <-never }
}

func rangeOverFunction() {
	c := &conn{never}
	for range three {
		defer c.Close() // rangeOverFunction
	}
}

func three(yield func(int) bool) {
	for i := range 3 {
		if !yield(i) {
			return
		}
	}
}

func once() {
	var once sync.Once
	defer once.Do(func() { <-never }) // once
	runtime.Gosched()
}

func lockedTwice() {
	var mu sync.Mutex
	mu.Lock()
	defer mu.Lock() // lockedTwice
}

func secondPanic() {
	c := &conn{never}
	defer c.Close() // secondPanic
	defer func() { panic("second") }()
	panic("first")
}

func returnInALoop() {
	c := &conn{never}
	defer c.Close() // returnInALoop
	for {
		select {
		default:
			return
		}
	}
}

func literalOnALine() {
	c := &conn{never}
	func() { defer c.Close() }() // literalOnALine
	runtime.Gosched()
}

func recursive() { down(3) }

func down(n int) {
	c := &conn{never}
	if n > 0 {
		down(n - 1)
		return
	}
	defer c.Close() // recursive
}

func deferInALiteral() {
	run := func(c *conn) error {
		defer c.Close() // deferInALiteral
		return keep2(nil)
	}
	if err := run(&conn{never}); err != nil {
		return
	}
}

type handle struct{ c *conn }

func (h handle) Close() { h.c.Close() }

func valueReceiver() {
	h := &handle{&conn{never}}
	defer h.Close() // valueReceiver
	runtime.Gosched()
}

func linesOfADefer() {
	defer flush2( // linesOfADefer
		&conn{make(chan int)},
		1,
	)
	runtime.Gosched()
}

//go:noinline
func flush2(c *conn, n int) { c.done <- n }

func argumentOfADefer() {
	defer release(acquire())
}

//go:noinline
func acquire() int { return <-never }

func release(int) {}

var one, other = &conn{never}, &conn{never}

func lineWithTheSameName() { defer one.Close(); other.Close() }

func bodyOfOneLine() { defer runtime.Gosched(); helper() }

func startedByADefer() {
	defer func() {
		go func() { <-never }()
	}()
}

func literalInAReturn() { value() }

func value() int {
	defer runtime.Gosched()
	return func() int { return <-never }()
}

func lastStatement() {
	defer runtime.Gosched()
	helper()
}
