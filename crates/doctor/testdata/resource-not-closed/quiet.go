package cases

import (
	"bufio"
	"compress/gzip"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
)

type server struct {
	listener net.Listener
	files    map[string]*os.File
}

func deferred(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	return nil
}

func deferredLiteral(name string) (err error) {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if closeErr := file.Close(); err == nil {
			err = closeErr
		}
	}()
	return nil
}

// Whoever calls has it.
func returned(name string) (io.ReadCloser, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("open: %w", err)
	}
	return file, nil
}

func returnedWithin(name string) (*bufio.Reader, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	reader := bufio.NewReader(file)
	return reader, nil
}

func named(name string) (file *os.File, err error) {
	file, err = os.Open(name)
	return
}

func (s *server) stored(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	s.listener = listener
	return nil
}

func (s *server) element(name string) error {
	file, err := os.Open(name)
	if err != nil {
		return err
	}
	s.files[name] = file
	return nil
}

func goroutine(listener net.Listener) {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return
		}
		go func() {
			defer conn.Close()
			io.Copy(io.Discard, conn)
		}()
	}
}

func sent(listener net.Listener, conns chan<- net.Conn) {
	for {
		conn, err := listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		conns <- conn
	}
}

func passed(address string) error {
	listener, err := net.Listen("tcp", address)
	if err != nil {
		return err
	}
	return http.Serve(listener, nil)
}

func wrapped(address string) (net.Conn, error) {
	conn, err := net.Dial("tcp", address)
	if err != nil {
		return nil, err
	}
	return tls.Client(conn, nil), nil
}

func closeQuietly(closer io.Closer) { _ = closer.Close() }

func byHelper(name string) {
	file, err := os.Open(name)
	if err != nil {
		return
	}
	defer closeQuietly(file)
}

func onlyIfNil(name string) {
	var file *os.File
	defer func() {
		if file != nil {
			file.Close()
		}
	}()
	file, _ = os.Open(name)
}

func ifThere(name string) {
	if file, err := os.Open(name); err == nil {
		file.Close()
	}
}

func notThere(name string) error {
	file, err := os.Open(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	return file.Close()
}

func switched(name string) error {
	file, err := os.Open(name)
	switch {
	case err == nil:
		return file.Close()
	case os.IsNotExist(err):
		return nil
	default:
		return err
	}
}

func switchedOverError(name string) error {
	file, err := os.Open(name)
	switch err {
	case nil:
		return file.Close()
	default:
		return err
	}
}

// The flag says whether there is anything to close.
func flagged(name string) {
	file, opened := os.Stdin, false
	if name != "-" {
		other, err := os.Open(name)
		if err != nil {
			return
		}
		file, opened = other, true
	}
	io.Copy(io.Discard, file)
	if opened {
		file.Close()
	}
}

func sameCondition(name string, wanted bool) {
	var file *os.File
	if wanted {
		file, _ = os.Open(name)
	}
	fmt.Println(name)
	if wanted {
		file.Close()
	}
}

func fatal(name string) {
	file, err := os.Create(name)
	if err != nil {
		panic(err)
	}
	if _, err := file.WriteString("x"); err != nil {
		os.Exit(1)
	}
	file.Close()
}

// It reads through what it is given, and holds nothing.
func reading(r io.Reader) ([]byte, error) {
	compressed, err := gzip.NewReader(r)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(compressed)
}

// What was written is thrown away on the way of an error.
func writing(w io.Writer, data []byte) error {
	compressed := gzip.NewWriter(w)
	if _, err := compressed.Write(data); err != nil {
		return err
	}
	return compressed.Close()
}

func retried(address string) (net.Conn, error) {
	var conn net.Conn
	var err error
	for range 3 {
		conn, err = net.Dial("tcp", address)
		if err == nil {
			break
		}
	}
	if err != nil {
		return nil, err
	}
	return conn, nil
}

// It lives as long as the process.
func init() {
	listener, err := net.Listen("tcp", ":80")
	if err != nil {
		return
	}
	fmt.Println(listener.Addr())
}

type source struct{ reader *bufio.Reader }

func within(name string) (*source, error) {
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	return &source{reader: bufio.NewReader(file)}, nil
}

func appended(names []string) (readers []io.Reader) {
	for _, name := range names {
		file, err := os.Open(name)
		if err != nil {
			continue
		}
		readers = append(readers, bufio.NewReader(file))
	}
	return readers
}

func declaredBefore(name string) (io.Reader, error) {
	var reader *bufio.Reader
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	reader = bufio.NewReader(file)
	return reader, nil
}
