package cases

import (
	"os"
	"sync"
	"syscall"
)

func deferredToo(work func() error) {
	done := make(chan struct{})
	defer close(done)
	if err := work(); err != nil {
		close(done) // want "done is closed here and again by the defer at line 11, which panics"
		return
	}
}

func twice(jobs chan int, fail bool) {
	if fail {
		close(jobs) // want "jobs is closed here and again at line 22, which panics"
	}
	close(jobs)
}

func eachTurn(names []string, results chan string) {
	for _, name := range names {
		results <- name
		close(results) // want "again in the next turn of the loop"
	}
}

type worker struct{ quit chan struct{} }

func (w *worker) stop(fail bool) {
	if fail {
		close(w.quit) // want "w.quit is closed here and again at line 38"
	}
	close(w.quit)
}

func inDeferred(done chan struct{}, fail bool) {
	defer func() {
		close(done)
	}()
	if fail {
		close(done) // want "done is closed here and again by the defer at line 42"
	}
}

func alwaysFails(name string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); closeErr != nil && err == nil {
			err = closeErr
		}
	}()
	if _, err := file.WriteString("x"); err != nil {
		return err
	}
	return file.Close() // want "file is closed here and again by the defer at line 55, whose error is looked at"
}

func returnedAgain(file *os.File) error {
	file.Close() // want "file is closed here and again at line 68, whose error"
	return file.Close()
}

func descriptor(fd int, fail bool) error {
	defer syscall.Close(fd)
	if fail {
		return syscall.Close(fd) // want "fd is closed here and again by the defer at line 72, when it may be somebody else's"
	}
	return nil
}

func byEach(names []string, results chan string) {
	for _, name := range names {
		go func() {
			defer close(results) // want "results is closed by each goroutine of the loop"
			results <- name
		}()
	}
}

func unlockedTwice(mu *sync.Mutex, fail bool) {
	mu.Lock()
	defer mu.Unlock()
	if fail {
		mu.Unlock() // want "mu is unlocked here and again by the defer at line 90, which ends the process"
		return
	}
}
