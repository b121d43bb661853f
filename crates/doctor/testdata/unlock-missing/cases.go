package cases

import (
	"errors"
	"sync"
)

type store struct {
	mu     sync.RWMutex
	names  map[string]int
	single sync.Mutex
}

type embedding struct {
	sync.Mutex
	count int
}

func (s *store) early(name string) (int, error) {
	s.mu.Lock() // want "s.mu is still held when the function leaves at line 23"
	count, ok := s.names[name]
	if !ok {
		return 0, errors.New("no such name")
	}
	s.mu.Unlock()
	return count, nil
}

func (s *store) reading(name string) int {
	s.mu.RLock() // want "s.mu is still held when the function leaves at line 32"
	if s.names == nil {
		return 0
	}
	count := s.names[name]
	s.mu.RUnlock()
	return count
}

func (s *store) looping(names []string) {
	for _, name := range names {
		s.mu.Lock() // want "s.mu is still held when the loop comes back to this Lock"
		if s.names[name] == 0 {
			continue
		}
		s.names[name]--
		s.mu.Unlock()
	}
}

func (s *store) wrongOne(name string) {
	s.mu.RLock() // want "s.mu is locked here and never unlocked"
	_ = s.names[name]
	s.mu.Unlock()
}

func (e *embedding) add(count int) error {
	e.Lock() // want "e is still held when the function leaves at line 59"
	if count < 0 {
		return errors.New("negative")
	}
	e.count += count
	e.Unlock()
	return nil
}

func (s *store) increment(name string) {
	s.single.Lock() // want "s.single is locked here and never unlocked"
	s.names[name]++
}

func switching(mu *sync.Mutex, kind int) {
	mu.Lock() // want "mu is still held when the function leaves at line"
	switch kind {
	case 1:
		mu.Unlock()
	case 2:
	default:
		mu.Unlock()
	}
}

func (s *store) rlockWhenReady(ready func() bool) {
	for {
		s.mu.RLock() // want low "s.mu is still held when the function leaves"
		if ready() {
			return
		}
		s.mu.RUnlock()
	}
}
