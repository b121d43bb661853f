package cases

import (
	"context"
	"errors"
	"fmt"
	"log"
	"net/http"
	"os"
	"sync"
	"time"
)

type histogram struct{}

func (h *histogram) Observe(seconds float64) {}

type stats struct{ rows int }

func (s stats) report()   { log.Println(s.rows) }
func (s *stats) pointer() { log.Println(s.rows) }

type span struct{}

func (s *span) SetStatus(status int)  {}
func (s *span) RecordError(err error) {}

func elapsedSince(start time.Time) time.Duration { return time.Since(start) }

func finish(err error) {}

func since() {
	start := time.Now()
	defer log.Println("took", time.Since(start)) // want "time.Since(start) is measured at the defer"
	work()
}

func nested(h *histogram) {
	start := time.Now()
	defer h.Observe(time.Since(start).Seconds()) // want "is measured at the defer"
	work()
}

func subtracted() {
	start := time.Now()
	defer fmt.Printf("%v\n", time.Now().Sub(start)) // want "is measured at the defer"
	work()
}

func helper() {
	start := time.Now()
	defer log.Println(elapsedSince(start)) // want "elapsedSince(start) is measured at the defer"
	work()
}

func named(name string) (err error) {
	defer finish(err) // want "err is read at the defer"
	return work()
}

func later(s *span) error {
	var err error
	defer s.RecordError(err) // want "err is read at the defer"
	err = work()
	return err
}

func status(s *span, w http.ResponseWriter) {
	code := http.StatusOK
	defer s.SetStatus(code) // want "code is read at the defer"
	if work() != nil {
		code = http.StatusInternalServerError
	}
	w.WriteHeader(code)
}

func counted(names []string) {
	count := 0
	defer log.Printf("%d done", count) // want "count is read at the defer"
	for range names {
		count++
	}
}

func lengths(names []string) {
	var found []string
	defer fmt.Println(len(found)) // want "found is read at the defer"
	for _, name := range names {
		found = append(found, name)
	}
}

func copies() {
	s := stats{}
	defer s.report() // want "report has a copy of s"
	s.rows = 3
}

func fields(s *stats) {
	defer log.Println(s.rows) // want "s.rows is read at the defer"
	s.rows += 2
}

func parameter() (err error) {
	defer func(err error) {
		if err != nil {
			log.Println(err)
		}
	}(err) // want "err is read at the defer"
	return work()
}

func group(wg *sync.WaitGroup, names []string) {
	n := 0
	defer wg.Add(-n) // want "n is read at the defer"
	for range names {
		n++
		wg.Add(1)
	}
}

func ended(ctx context.Context) {
	defer log.Println("ended", ctx.Err()) // want "ctx.Err() is asked at the defer"
	<-ctx.Done()
}

func chained(logger *log.Logger) {
	start := time.Now()
	defer with(logger, time.Since(start)).Println("done") // want "is measured at the defer"
	work()
}

// The start is to be read now.
func begins() {
	defer track(time.Now(), "begins")
	work()
}

func wrapped() (err error) {
	start := time.Now()
	defer func() { log.Println(time.Since(start), err) }()
	return work()
}

// What is restored is what was there before.
func restores(key string) {
	old := os.Getenv(key)
	defer os.Setenv(key, old)
	os.Setenv(key, "new")
}

// The channel that was made first is to be closed.
func channel() {
	c := make(chan int)
	defer close(c)
	c = nil
}

func removes(name string) {
	defer os.Remove(name)
	name = "other"
	work()
}

func address() {
	count := 0
	defer report(&count)
	count++
}

func pointer() {
	s := &stats{}
	defer s.pointer()
	s.rows = 3
}

func turns() {
	for i := 0; i < 3; i++ {
		defer fmt.Println(i)
	}
}

func thisError() error {
	err := work()
	if err != nil {
		defer log.Println(err)
		err = errors.New("other")
	}
	return err
}

func never(name string) {
	defer log.Println("end of", name)
	work()
}

func work() error                                     { return nil }
func track(start time.Time, name string)              {}
func report(count *int)                               {}
func with(l *log.Logger, d time.Duration) *log.Logger { return l }

func notYetMade() error {
	var dir string
	defer os.RemoveAll(dir) // want "dir has no value yet at the defer"
	dir, err := os.MkdirTemp("", "x")
	_ = dir
	return err
}

func setLater() (err error) {
	var dir string
	defer os.RemoveAll(dir) // want "dir has no value yet at the defer"
	dir, err = os.MkdirTemp("", "x")
	return err
}

func notYetCancel(ctx context.Context) {
	var cancel context.CancelFunc
	defer cancel() // want "cancel has no value yet"
	ctx, cancel = context.WithCancel(ctx)
	<-ctx.Done()
}

func structFields() {
	s := stats{}
	defer log.Println(s) // want "s is read at the defer"
	s.rows = 4
}

// The zero value is what is used.
func zeroValue() {
	var wg sync.WaitGroup
	defer wg.Wait()
	wg.Add(1)
	go wg.Done()
}

func errorOfRelease(p *pipe) error {
	var err error
	defer p.CloseWithError(err) // want "err is read at the defer"
	err = work()
	return err
}

type pipe struct{}

func (p *pipe) CloseWithError(err error) {}
