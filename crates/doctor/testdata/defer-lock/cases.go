package cases

import "sync"

type store struct {
	mu    sync.Mutex
	state sync.RWMutex
	items map[string]int
}

type embedded struct {
	sync.Mutex
	count int
}

func (s *store) field(key string) int {
	s.mu.Lock()
	defer s.mu.Lock() // want "s.mu is locked a second time"
	return s.items[key]
}

func (s *store) reading(key string) int {
	s.state.RLock()
	defer s.state.RLock() // want "s.state is locked a second time"
	return s.items[key]
}

func (e *embedded) increase() {
	e.Lock()
	defer e.Lock() // want "e is locked a second time"
	e.count++
}

func onlyDeferred(mu *sync.Mutex) {
	defer mu.Lock() // want "mu.Lock in a defer leaves it locked"
}

func inClosure(mu *sync.Mutex) {
	mu.Lock()
	defer func() {
		mu.Lock() // want "locked a second time"
	}()
}

// It gives the lock up for a while: the caller holds it.
func (s *store) waits(c chan int) {
	s.mu.Unlock()
	defer s.mu.Lock()
	<-c
}

func right(mu *sync.Mutex) {
	mu.Lock()
	defer mu.Unlock()
}

func locksInCleanup(s *store) {
	defer func() {
		s.mu.Lock()
		s.items = nil
		s.mu.Unlock()
	}()
}

func locksAndDefers(s *store) {
	defer func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.items = nil
	}()
}

type door struct{}

func (d *door) Lock() {}

// No lock of sync: a door.
func closesDoor(d *door) {
	defer d.Lock()
}
