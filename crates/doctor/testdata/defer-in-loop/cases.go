package cases

import (
	"os"
	"sync"
)

func all(names []string) error {
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return err
		}
		defer file.Close() // want "each turn of the loop defers one more call"
	}
	return nil
}

func conditional(names []string) {
	for i := 0; i < len(names); i++ {
		if file, err := os.Open(names[i]); err == nil {
			defer file.Close() // want "all wait until conditional returns"
		}
	}
}

func forever(mu *sync.Mutex) {
	for {
		mu.Lock()
		defer mu.Unlock() // want "each turn"
	}
}

func selecting(c chan int, mu *sync.Mutex) {
	for {
		select {
		case <-c:
			defer mu.Unlock() // want "each turn"
		}
	}
}

// The loop ends there: it runs once.
func first(names []string) error {
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		defer file.Close()
		return nil
	}
	return nil
}

func leaves(names []string) {
	for _, name := range names {
		file, err := os.Open(name)
		if err == nil {
			defer file.Close()
			break
		}
	}
}

// A function of its own in each turn.
func literal(names []string) {
	for _, name := range names {
		func() {
			file, err := os.Open(name)
			if err != nil {
				return
			}
			defer file.Close()
		}()
	}
}

func goroutines(names []string, wg *sync.WaitGroup) {
	for range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
		}()
	}
}

func before(mu *sync.Mutex, names []string) {
	mu.Lock()
	defer mu.Unlock()
	for range names {
	}
}
