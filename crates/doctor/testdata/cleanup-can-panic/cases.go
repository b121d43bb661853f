package cases

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime"
)

type myError struct{ text string }

type opener interface{ Close() error }

func asserts() (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = r.(error) // want "anything but error panics again here"
		}
	}()
	return work()
}

func assertsText() (text string) {
	defer func() {
		r := recover()
		text = r.(string) // want "anything but string panics again"
	}()
	return ""
}

func beforeValue(db *sql.DB) error {
	var rows *sql.Rows
	defer func() {
		rows.Close() // want "rows is still nil when beforeValue leaves in line 41"
	}()
	if err := work(); err != nil {
		return err
	}
	rows, err := db.Query("select 1")
	_ = rows
	return err
}

func beforeConnection(ok bool) (err error) {
	var conn net.Conn
	defer func() {
		if err := conn.Close(); err != nil { // want "conn is still nil when beforeConnection leaves"
			fmt.Println(err)
		}
	}()
	if !ok {
		return errors.New("no")
	}
	conn, err = net.Dial("tcp", "x")
	return err
}

func cancels(ctx context.Context, ok bool) {
	var cancel context.CancelFunc
	defer func() {
		cancel() // want "cancel is still nil"
	}()
	if ok {
		return
	}
	ctx, cancel = context.WithCancel(ctx)
	<-ctx.Done()
}

func twice(values []int) {
	c := make(chan int)
	defer close(c) // want "already when this runs: the second close panics"
	for range values {
		c <- 1
	}
	close(c)
}

func closesNil() {
	var c chan int
	defer close(c) // want "c is nil here"
	c = make(chan int)
}

func sendsLate() {
	c := make(chan int, 1)
	defer func() {
		c <- 1 // want "c is closed before this send"
	}()
	defer close(c)
}

func withOk() (err error) {
	defer func() {
		if r := recover(); r != nil {
			if e, ok := r.(error); ok {
				err = e
			} else {
				err = fmt.Errorf("%v", r)
			}
		}
	}()
	return work()
}

func switches() (err error) {
	defer func() {
		switch r := recover().(type) {
		case nil:
		case error:
			err = r
		default:
			err = fmt.Errorf("%v", r)
		}
	}()
	return work()
}

// What it does not know it throws again, on purpose.
func throws() (err error) {
	defer func() {
		if r := recover(); r != nil {
			if _, ok := r.(runtime.Error); ok {
				panic(r)
			}
			err = r.(error)
		}
	}()
	return work()
}

func own() (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = r.(myError).text // want low "anything but myError"
		}
	}()
	return ""
}

func asks(db *sql.DB) error {
	var rows *sql.Rows
	defer func() {
		if rows != nil {
			rows.Close()
		}
	}()
	if err := work(); err != nil {
		return err
	}
	rows, err := db.Query("select 1")
	_ = rows
	return err
}

// Set on every way before it leaves.
func always(ctx context.Context) {
	var cancel context.CancelFunc
	defer func() { cancel() }()
	ctx, cancel = context.WithCancel(ctx)
	<-ctx.Done()
}

// A nil file gives an error and no panic.
func file(name string) error {
	var file *os.File
	defer func() { file.Close() }()
	if name == "" {
		return errors.New("no name")
	}
	file, err := os.Open(name)
	_ = file
	return err
}

func afterCheck(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() { resp.Body.Close() }()
	return nil
}

func once(c chan int) {
	defer close(c)
	c <- 1
}

func anotherPath(c chan int, ok bool) {
	if ok {
		close(c)
		return
	}
	defer close(c)
	c <- 1
}

func closeLast() {
	c := make(chan int, 1)
	defer close(c)
	defer func() { c <- 1 }()
}

func work() error { return nil }

type pool struct{ open []net.Conn }

func (p *pool) Release() { p.open = nil }

type quiet struct{ open []net.Conn }

func (q *quiet) Release() {
	if q == nil {
		return
	}
	q.open = nil
}

func ownMethod(ok bool) {
	var p *pool
	defer func() {
		p.Release() // want "p is still nil"
	}()
	if !ok {
		return
	}
	p = &pool{}
}

func askingMethod(ok bool) {
	var q *quiet
	defer func() {
		q.Release()
	}()
	if !ok {
		return
	}
	q = &quiet{}
}

func failedCall(url string) (err error) {
	var resp *http.Response
	defer func() {
		resp.Body.Close() // want "resp is still nil when failedCall leaves"
	}()
	resp, err = http.Get(url)
	if err != nil {
		return err
	}
	return nil
}

// The call that fails is not the one that sets it.
func otherCall(url string) (err error) {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer func() {
		resp.Body.Close()
	}()
	if err = work(); err != nil {
		return err
	}
	return nil
}
