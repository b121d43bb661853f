package cases

import (
	"context"
	"time"
)

func never(ctx context.Context, work func()) {
	ticker := time.NewTicker(time.Second) // want "the ticker in ticker is never stopped"
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			work()
		}
	}
}

func onePath(done chan struct{}, work func() error) error {
	ticker := time.NewTicker(time.Second) // want "the ticker in ticker is not stopped when the function leaves at line 26"
	for {
		select {
		case <-ticker.C:
			if err := work(); err != nil {
				return err
			}
		case <-done:
			ticker.Stop()
			return nil
		}
	}
}

func goroutine(done chan struct{}) {
	go func() {
		ticker := time.NewTicker(time.Second) // want "the ticker in ticker is never stopped"
		for range 3 {
			<-ticker.C
		}
		close(done)
	}()
}

func unheld(done chan struct{}) {
	ticks := time.NewTicker(time.Second).C // want "nobody holds this ticker"
	select {
	case <-ticks:
	case <-done:
	}
}

func tick(done chan struct{}) {
	for {
		select {
		case <-time.Tick(time.Second): // want low "the ticker of time.Tick cannot be stopped"
		case <-done:
			return
		}
	}
}
