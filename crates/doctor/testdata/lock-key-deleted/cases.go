package cases

import (
	"context"
	"time"

	"github.com/gomodule/redigo/redis"
	goredis "github.com/redis/go-redis/v9"
)

const jobKey = "lock:job"

type Locker struct {
	rdb *goredis.Client
	key string
}

func work() {}

func direct(ctx context.Context, rdb *goredis.Client, key string) {
	if ok, err := rdb.SetNX(ctx, key, 1, time.Minute).Result(); err != nil || !ok {
		return
	}
	defer rdb.Del(ctx, key) // want "key is deleted without a look"
	work()
}

func closure(ctx context.Context, rdb *goredis.Client, id string) {
	rdb.SetNX(ctx, "lock:"+id, 1, time.Minute)
	defer func() {
		rdb.Del(ctx, "lock:"+id) // want "deleted without a look at who holds it"
	}()
	work()
}

func (l *Locker) Lock(ctx context.Context) bool {
	return l.rdb.SetNX(ctx, l.key, 1, time.Minute).Val()
}

func (l *Locker) Unlock(ctx context.Context) {
	l.rdb.Del(ctx, l.key) // want "l.key is deleted"
}

func redigo(c redis.Conn) {
	if _, err := redis.String(c.Do("SET", jobKey, 1, "EX", 30, "NX")); err != nil {
		return
	}
	defer c.Do("DEL", jobKey) // want "jobKey is deleted"
	work()
}

// A value that is cached, not a lock.
func cached(ctx context.Context, rdb *goredis.Client, key string) {
	rdb.Set(ctx, key, 1, time.Minute)
	rdb.Del(ctx, key)
}

func other(ctx context.Context, rdb *goredis.Client, key, stale string) {
	rdb.SetNX(ctx, key, 1, time.Minute)
	rdb.Del(ctx, stale)
}

var release = goredis.NewScript("...")

func compares(ctx context.Context, rdb *goredis.Client, key string) {
	rdb.SetNX(ctx, key, "token", time.Minute)
	defer release.Run(ctx, rdb, []string{key}, "token")
	work()
}

// Another key of the same name.
func forgets(ctx context.Context, rdb *goredis.Client, key string) {
	rdb.Del(ctx, key)
}

func releaseIfMine(ctx context.Context, client *redis.Client, key, token string) error {
	found, err := client.Get(ctx, key).Result()
	if err != nil {
		return err
	}
	if found == token {
		return client.Del(ctx, key).Err() // want "key is read, compared and deleted in steps of their own"
	}
	return nil
}
