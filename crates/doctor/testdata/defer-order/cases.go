package cases

import (
	"bufio"
	"compress/gzip"
	"context"
	"os"
	"sync"
)

func archive(file *os.File) {
	zip := gzip.NewWriter(file)
	defer zip.Close()
	defer file.Close() // want "file is closed before zip"
	zip.Write(nil)
}

func buffered(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	defer func() {
		w.Flush()
	}()
	defer func() { // want "file is closed before w"
		file.Close()
	}()
	return nil
}

func waits(ctx context.Context) {
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer wg.Wait() // want "this wait runs before the cancel of line 36"
	wg.Add(1)
	go func() {
		defer wg.Done()
		for {
			select {
			case <-ctx.Done():
				return
			default:
				work()
			}
		}
	}()
	work()
}

func workers(values []int) {
	var wg sync.WaitGroup
	jobs := make(chan int)
	defer close(jobs)
	for range 4 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for range jobs {
				work()
			}
		}()
	}
	for _, value := range values {
		jobs <- value
	}
	wg.Wait() // want "end only by the close of line 56"
}

func deferredWorkers(values []int) {
	var wg sync.WaitGroup
	jobs := make(chan int)
	defer close(jobs)
	defer wg.Wait() // want "this wait runs before the close"
	wg.Add(1)
	go func() {
		defer wg.Done()
		for range jobs {
			work()
		}
	}()
	for _, value := range values {
		jobs <- value
	}
}

func right(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	zip := gzip.NewWriter(file)
	defer zip.Close()
	return nil
}

// What is read has nothing to write at its end.
func reader(file *os.File) error {
	zip, err := gzip.NewReader(file)
	if err != nil {
		return err
	}
	defer zip.Close()
	defer file.Close()
	return nil
}

func unrelated(a, b *os.File) {
	w := bufio.NewWriter(a)
	defer w.Flush()
	defer b.Close()
}

func stopsFirst(ctx context.Context) {
	var wg sync.WaitGroup
	defer wg.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	wg.Add(1)
	go func() {
		defer wg.Done()
		<-ctx.Done()
	}()
}

// They end by themselves: to wait and then to cancel is right.
func finite(ctx context.Context) {
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer wg.Wait()
	wg.Add(1)
	go func() {
		defer wg.Done()
		use(ctx)
	}()
}

func closedByHand(values []int) {
	var wg sync.WaitGroup
	jobs := make(chan int)
	wg.Add(1)
	go func() {
		defer wg.Done()
		for range jobs {
			work()
		}
	}()
	for _, value := range values {
		jobs <- value
	}
	close(jobs)
	wg.Wait()
}

// The results are closed when all is done, and nobody who is waited for reads them.
func results(values []int) chan int {
	var wg sync.WaitGroup
	out := make(chan int, len(values))
	defer close(out)
	for _, value := range values {
		wg.Add(1)
		go func() {
			defer wg.Done()
			out <- value
		}()
	}
	wg.Wait()
	return out
}

func work()               {}
func use(context.Context) {}

func namedWorkers(values []int) {
	var wg sync.WaitGroup
	jobs := make(chan int)
	defer close(jobs)
	wg.Add(1)
	go drain(jobs, &wg)
	for _, value := range values {
		jobs <- value
	}
	wg.Wait() // want "this waits for goroutines"
}

func drain(in chan int, wg *sync.WaitGroup) {
	defer wg.Done()
	for range in {
		work()
	}
}
