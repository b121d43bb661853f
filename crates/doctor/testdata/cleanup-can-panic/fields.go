package cases

import "net"

type link struct{ conn net.Conn }

func dialLink(address string) (*link, error) { return &link{}, nil }

func field(address string) (err error) {
	var found *link
	defer func() {
		found.conn.Close() // want "found is still nil when field leaves"
	}()
	if found, err = dialLink(address); err != nil {
		return err
	}
	_, err = found.conn.Write(nil)
	return err
}

func asked(address string) (err error) {
	var found *link
	defer func() {
		if found != nil {
			found.conn.Close()
		}
	}()
	if found, err = dialLink(address); err != nil {
		return err
	}
	_, err = found.conn.Write(nil)
	return err
}

type hooks struct{ done map[string]func() }

func (h *hooks) run(key string, work func()) {
	defer func() {
		h.done[key]() // want "h.done may have no such element"
	}()
	work()
}

func (h *hooks) runAsked(key string, work func()) {
	if _, ok := h.done[key]; !ok {
		return
	}
	defer func() {
		h.done[key]()
	}()
	work()
}
