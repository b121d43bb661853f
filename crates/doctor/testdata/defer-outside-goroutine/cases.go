package cases

import (
	"context"
	"net"
	"net/http"
	"os"
	"sync"
	"time"
)

func deadlock(names []string) {
	var wg sync.WaitGroup
	for range names {
		wg.Add(1)
		defer wg.Done() // want "waits for this Done, which runs only when deadlock ends"
		go work()
	}
	wg.Wait()
}

func early() *sync.WaitGroup {
	var wg sync.WaitGroup
	wg.Add(1)
	defer wg.Done() // want "wg.Done runs when early ends, not when the goroutine does"
	go func() {
		work()
	}()
	return &wg
}

func unlocks(mu *sync.Mutex, m map[int]int) {
	go func() {
		mu.Lock()
		m[1] = 2
	}()
	defer mu.Unlock() // want "mu is locked by the goroutine and unlocked here"
}

func file(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close() // want "this defer closes it under the goroutine"
	go func() {
		file.Read(nil)
	}()
	return nil
}

func perConnection(address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close() // want "still has conn when perConnection ends"
	go serve(conn)
	return nil
}

func answer(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), time.Second)
	defer cancel() // want "the goroutine's work is given up"
	go send(ctx)
	w.WriteHeader(http.StatusAccepted)
}

func timesOut(ctx context.Context) int {
	c := make(chan int)
	defer close(c) // want "the goroutine's send panics"
	go func() {
		c <- compute()
	}()
	select {
	case value := <-c:
		return value
	case <-ctx.Done():
		return 0
	}
}

func right(names []string) {
	var wg sync.WaitGroup
	for range names {
		wg.Add(1)
		go func() {
			defer wg.Done()
			work()
		}()
	}
	wg.Wait()
}

// It is the goroutine.
func worker(wg *sync.WaitGroup) {
	defer wg.Done()
	go work()
}

type server struct{ wg sync.WaitGroup }

// What is counted is this function.
func (s *server) run() {
	s.wg.Add(1)
	defer s.wg.Done()
	go work()
	work()
}

func waitsForIt(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	done := make(chan bool)
	go func() {
		file.Read(nil)
		close(done)
	}()
	<-done
	return nil
}

func inItself(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	go func() {
		defer file.Close()
		file.Read(nil)
	}()
	return nil
}

// The end of the connection ends the goroutine, on purpose.
func proxy(a, b net.Conn, address string) error {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer conn.Close()
	go serve(conn)
	buffer := make([]byte, 10)
	_, err = a.Read(buffer)
	return err
}

// So does the end of the context.
func background(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go send(ctx)
	work()
}

func receives() int {
	c := make(chan int)
	defer close(c)
	go func() {
		c <- compute()
	}()
	return <-c
}

func deferredWait(name string) error {
	var wg sync.WaitGroup
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		file.Read(nil)
	}()
	return nil
}

func serve(conn net.Conn) {
	for {
		conn.Read(nil)
	}
}

func send(ctx context.Context) {}
func work()                    {}
func compute() int             { return 1 }

func removed() (string, error) {
	dir, err := os.MkdirTemp("", "x")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir) // want "still has dir when removed ends"
	go func() {
		os.WriteFile(dir+"/x", nil, 0o600)
	}()
	return dir, nil
}
