package cases

import (
	"log"
	"log/slog"
	"net/http"
	"os"
	"sync"

	"go.uber.org/zap"
)

type Cache struct {
	mu     sync.RWMutex
	logger *zap.Logger
	items  map[string]string
}

func (c *Cache) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.RLock()
	defer c.mu.RUnlock()
	if _, found := c.items[r.URL.Path]; !found {
		log.Printf("no %s", r.URL.Path) // want "log.Printf writes while c.mu is held"
	}
}

func (c *Cache) put(key, value string) {
	c.mu.Lock()
	c.items[key] = value
	c.logger.Info("put") // want "zap.Logger.Info writes while c.mu is held"
	c.mu.Unlock()
}

func (c *Cache) save() error {
	c.mu.Lock()
	defer c.mu.Unlock()
	data := []byte(c.items["x"])
	err := os.WriteFile("items", data, 0o600) // want "os.WriteFile writes"
	return err
}

func (c *Cache) after(key string) {
	c.mu.RLock()
	_, found := c.items[key]
	c.mu.RUnlock()
	if !found {
		slog.Info("no", "key", key)
	}
}

func (c *Cache) before(key string) {
	slog.Info("get", "key", key)
	c.mu.RLock()
	defer c.mu.RUnlock()
}

func (c *Cache) starts() {
	c.mu.Lock()
	defer c.mu.Unlock()
	go log.Print("started")
}

func (c *Cache) other() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.items)
}
