package cases

import (
	"context"
	"database/sql"
	"net"
	"net/http"
	"sync"
	"time"

	"example.com/shop/orderpb"
)

type Cache struct {
	mu    sync.Mutex
	rw    sync.RWMutex
	cond  *sync.Cond
	done  chan struct{}
	conn  net.Conn
	db    *sql.DB
	items map[string]string
}

type Embedded struct {
	sync.Mutex
	c chan int
}

func (c *Cache) fetches(url string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	resp, err := http.Get(url) // want "c.mu is held while http.Get waits for the network"
	if err == nil {
		resp.Body.Close()
	}
}

func (c *Cache) receives() {
	c.mu.Lock()
	<-c.done // want "c.mu is held while a receive waits for a channel"
	c.mu.Unlock()
}

func (c *Cache) sleeps() {
	c.rw.RLock()
	defer c.rw.RUnlock()
	for c.items == nil {
		time.Sleep(time.Second) // want "c.rw is held while time.Sleep"
	}
}

func (c *Cache) selects(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	select { // want "a select waits for a channel"
	case <-ctx.Done():
	case <-c.done:
	}
}

func (c *Cache) queries(ctx context.Context) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if err := c.db.PingContext(ctx); err != nil { // want "waits for the network"
		return
	}
}

func (e *Embedded) receives() int {
	e.Lock()
	defer e.Unlock()
	return <-e.c // want "e is held while a receive"
}

func local(wg *sync.WaitGroup) {
	var mu sync.Mutex
	out := make(chan int)
	mu.Lock()
	out <- 1 // want "mu is held while a send"
	mu.Unlock()
	mu.Lock()
	wg.Wait() // want "WaitGroup.Wait waits for others"
	mu.Unlock()
}

func (c *Cache) after(url string) {
	c.mu.Lock()
	c.items = nil
	c.mu.Unlock()
	http.Get(url)
	<-c.done
}

func (c *Cache) onePath(locked bool) {
	if locked {
		c.mu.Lock()
	}
	<-c.done
	if locked {
		c.mu.Unlock()
	}
}

func (c *Cache) polls() {
	c.mu.Lock()
	defer c.mu.Unlock()
	select {
	case <-c.done:
	default:
	}
}

func (c *Cache) waits() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for c.items == nil {
		c.cond.Wait()
	}
}

func (c *Cache) buffered() {
	out := make(chan int, 1)
	c.mu.Lock()
	defer c.mu.Unlock()
	out <- 1
}

func (c *Cache) starts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	go func() { <-c.done }()
	go http.Get("http://orders")
}

func (c *Cache) unlocksFirst() {
	c.mu.Lock()
	done := c.done
	if done == nil {
		c.mu.Unlock()
		return
	}
	c.mu.Unlock()
	<-done
}

type pipe struct {
	mu    sync.Mutex
	out   chan []byte
	acks  chan int
	holds chan int
	done  chan struct{}
	timer *time.Timer
	wide  chan int
}

func newPipe() *pipe {
	return &pipe{out: make(chan []byte), wide: make(chan int, 8)}
}

// The lock is there so that writers take turns.
func (p *pipe) write(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.out <- b:
	case <-p.done:
	}
}

func (p *pipe) swaps() {
	p.mu.Lock()
	defer p.mu.Unlock()
	state := <-p.holds
	defer func() { p.holds <- state }()
}

func (p *pipe) resets() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.timer.Stop() {
		<-p.timer.C
	}
}

func (p *pipe) restarts(ctx context.Context, cancel context.CancelFunc) {
	p.mu.Lock()
	defer p.mu.Unlock()
	cancel()
	<-ctx.Done()
}

func (p *pipe) posts(b []byte) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wide <- 1
	p.out <- b // want "p.mu is held while a send waits for a receiver"
}

// The surest of its waits, and a call that is one function away.
func (p *pipe) fetches(wg *sync.WaitGroup) {
	p.mu.Lock()
	defer p.mu.Unlock()
	wg.Wait()
	load() // want "p.mu is held while load (which calls http.Get)"
}

func load() {
	resp, err := http.Get("http://orders")
	if err == nil {
		resp.Body.Close()
	}
}

type orders struct {
	mu     sync.Mutex
	client orderpb.OrdersClient
}

func (o *orders) refreshes(ctx context.Context) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.client.List(ctx, nil) // want "o.mu is held while orderpb.OrdersClient.List waits for the network"
}
