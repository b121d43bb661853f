package cases

import (
	"archive/zip"
	"bufio"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"os"
)

func created(name string, value any) error {
	file, err := os.Create(name)
	if err != nil {
		return err
	}
	defer file.Close() // want "the error of file.Close() is dropped, and with it what was written last"
	return json.NewEncoder(file).Encode(value)
}

func appended(name, line string) error {
	log, err := os.OpenFile(name, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close() // want "the error of log.Close() is dropped"
	_, err = log.WriteString(line)
	return err
}

func compressed(w io.Writer, r io.Reader) (err error) {
	writer := gzip.NewWriter(w)
	defer writer.Close() // want "the error of writer.Close() is dropped"
	_, err = io.Copy(writer, r)
	return err
}

func buffered(w io.Writer, lines []string) error {
	out := bufio.NewWriter(w)
	defer out.Flush() // want "the error of out.Flush() is dropped"
	for _, line := range lines {
		if _, err := out.WriteString(line); err != nil {
			return err
		}
	}
	return nil
}

func archived(w io.Writer) error {
	archive := zip.NewWriter(w)
	defer archive.Close() // want "the error of archive.Close() is dropped"
	_, err := archive.Create("a")
	return err
}

func toClient(w http.ResponseWriter, data []byte) {
	writer := gzip.NewWriter(w)
	defer writer.Close() // want low "the error of writer.Close() is dropped"
	writer.Write(data)
}

func ended(w io.Writer, data []byte) error {
	writer := gzip.NewWriter(w)
	if _, err := writer.Write(data); err != nil {
		writer.Close()
		return err
	}
	writer.Close() // want "the error of writer.Close() is dropped"
	return nil
}
