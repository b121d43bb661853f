package cases

import (
	"net/http"
	"sync"
)

func earlyReturn(urls []string) {
	var wg sync.WaitGroup
	for _, url := range urls {
		wg.Add(1)
		go func() {
			resp, err := http.Get(url)
			if err != nil {
				return
			}
			resp.Body.Close()
			wg.Done() // want "wg.Done() is not called when the goroutine leaves at line 15, and Wait blocks for ever"
		}()
	}
	wg.Wait()
}

func worker(wg *sync.WaitGroup, jobs chan int, quit chan struct{}) {
	for {
		select {
		case <-quit:
			return
		case _, open := <-jobs:
			if !open {
				finish(wg)
				return
			}
		}
	}
}

func finish(wg *sync.WaitGroup) { wg.Done() }

func passed(wg *sync.WaitGroup, fail bool) {
	if fail {
		return
	}
	wg.Done() // want "wg.Done() is not called when the goroutine leaves at line 42"
}

func recovered(wg *sync.WaitGroup, work func()) {
	go func() {
		defer func() {
			recover()
		}()
		work()
		wg.Done() // want "a panic in work() skips wg.Done(), as it is not deferred"
	}()
}

type pool struct{ running sync.WaitGroup }

func (p *pool) run(work func() error) {
	go func() {
		if err := work(); err != nil {
			return
		}
		p.running.Done() // want "p.running.Done() is not called when the goroutine leaves"
	}()
}

func notDeferred(wg *sync.WaitGroup, work func()) {
	go func() {
		work()
		wg.Done() // want low "a panic in work() skips wg.Done()"
	}()
}

func nobody(work func()) {
	var wg sync.WaitGroup
	wg.Add(1)
	go func() {
		work()
	}()
	wg.Wait() // want "nobody calls wg.Done(), so wg.Wait() blocks for ever"
}
