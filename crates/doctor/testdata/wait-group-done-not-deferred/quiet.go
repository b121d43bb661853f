package cases

import (
	"context"
	"sync"
)

func deferred(wg *sync.WaitGroup, work func() error) {
	go func() {
		defer wg.Done()
		if err := work(); err != nil {
			return
		}
	}()
}

func deferredLiteral(wg *sync.WaitGroup, work func() error) {
	go func() {
		defer func() {
			wg.Done()
		}()
		if err := work(); err != nil {
			return
		}
	}()
}

func everyPath(wg *sync.WaitGroup, c chan int) {
	go func() {
		if len(c) == 0 {
			wg.Done()
			return
		}
		<-c
		wg.Done()
	}()
}

// One for each job.
func eachJob(wg *sync.WaitGroup, jobs chan func()) {
	go func() {
		for job := range jobs {
			job()
			wg.Done()
		}
	}()
}

func optional(wg *sync.WaitGroup) {
	go func() {
		if wg != nil {
			wg.Done()
		}
	}()
}

func byGo(wg *sync.WaitGroup, work func()) {
	wg.Go(work)
}

// Not a wait group.
func ofContext(ctx context.Context) {
	go func() {
		if ctx.Err() != nil {
			return
		}
		<-ctx.Done()
	}()
}

func given(wg *sync.WaitGroup, start func(func())) {
	go func() {
		start(wg.Done)
	}()
}

func byAnother(start func(*sync.WaitGroup)) {
	var wg sync.WaitGroup
	wg.Add(1)
	start(&wg)
	wg.Wait()
}
