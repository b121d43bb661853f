package cases

import (
	"io"
	"mime/multipart"
	"os"
	"runtime/pprof"
	"runtime/trace"
	"syscall"

	"example.com/pack"
)

// Who stops the profile or the trace closes the file.
func profiles(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return pprof.StartCPUProfile(file)
}

func traces(name string) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	return trace.Start(file)
}

type packed struct{ writer *pack.Writer }

// The wrapper of another package has it.
func wraps(name string) (*packed, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	writer := pack.New(file)
	return &packed{writer}, nil
}

func wrapsLate(name string) (*packed, error) {
	file, err := os.Create(name)
	if err != nil {
		return nil, err
	}
	var writer *pack.Writer
	writer, err = pack.Parse(file)
	if err != nil {
		file.Close()
		return nil, err
	}
	return &packed{writer}, nil
}

type environment struct {
	closers []io.Closer
	last    *os.File
}

func (e *environment) open(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	e.closers = append(e.closers, file)
	return file, nil
}

// The environment closes it.
func (e *environment) read(name string) ([]byte, error) {
	file, err := e.open(name)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}

func openPlain(name string) (*os.File, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return file, nil
}

func readPlain(name string) ([]byte, error) {
	file, err := openPlain(name) // want "the file in file is never closed"
	if err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}

func byDescriptor(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	return syscall.Close(int(file.Fd()))
}

func uploaded(header *multipart.FileHeader) ([]byte, error) {
	file, err := header.Open() // want "the file in file is never closed"
	if err != nil {
		return nil, err
	}
	return io.ReadAll(file)
}
