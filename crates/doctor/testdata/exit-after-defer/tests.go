package main

import (
	"os"
	"runtime"
	"testing"
)

func TestMain(m *testing.M) {
	defer os.RemoveAll("x")
	os.Exit(m.Run()) // want "os.Exit ends the process"
}

// Goexit runs what was deferred, and so does Fatal of a test.
func goroutine(t *testing.T) {
	defer os.Remove("x")
	if t != nil {
		t.Fatal("no")
	}
	runtime.Goexit()
}
