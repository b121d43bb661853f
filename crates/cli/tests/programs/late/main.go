// Command late is a service whose cleanup never ends, and which shows its profiles.
package main

import (
	"fmt"
	"net"
	"net/http"
	_ "net/http/pprof"
)

type ledger struct{ acknowledged chan struct{} }

// Close waits for an answer that nobody sends.
func (l *ledger) Close() {
	<-l.acknowledged
}

func pay(w http.ResponseWriter, r *http.Request) {
	l := &ledger{make(chan struct{})}
	defer l.Close()
	fmt.Fprintln(w, "paid")
}

func main() {
	http.HandleFunc("/pay", pay)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	fmt.Printf("listening on http://%s\n", listener.Addr())
	panic(http.Serve(listener, nil))
}
