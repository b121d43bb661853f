// Command cleanup writes profiles of itself whose contents are known by construction.
//
//	cleanup blocked|lock|leak|contend|growth FOLDER
//	cleanup cpu FOLDER PERCENT
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"runtime/pprof"
	"strconv"
)

func main() {
	runtime.MemProfileRate = 1
	folder := os.Args[2]
	switch os.Args[1] {
	case "blocked":
		startBlocked()
		writeGoroutines(folder, "blocked")
	case "lock":
		startLocks()
		writeGoroutines(folder, "lock")
	case "leak":
		startLeaks()
		write(folder, "leak.pb", "goroutineleak", 0)
		write(folder, "leak.1.txt", "goroutineleak", 1)
	case "contend":
		contend()
		write(folder, "mutex.pb", "mutex", 0)
		write(folder, "block.pb", "block", 0)
	case "growth":
		grow(2)
		writeGoroutines(folder, "before")
		write(folder, "before.heap.pb", "heap", 0)
		grow(40)
		writeGoroutines(folder, "after")
		runtime.GC()
		write(folder, "after.heap.pb", "heap", 0)
	case "cpu":
		percent, err := strconv.Atoi(os.Args[3])
		check(err)
		file, err := os.Create(filepath.Join(folder, fmt.Sprintf("cpu-%d.pb", percent)))
		check(err)
		check(pprof.StartCPUProfile(file))
		work(percent)
		pprof.StopCPUProfile()
		check(file.Close())
	}
}

func writeGoroutines(folder, name string) {
	write(folder, name+".pb", "goroutine", 0)
	write(folder, name+".1.txt", "goroutine", 1)
	write(folder, name+".2.txt", "goroutine", 2)
}

func write(folder, name, profile string, debug int) {
	found := pprof.Lookup(profile)
	if found == nil {
		return
	}
	file, err := os.Create(filepath.Join(folder, name))
	check(err)
	check(found.WriteTo(file, debug))
	check(file.Close())
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
