package main

import (
	"bytes"
	"errors"
	"runtime"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"time"
)

// Each shape blocks this many goroutines.
const each = 5

var (
	never  = make(chan int)
	failed = errors.New("failed")
)

type conn struct{ done chan int }

func (c *conn) Close() error {
	<-c.done
	return nil
}

func (c *conn) flush(n int) { c.done <- n }

// In cleanup: 10 shapes.
var inCleanup = []func(){
	literalAtTheEnd, methodAtTheEnd, methodOnReturn, withArguments, oneLine, underPanic,
	waitGroup, sleeping, nested, cancelled,
}

// Blocked, and not in cleanup.
var inBody = []func(){receiving, behindCleanup, closingBeforeReturn, returningTheCall}

func literalAtTheEnd() {
	defer func() { // literalAtTheEnd
		<-never
	}()
	runtime.Gosched()
}

func methodAtTheEnd() {
	c := &conn{never}
	defer c.Close() // methodAtTheEnd
	runtime.Gosched()
}

func methodOnReturn() {
	if err := onReturn(&conn{never}); err != nil {
		panic(err)
	}
}

func onReturn(c *conn) error {
	defer c.Close() // methodOnReturn
	if c.done == nil {
		return failed
	}
	runtime.Gosched()
	return nil
}

func withArguments() {
	c := &conn{make(chan int)}
	defer c.flush(3) // withArguments
	runtime.Gosched()
}

func oneLine() { defer (&conn{never}).Close(); runtime.Gosched() } // oneLine

func underPanic() {
	defer func() { recover() }()
	c := &conn{never}
	defer c.Close() // underPanic
	var none *sync.Mutex
	none.Lock()
}

func waitGroup() {
	var group sync.WaitGroup
	group.Add(1)
	defer group.Wait() // waitGroup
	runtime.Gosched()
}

func sleeping() {
	defer time.Sleep(24 * time.Hour) // sleeping
	runtime.Gosched()
}

func nested() {
	func() {
		for i := 0; i < 2; i++ {
			c := &conn{never}
			defer c.Close() // nested
		}
	}()
}

func cancelled() {
	cancel := func() { select {} }
	defer cancel() // cancelled
	runtime.Gosched()
}

func receiving() {
	<-never
}

func behindCleanup() {
	defer runtime.Gosched()
	c := &conn{never}
	c.Close()
}

func closingBeforeReturn() {
	c := &conn{never}
	defer runtime.Gosched()
	if err := c.Close(); err != nil {
		return
	}
}

func returningTheCall() {
	returned()
}

func returned() error {
	c := &conn{never}
	defer c.flush(1)
	return c.Close()
}

func startBlocked() {
	for _, shape := range all() {
		for i := 0; i < each; i++ {
			go shape()
		}
	}
	settle(len(all()) * each)
}

// settle waits until so many goroutines wait.
func settle(expected int) {
	for {
		var text bytes.Buffer
		check(pprof.Lookup("goroutine").WriteTo(&text, 2))
		waiting := strings.Count(text.String(), "\ngoroutine ") + 1 - strings.Count(text.String(), " [run")
		if waiting >= expected {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func all() []func() {
	return slices.Concat(inCleanup, moreInCleanup, inBody, moreInBody)
}
