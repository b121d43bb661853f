package cases

import (
	"bufio"
	"compress/gzip"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"

	"github.com/fsnotify/fsnotify"
	"gopkg.in/yaml.v3"
)

type config struct{ Name string }

func never(name string) (*config, error) {
	file, err := os.Open(name) // want "the file in file is never closed"
	if err != nil {
		return nil, err
	}
	parsed := new(config)
	return parsed, json.NewDecoder(file).Decode(parsed)
}

func onePathSkipped(name string) error {
	file, err := os.Open(name) // want "the file in file is not closed when the function leaves at line 36"
	if err != nil {
		return err
	}
	if _, err := io.ReadAll(file); err != nil {
		return err
	}
	return file.Close()
}

func handshake(address string) (net.Conn, error) {
	conn, err := net.Dial("tcp", address) // want "the connection in conn is not closed when"
	if err != nil {
		return nil, err
	}
	if _, err := conn.Write([]byte("hello")); err != nil {
		return nil, err
	}
	return conn, nil
}

func dropped(name string) error {
	_, err := os.Create(name) // want "the file of os.Create is dropped here and never closed"
	return err
}

func overwritten(names []string) {
	for _, name := range names {
		file, err := os.Open(name) // want "before line 59 opens the next one"
		if err != nil {
			continue
		}
		bufio.NewReader(file).ReadString('\n')
	}
}

func replaced(first, second string) error {
	file, err := os.Open(first) // want "before line 72 opens the next one"
	if err != nil {
		return err
	}
	file, err = os.Open(second)
	if err != nil {
		return err
	}
	defer file.Close()
	return nil
}

func statement(ctx context.Context, db *sql.DB) error {
	prepared, err := db.PrepareContext(ctx, "select 1") // want "the statement in prepared is never closed"
	if err != nil {
		return err
	}
	_, err = prepared.ExecContext(ctx)
	return err
}

func connection(ctx context.Context, db *sql.DB) error {
	conn, err := db.Conn(ctx) // want "the connection in conn is not closed when"
	if err != nil {
		return err
	}
	if err := conn.PingContext(ctx); err != nil {
		return err
	}
	conn.Close()
	return nil
}

func truncated(w io.Writer, data []byte) error {
	compressed := gzip.NewWriter(w) // want "the gzip.Writer in compressed is never closed"
	_, err := compressed.Write(data)
	return err
}

func watching(path string) error {
	watcher, err := fsnotify.NewWatcher() // want "the watcher in watcher is not closed when"
	if err != nil {
		return err
	}
	if err := watcher.Add(path); err != nil {
		return err
	}
	defer watcher.Close()
	return nil
}

func ofCommand(name string) error {
	log, err := os.Create(name) // want "the file in log is never closed"
	if err != nil {
		return err
	}
	command := exec.Command("true")
	command.Stdout = log
	return command.Run()
}

func open(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func throughHelper(name string) error {
	file, err := open(name) // want "the file in file is never closed"
	if err != nil {
		return err
	}
	_, err = io.ReadAll(file)
	return err
}

func inSwitch(name string, kind int) error {
	file, err := os.Open(name) // want "the file in file is not closed when"
	if err != nil {
		return err
	}
	switch kind {
	case 1:
		return errors.New("no such kind")
	default:
		file.Close()
	}
	return nil
}

func ofAnotherPackage(name string, into any) error {
	file, err := os.Open(name) // want "the file in file is never closed"
	if err != nil {
		return err
	}
	return yaml.NewDecoder(file).Decode(into)
}
