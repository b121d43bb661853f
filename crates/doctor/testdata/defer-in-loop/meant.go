package cases

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"go.opentelemetry.io/otel/trace"
)

func serves(connections <-chan net.Conn) {
	for connection := range connections {
		defer connection.Close() // want "each turn of the loop defers one more call"
		connection.Write(nil)
	}
}

func statuses(client *http.Client, urls []string) map[string]int {
	found := map[string]int{}
	for i := 0; i < len(urls); i++ {
		response, err := client.Get(urls[i])
		if err == nil {
			defer response.Body.Close() // want "each turn of the loop defers one more call"
			found[urls[i]] = response.StatusCode
		}
	}
	return found
}

func bodies(client *http.Client, urls []string) (bodies []any) {
	for _, url := range urls {
		response, err := client.Get(url)
		if err != nil {
			continue
		}
		defer response.Body.Close() // want low "each turn of the loop defers one more call"
		bodies = append(bodies, response.Body)
	}
	return bodies
}

// A later turn waits for what the timer of this one sends.
func limited(events <-chan time.Duration) {
	var late <-chan time.Time
	for {
		select {
		case after := <-events:
			timer := time.NewTimer(after)
			defer timer.Stop() // want low "each turn of the loop defers one more call"
			late = timer.C
		case <-late:
			return
		}
	}
}

type shard struct {
	mu      sync.RWMutex
	entries map[string]int
}

func length(shards []*shard) (length int) {
	for _, shard := range shards {
		shard.mu.RLock()
		defer shard.mu.RUnlock() // want "each turn of the loop defers one more call"
		length += len(shard.entries)
	}
	return length
}

// All at once, to look at them together.
func snapshot(shards []*shard) int {
	for _, shard := range shards {
		shard.mu.RLock()
		defer shard.mu.RUnlock() // want low "each turn of the loop defers one more call"
	}
	return len(shards[0].entries)
}

// The turns are undone together when one fails; each has something to close besides.
func undone(names []string) {
	restorable := true
	for _, name := range names {
		handle, err := enter(name)
		if err != nil {
			return
		}
		defer func() { // want low "each turn of the loop defers one more call"
			if restorable {
				if err := handle.back(); err != nil {
					restorable = false
				}
			}
			handle.close()
		}()
	}
	work()
}

// Nobody changes verbose: this is a close with a log line.
func told(names []string, verbose bool) {
	for _, name := range names {
		handle, err := enter(name)
		if err != nil {
			return
		}
		defer func() { // want "each turn of the loop defers one more call"
			if verbose {
				println(name)
			}
			handle.close()
		}()
	}
}

func guarded(names []string) (err error) {
	for _, name := range names {
		defer func() { // want low "each turn of the loop defers one more call"
			if panicked, ok := recover().(error); ok {
				err = panicked
			}
		}()
		enter(name)
	}
	return nil
}

type resolver struct{ depth int }

func (r *resolver) openScope()  { r.depth++ }
func (r *resolver) closeScope() { r.depth-- }

func (r *resolver) walk(names []string) {
	for range names {
		r.openScope()
		defer r.closeScope() // want low "each turn of the loop defers one more call"
	}
}

func retries(ctx context.Context, tracer trace.Tracer) {
	err := work()
	for turn := 0; err != nil && turn < 3; turn++ {
		_, span := tracer.Start(ctx, "retry")
		defer span.End() // want low "each turn of the loop defers one more call"
		err = work()
	}
}

type handle struct{}

func (*handle) back() error { return nil }
func (*handle) close()      {}

func enter(name string) (*handle, error) { return &handle{}, nil }

func work() error { return nil }
