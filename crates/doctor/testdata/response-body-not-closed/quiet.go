package cases

import (
	"io"
	"net/http"
	"net/http/httptest"

	"example.com/other"
)

func deferred(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	return nil
}

// bodyclose#30
func drain(resp *http.Response) {
	io.Copy(io.Discard, resp.Body)
	resp.Body.Close()
}

func byHelper(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	drain(resp)
	return nil
}

func closeBody(body io.Closer) { body.Close() }

// bodyclose#18
func byCloser(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	defer closeBody(resp.Body)
	return nil
}

func byOther(url string) error {
	resp, err := http.Get(url)
	if err != nil {
		return err
	}
	return other.Handle(resp)
}

func bodyReturned(url string) (io.ReadCloser, error) {
	resp, err := http.Get(url)
	if err != nil {
		return nil, err
	}
	return resp.Body, nil
}

func ofNil(url string) error {
	resp, err := http.Get(url)
	if resp != nil {
		defer resp.Body.Close()
	}
	return err
}

func both(url string) error {
	resp, err := http.Get(url)
	if err != nil || resp == nil {
		return err
	}
	return resp.Body.Close()
}

func head(url string) bool {
	resp, err := http.Head(url)
	return err == nil && resp.StatusCode == 200
}

func headRequest(client *http.Client, url string) (int, error) {
	req, err := http.NewRequest(http.MethodHead, url, nil)
	if err != nil {
		return 0, err
	}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	return resp.StatusCode, nil
}

func recorded(handler http.Handler, req *http.Request) int {
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, req)
	return recorder.Result().StatusCode
}

func controlled(w http.ResponseWriter) error {
	controller := http.NewResponseController(w)
	return controller.Flush()
}

type transport struct{ base http.RoundTripper }

func (t *transport) RoundTrip(req *http.Request) (*http.Response, error) {
	resp, err := t.base.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	resp.Header.Set("X-Seen", "1")
	return resp, nil
}

func unclosedOnError(url string) (*http.Response, error) {
	resp, err := http.Get(url)
	if err != nil {
		if resp != nil {
			resp.Body.Close()
		}
		return nil, err
	}
	return resp, nil
}
