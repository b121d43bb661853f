package cases

import "time"

type poller struct{ ticker *time.Ticker }

func deferred(done chan struct{}) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	select {
	case <-ticker.C:
	case <-done:
	}
}

// It never returns.
func forever(work func()) {
	ticker := time.NewTicker(time.Second)
	for range ticker.C {
		work()
	}
}

func endless(work func()) {
	ticker := time.NewTicker(time.Second)
	for {
		<-ticker.C
		work()
	}
}

func tickForEver(work func()) {
	ticks := time.Tick(time.Second)
	for {
		<-ticks
		work()
	}
}

func kept() *poller {
	ticker := time.NewTicker(time.Second)
	return &poller{ticker: ticker}
}

func (p *poller) start() {
	p.ticker = time.NewTicker(time.Second)
}

func given() (<-chan time.Time, func()) {
	ticker := time.NewTicker(time.Second)
	return ticker.C, ticker.Stop
}

func timer(done chan struct{}) {
	timer := time.NewTimer(time.Second)
	select {
	case <-timer.C:
	case <-done:
	}
}
