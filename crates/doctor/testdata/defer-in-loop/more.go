package cases

import (
	"context"
	"io"
	"iter"
	"net"
	"os"
	"sync"
)

type server struct {
	mu    sync.Mutex
	conns map[string]net.Conn
}

func loopOfGoto(name string) error {
	count := 0
retry:
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() // want "each turn of the loop"
	count++
	if count < 10 {
		goto retry
	}
	return nil
}

func overFunction(names iter.Seq[string]) {
	for name := range names {
		file, err := os.Open(name)
		if err == nil {
			defer file.Close() // want "each turn of the loop"
		}
	}
}

func accepts(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			continue
		}
		defer conn.Close() // want "which it never does"
		serve(conn)
	}
}

func (s *server) deadlock(names []string) {
	for range names {
		s.mu.Lock()
		defer s.mu.Unlock() // want "locks s.mu again"
	}
}

// The break leaves the select, not the loop.
func breaksSelect(c chan string, done chan bool) {
	for {
		select {
		case name := <-c:
			file, _ := os.Open(name)
			defer file.Close() // want "each turn"
			break
		case <-done:
			return
		}
	}
}

func retries(ctx context.Context, tries int) error {
	for i := 0; i < tries; i++ {
		attempt, cancel := context.WithTimeout(ctx, 1)
		defer cancel() // want "each turn"
		if err := call(attempt); err == nil {
			return nil
		}
	}
	return nil
}

func continues(names []string) {
outer:
	for _, name := range names {
		for range 3 {
			file, err := os.Open(name)
			if err != nil {
				continue outer
			}
			defer file.Close() // want "each turn"
			continue outer
		}
	}
}

// Leaves both loops.
func leavesBoth(names []string) {
outer:
	for {
		for _, name := range names {
			file, err := os.Open(name)
			if err != nil {
				continue
			}
			defer file.Close()
			break outer
		}
	}
}

// A few turns, written here.
func few() {
	for i := 0; i < 3; i++ {
		file, err := os.Open("x")
		if err != nil {
			continue
		}
		defer file.Close() // want low "each turn"
	}
	for _, name := range []string{"a", "b"} {
		file, _ := os.Open(name)
		defer file.Close() // want low "each turn"
	}
}

// What was there before the loop is meant to be closed at the end.
func all2(closers []io.Closer) {
	for _, closer := range closers {
		defer closer.Close() // want low "each turn"
	}
}

// All of them are needed at once.
func merged(names []string) (io.Reader, error) {
	var readers []io.Reader
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			return nil, err
		}
		defer file.Close() // want low "each turn"
		readers = append(readers, file)
	}
	return io.MultiReader(readers...), consume(readers)
}

func lockAll(servers []*server) {
	for _, s := range servers {
		s.mu.Lock()
		defer s.mu.Unlock() // want low "each turn"
	}
}

// Undoes all turns when the function fails.
func undoes(names []string) (err error) {
	for _, name := range names {
		if err = os.Mkdir(name, 0o755); err != nil {
			return err
		}
		defer func() { // want low "each turn"
			if err != nil {
				os.Remove(name)
			}
		}()
	}
	return nil
}

func serve(net.Conn)             {}
func call(context.Context) error { return nil }
func consume([]io.Reader) error  { return nil }

func handsOver(listener net.Listener) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		defer conn.Close() // want "each turn"
		go serve(conn)
	}
}
