package cases

import (
	"context"
	"database/sql"
	"net/http"
	"os"
	"os/exec"
	"time"
)

type notifier struct{ client *http.Client }

func (n *notifier) tell(url string) {
	n.client.Get(url)
}

func (n *notifier) tellSoon(ctx context.Context, url string) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	request, _ := http.NewRequestWithContext(ctx, "GET", url, nil)
	n.client.Do(request)
}

func sleeps() {
	defer time.Sleep(5 * time.Second) // want "sleeps ends only after time.Sleep"
	work()
}

func handler(w http.ResponseWriter, r *http.Request) {
	defer http.Get("http://audit/done") // want "the client waits with it"
	work()
}

func closure(db *sql.DB) {
	defer func() {
		db.Exec("delete from jobs") // want "waits for the network without a bound"
	}()
	work()
}

func throughMethod(n *notifier) {
	defer n.tell("http://x") // want "which calls http.Client.Get"
	work()
}

func inHandlerClosure(w http.ResponseWriter, r *http.Request) {
	defer func() {
		if r.Method == "POST" {
			time.Sleep(time.Second) // want "and the client waits with it"
		}
	}()
	work()
}

func command() {
	defer exec.Command("sync").Run() // want low "the process that"
	work()
}

// To give back is not slow work.
func releases(db *sql.DB, resp *http.Response) {
	tx, err := db.Begin()
	if err != nil {
		return
	}
	defer tx.Rollback()
	defer resp.Body.Close()
	defer db.Close()
	work()
}

func bounded(n *notifier, db *sql.DB) {
	defer n.tellSoon(context.Background(), "http://x")
	defer func() {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		db.ExecContext(ctx, "delete from jobs")
	}()
	work()
}

func file(f *os.File) {
	defer f.Close()
	defer os.Remove("x")
	work()
}

func pause() {
	defer time.Sleep(time.Millisecond) // want low "time.Sleep"
	work()
}

// In a goroutine it holds nobody up.
func inGoroutine() {
	defer func() {
		go http.Get("http://audit/done")
	}()
	work()
}

func withTimeout() {
	client := &http.Client{Timeout: time.Second}
	defer client.Get("http://x")
	work()
}

func before() {
	http.Get("http://x")
	time.Sleep(time.Second)
	defer work()
}

func work() {}

func waitsForTime() {
	defer func() {
		<-time.After(time.Second) // want "waitsForTime ends only after the time"
	}()
	work()
}

func waitsAtMost(done chan bool) {
	defer func() {
		select {
		case <-done:
		case <-time.After(time.Second):
		}
	}()
	work()
}
