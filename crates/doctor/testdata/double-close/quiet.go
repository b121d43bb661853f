package cases

import (
	"errors"
	"os"
	"sync"
	"syscall"
)

// The accepted idiom: the defer is for the ways out before.
func closedWithCare(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.WriteString("x"); err != nil {
		return err
	}
	return file.Close()
}

func eitherWay(done chan struct{}, fail bool) {
	if fail {
		close(done)
		return
	}
	close(done)
}

func branches(done chan struct{}, fail bool) {
	if fail {
		close(done)
	} else {
		close(done)
	}
}

func opposite(done chan struct{}, fail bool) {
	if fail {
		close(done)
	}
	if !fail {
		close(done)
	}
}

func renewed(done chan struct{}) {
	close(done)
	done = make(chan struct{})
	close(done)
}

func (w *worker) renew() {
	for {
		close(w.quit)
		w.quit = make(chan struct{})
	}
}

func guarded(done chan struct{}, work func() bool) {
	for work() {
		select {
		case <-done:
		default:
			close(done)
		}
	}
}

func flagged(done chan struct{}, work func() bool) {
	closed := false
	for work() {
		if !closed {
			closed = true
			close(done)
		}
	}
}

func once(w *worker) func() {
	var once sync.Once
	return func() {
		once.Do(func() { close(w.quit) })
	}
}

func each(channels []chan int) {
	for _, channel := range channels {
		close(channel)
	}
}

func leavesLoop(done chan struct{}, names []string) {
	for range names {
		close(done)
		break
	}
}

func different(first, second chan int) {
	close(first)
	close(second)
}

func toldApart(name string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); closeErr != nil && !errors.Is(closeErr, os.ErrClosed) {
			err = closeErr
		}
	}()
	return file.Close()
}

func descriptorOnce(fd int, fail bool) error {
	if fail {
		return syscall.Close(fd)
	}
	return syscall.Close(fd)
}

func whileEmpty(done chan int, names map[string]int) {
	if len(names) == 0 {
		close(done)
		names["a"] = 1
	}
	if len(names) == 0 {
		close(done)
	}
}

func byOne(names []string, results chan string) {
	go func() {
		defer close(results)
		for _, name := range names {
			results <- name
		}
	}()
}

func itsOwn(names []string) {
	for range names {
		done := make(chan struct{})
		go func() {
			defer close(done)
		}()
		<-done
	}
}

func unlockedBetween(mu *sync.Mutex, wait func()) {
	mu.Lock()
	defer mu.Unlock()
	mu.Unlock()
	wait()
	mu.Lock()
}

func unlockedEitherWay(mu *sync.RWMutex, fail bool) {
	mu.Lock()
	if fail {
		mu.Unlock()
		return
	}
	mu.Unlock()
	mu.RLock()
	defer mu.RUnlock()
}

func lockedAgainLater(mu *sync.Mutex, count int) {
	mu.Lock()
	count++
	mu.Unlock()
	defer func() {
		mu.Lock()
		count--
		mu.Unlock()
	}()
}
