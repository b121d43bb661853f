package cases

import "sync"

type job struct {
	mu   sync.Mutex
	work func() error
}

func (j *job) once() error {
	if !j.mu.TryLock() { // want "j.mu is still held when the function leaves"
		return nil
	}
	if err := j.work(); err != nil {
		return err
	}
	j.mu.Unlock()
	return nil
}

func (j *job) inside() error {
	if j.mu.TryLock() { // want "j.mu is still held when the function leaves"
		if err := j.work(); err != nil {
			return err
		}
		j.mu.Unlock()
	}
	return nil
}

func (j *job) deferred() error {
	if !j.mu.TryLock() {
		return nil
	}
	defer j.mu.Unlock()
	return j.work()
}

func (j *job) everywhere() error {
	if !j.mu.TryLock() {
		return nil
	}
	err := j.work()
	j.mu.Unlock()
	return err
}

func (j *job) retries() {
	for !j.mu.TryLock() {
		println("busy")
	}
	j.mu.Unlock()
}
