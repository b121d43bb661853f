package cases

import "sync"

type crew struct {
	group sync.WaitGroup
	jobs  chan func() error
	errs  chan error
}

func (c *crew) start(count int) {
	for range count {
		c.group.Add(2)
		go c.worker()
		go c.careful()
	}
}

func (c *crew) worker() {
	for job := range c.jobs {
		if err := job(); err != nil {
			c.errs <- err
			return
		}
	}
	c.group.Done() // want "c.group.Done() is not called when the goroutine leaves"
}

func (c *crew) careful() {
	defer c.group.Done()
	for job := range c.jobs {
		if err := job(); err != nil {
			return
		}
	}
}

// Nobody starts it: it counts one job, for whoever calls it.
func (c *crew) finish(err error) {
	if err != nil {
		return
	}
	c.group.Done()
}
