package cases

import (
	"bytes"
	"compress/gzip"
	"io"
	"os"
)

func read(name string) ([]byte, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

func readOnly(name string) ([]byte, error) {
	file, err := os.OpenFile(name, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// The explicit Close tells; the deferred one is for the ways out before.
func both(name string, data []byte) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Close()
}

func synced(name string, data []byte) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if _, err := file.Write(data); err != nil {
		return err
	}
	return file.Sync()
}

func kept(name string, data []byte) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	_, err = file.Write(data)
	return err
}

func inMemory(data []byte) ([]byte, error) {
	buffer := new(bytes.Buffer)
	writer := gzip.NewWriter(buffer)
	defer writer.Close()
	_, err := writer.Write(data)
	return buffer.Bytes(), err
}

func reader(r io.Reader) ([]byte, error) {
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	defer compressed.Close()
	return io.ReadAll(compressed)
}

// Nothing is written: it is there for its lock.
func locked(name string, lock func(uintptr) error) error {
	file, err := os.OpenFile(name, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return err
	}
	defer file.Close()
	return lock(file.Fd())
}

func scratch(data []byte) error {
	file, err := os.CreateTemp("", "scratch")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name())
	defer file.Close()
	_, err = file.Write(data)
	return err
}
