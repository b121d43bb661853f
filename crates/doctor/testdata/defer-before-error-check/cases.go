package cases

import (
	"context"
	"database/sql"
	"fmt"
	"net"
	"net/http"
	"os"
)

type client struct{ conn net.Conn }

type guarded struct{ conn net.Conn }

func (c *client) Close() error { return c.conn.Close() }

func (g *guarded) Close() error {
	if g == nil {
		return nil
	}
	return g.conn.Close()
}

func newClient(ok bool) (*client, error) {
	if !ok {
		return nil, fmt.Errorf("no")
	}
	return &client{}, nil
}

func newGuarded() (*guarded, error) { return nil, fmt.Errorf("no") }

// Never nil, error or not.
func always() (*client, error) {
	c := &client{}
	if c.conn == nil {
		return c, fmt.Errorf("no connection")
	}
	return c, nil
}

func setup() (func(), error) { return nil, fmt.Errorf("no") }

func body(url string) error {
	resp, err := http.Get(url)
	defer resp.Body.Close() // want "resp is nil when err is not"
	if err != nil {
		return err
	}
	return nil
}

func rows(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, "select 1")
	defer rows.Close() // want "rows is nil when err is not"
	if err != nil {
		return err
	}
	return nil
}

func function() error {
	cleanup, err := setup()
	defer cleanup() // want "cleanup is nil when err is not"
	if err != nil {
		return err
	}
	return nil
}

func file(name string) error {
	file, err := os.Open(name)
	defer file.Close() // want "its release only fails"
	if err != nil {
		return err
	}
	return nil
}

func closure() error {
	c, err := newClient(false)
	defer func() { // want "c is nil when err is not"
		c.Close()
	}()
	if err != nil {
		return err
	}
	return nil
}

func assigned(url string) (err error) {
	var conn net.Conn
	conn, err = net.Dial("tcp", url)
	defer conn.Close() // want "conn is nil"
	if err == nil {
		conn.Write(nil)
	}
	return err
}

func helper(db *sql.DB) {
	tx, err := db.Begin()
	defer tx.Rollback() // want "tx is nil"
	must(err)
	tx.Commit()
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}

func right(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return nil
}

func asks(url string) error {
	resp, err := http.Get(url)
	if resp != nil {
		defer resp.Body.Close()
	}
	if err != nil {
		return err
	}
	return nil
}

func asksInside(url string) error {
	resp, err := http.Get(url)
	defer func() {
		if resp != nil {
			resp.Body.Close()
		}
	}()
	if err != nil {
		return err
	}
	return nil
}

func guards() error {
	g, err := newGuarded()
	defer g.Close()
	if err != nil {
		return err
	}
	return nil
}

func neverNil() error {
	c, err := always()
	defer c.Close()
	if err != nil {
		return err
	}
	return nil
}

func checked(db *sql.DB) {
	tx, err := db.Begin()
	must(err)
	defer tx.Rollback()
	_, err = tx.Exec("x")
	if err != nil {
		return
	}
}

// No error comes with it.
func timeout(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 1)
	defer cancel()
	_, err := http.NewRequestWithContext(ctx, "GET", "x", nil)
	if err != nil {
		return err
	}
	return nil
}

func argument(url string) error {
	resp, err := http.Get(url)
	defer drain(resp.Body) // want "resp is nil when err is not"
	if err != nil {
		return err
	}
	return nil
}

func name() error {
	file, err := os.CreateTemp("", "x")
	defer os.Remove(file.Name()) // want "file is nil when err is not"
	if err != nil {
		return err
	}
	return nil
}

func drain(body any) {}
