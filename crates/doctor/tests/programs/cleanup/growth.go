package main

const chunk = 1 << 20

var (
	kept    [][]byte
	started int
)

func waitForever() {
	<-never
}

func keep() {
	kept = append(kept, make([]byte, chunk))
}

func grow(by int) {
	for i := 0; i < by; i++ {
		go waitForever()
		keep()
	}
	started += by
	settle(started)
}
