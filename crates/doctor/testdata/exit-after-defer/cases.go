package main

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"fmt"
	"log"
	"net"
	"os"
	"sync"
	"runtime/pprof"
)

func removes(dir string) {
	defer os.RemoveAll(dir)
	if err := work(); err != nil {
		log.Fatal(err) // want "log.Fatal ends the process, and os.RemoveAll"
	}
}

func flushes(w *bufio.Writer) {
	defer w.Flush()
	os.Exit(code()) // want "os.Exit ends the process, and w.Flush"
}

func profile(file *os.File) {
	pprof.StartCPUProfile(file)
	defer pprof.StopCPUProfile()
	if work() != nil {
		fail("work") // want "fail ends the process"
	}
}

func closure(db *sql.DB) {
	tx, _ := db.Begin()
	defer func() {
		tx.Rollback()
	}()
	if work() != nil {
		log.Panicln("this runs it")
	}
	log.Fatalf("done") // want "log.Fatalf ends the process"
}

func main() {
	db, err := sql.Open("postgres", "")
	if err != nil {
		log.Fatal(err)
	}
	defer db.Close()
	if err := work(); err != nil {
		log.Fatal(err) // want low "log.Fatal ends the process, and db.Close"
	}
}

// The exit comes first.
func before() {
	if work() != nil {
		os.Exit(1)
	}
	defer os.Remove("x")
	work()
}

// On another path.
func other(ok bool) {
	if ok {
		defer os.Remove("x")
		return
	}
	os.Exit(1)
}

func byHand(w *bufio.Writer) {
	defer w.Flush()
	if work() != nil {
		w.Flush()
		os.Exit(1)
	}
}

// A panic runs it too.
func panics() {
	defer os.Remove("x")
	throw("x")
}

func throw(text string) {
	panic(text)
}

// A function of its own.
func run() int {
	defer os.Remove("x")
	return code()
}

func runs() {
	os.Exit(run())
}

func fail(text string) {
	fmt.Println(text)
	os.Exit(1)
}

func code() int   { return 0 }
func work() error { return nil }

type logger interface {
	Fatalf(format string, values ...any)
}

func otherLogger(logger logger, dir string) {
	defer os.RemoveAll(dir)
	if work() != nil {
		logger.Fatalf("no") // want "logger.Fatalf ends the process"
	}
}

// The end of the process closes it as well.
func reportsClose(path string) {
	file, err := os.Create(path)
	if err != nil {
		log.Fatal(err)
	}
	defer func() {
		if err := file.Close(); err != nil {
			fmt.Fprintf(os.Stderr, "close %s: %v", path, err)
		}
	}()
	if work() != nil {
		log.Fatal("no") // want low "a deferred function never runs"
	}
}

type gauge struct{ value float64 }

func (g *gauge) Set(value float64) { g.value = value }

var active gauge

// Nobody reads memory of a process that has ended.
func setsBack() {
	active.Set(1)
	defer active.Set(0)
	if work() != nil {
		log.Fatal("no") // want low "active.Set"
	}
}

func connection(listener net.Listener, mutex *sync.Mutex) {
	defer listener.Close()
	mutex.Lock()
	defer mutex.Unlock()
	if work() != nil {
		log.Fatal("no") // want low "listener.Close"
	}
}

func compressed(file *os.File) {
	writer := gzip.NewWriter(file)
	defer writer.Close()
	if work() != nil {
		log.Fatal("no") // want "writer.Close that was deferred never runs"
	}
}

type lease interface {
	Revoke(ctx context.Context) error
}

func leased(ctx context.Context, lease lease) {
	defer lease.Revoke(ctx)
	if work() != nil {
		log.Fatal("no") // want "lease.Revoke"
	}
}

func lockFile(path string) func() {
	return func() { os.Remove(path) }
}

func locked() {
	unlock := lockFile("x")
	defer unlock()
	os.Exit(code()) // want "unlock that was deferred never runs"
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func checks() {
	dir, err := os.MkdirTemp("", "x")
	check(err)
	defer os.RemoveAll(dir)
	check(work()) // want "check ends the process where it is given an error, and os.RemoveAll"
	check(work())
}

func checksNothingLost(mutex *sync.Mutex) {
	mutex.Lock()
	defer mutex.Unlock()
	check(work())
}
