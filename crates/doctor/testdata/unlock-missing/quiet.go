package cases

import "sync"

type node struct {
	mu     sync.Mutex
	parent *node
}

type gate struct {
	door sync.Mutex
}

func (s *store) deferred(name string) int {
	s.mu.RLock()
	defer s.mu.RUnlock()
	return s.names[name]
}

func (s *store) deferredLiteral(name string) {
	s.mu.Lock()
	defer func() {
		s.names[name]++
		s.mu.Unlock()
	}()
}

func (s *store) deferredBefore(name string) {
	defer s.mu.Unlock()
	s.mu.Lock()
	s.names[name]++
}

// Named for it: somebody else unlocks.
func (g *gate) lockDoor() { g.door.Lock() }
func (g *gate) shut()     { g.door.Lock() }
func (g *gate) leave()    { g.door.Unlock() }

func (s *store) locked() func() {
	s.mu.Lock()
	return s.mu.Unlock
}

func (s *store) release() { s.mu.Unlock() }

func (s *store) byMethod(name string) int {
	s.mu.Lock()
	if s.names == nil {
		s.release()
		return 0
	}
	defer s.release()
	return s.names[name]
}

// Whoever calls holds it.
func (s *store) waitLocked(wait func()) {
	s.mu.Unlock()
	wait()
	s.mu.Lock()
}

func (s *store) conditional(guard bool) {
	if guard {
		s.mu.Lock()
	}
	s.names = nil
	if guard {
		s.mu.Unlock()
	}
}

func handOverHand(start *node) {
	at := start
	at.mu.Lock()
	for at.parent != nil {
		parent := at.parent
		parent.mu.Lock()
		at.mu.Unlock()
		at = parent
	}
	at.mu.Unlock()
}

func handedOn(mu *sync.Mutex, work func()) {
	mu.Lock()
	go func() {
		defer mu.Unlock()
		work()
	}()
}

func closure(mu *sync.Mutex, fail bool) {
	done := func() { mu.Unlock() }
	mu.Lock()
	if fail {
		done()
		return
	}
	done()
}

func panicking(mu *sync.Mutex, fail bool) {
	mu.Lock()
	if fail {
		panic("failed")
	}
	mu.Unlock()
}

func eachTurn(mu *sync.Mutex, names []string) {
	for range names {
		mu.Lock()
		mu.Unlock()
	}
}
