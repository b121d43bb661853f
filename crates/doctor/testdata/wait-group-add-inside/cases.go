package cases

import "sync"

func work() {}

type Pool struct{ wg sync.WaitGroup }

func inside() {
	var wg sync.WaitGroup
	for i := 0; i < 3; i++ {
		go func() {
			wg.Add(1) // want "wg.Add runs when the goroutine does"
			defer wg.Done()
			work()
		}()
	}
	wg.Wait()
}

func (p *Pool) start() {
	go func() {
		p.wg.Add(1) // want "p.wg.Wait may have returned by then"
		work()
		p.wg.Done()
	}()
}

func before() {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		work()
	}()
	wg.Wait()
}

// It is counted, and adds those that it starts.
func nested() {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		defer wg.Done()
		wg.Add(1)
		go func() {
			defer wg.Done()
			work()
		}()
	}()
	wg.Wait()
}

func own() {
	go func() {
		var wg sync.WaitGroup
		wg.Add(1)
		go func() { defer wg.Done() }()
		wg.Wait()
	}()
}
