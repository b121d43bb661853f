package cases

import "log"

func work() {}

func nested() {
	defer func() {
		func() {
			if cause := recover(); cause != nil { // want "one function too deep"
				log.Print(cause)
			}
		}()
	}()
	work()
}

func handlePanic() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func helper() {
	defer func() {
		log.Print("done")
		handlePanic() // want "handlePanic calls recover"
	}()
	work()
}

type Server struct{}

func (s *Server) report() {
	if cause := recover(); cause != nil {
		log.Print(cause)
	}
}

func (s *Server) serve() {
	defer func() {
		s.report() // want "report calls recover"
	}()
	work()
}

// Deferred itself.
func right() {
	defer handlePanic()
	work()
}

func direct() {
	defer func() {
		if cause := recover(); cause != nil {
			report(cause)
		}
	}()
	work()
}

func report(cause any) { log.Print(cause) }

// What is called guards itself.
func guards() {
	defer func() {
		guarded()
	}()
	work()
}

func guarded() {
	defer func() {
		recover()
	}()
	work()
}

// Both: the outer one counts.
func both() {
	defer func() {
		if cause := recover(); cause != nil {
			log.Print(cause)
		}
		handlePanic()
	}()
	work()
}
